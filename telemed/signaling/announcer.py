"""Carries the hints of committed changes to the pages that watch, and wakes the rooms they concern."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from telemed.core.db import Announcement

log = logging.getLogger(__name__)

Listener = Callable[[Announcement], None]


class Emitter(Protocol):
    """The part of the socket server that is used here."""

    def emit(self, event: str, data: object = None, *, room: str | None = None) -> Awaitable[Any]:
        """Send to the members of a room."""
        ...


class SocketAnnouncer:
    """Implements the core's Announcer over the socket server."""

    def __init__(self, emitter: Emitter, listeners: dict[str, Listener]) -> None:
        self._emitter = emitter
        self._listeners = listeners

    async def announce(self, hints: list[Announcement]) -> None:
        """Send each hint to its channel; a hint that cannot be sent is lost, never the change."""
        for hint in hints:
            kind = hint.channel.partition(":")[0]
            try:
                if kind in self._listeners:
                    self._listeners[kind](hint)
                payload = {"channel": hint.channel, "event": hint.event, "number": hint.number}
                await self._emitter.emit("hint", payload, room=hint.channel)
            except Exception:
                log.exception("hint lost: %s", kind)
