"""Every event of the protocol with its handler, from the modules that answer them."""

from __future__ import annotations

from telemed.signaling import forwarding_events, invitation_events, recording_events
from telemed.signaling.namespace import events

__all__ = ["events", "forwarding_events", "invitation_events", "recording_events"]
