"""How long a station may wait for an answer, by the doctor's own urgency. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from telemed.consults.models import Urgency

LIMITS: Mapping[Urgency, timedelta] = {
    Urgency.EMERGENCY: timedelta(minutes=10),
    Urgency.URGENT: timedelta(minutes=30),
    Urgency.ROUTINE: timedelta(hours=24),
}
# The order of the worklist: an emergency stands first.
RANKS: Mapping[Urgency, int] = {urgency: rank for rank, urgency in enumerate(LIMITS, start=1)}


def due_at(urgency: Urgency, requested_at: datetime) -> datetime:
    """When somebody should have taken the case."""
    return requested_at + LIMITS[urgency]


def limit_minutes(urgency: Urgency) -> int:
    """The whole wait in minutes, for the clock on a page."""
    return int(LIMITS[urgency].total_seconds() // 60)
