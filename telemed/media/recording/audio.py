"""Opus packets in any order in, in order and with nothing twice out."""

from __future__ import annotations

from collections.abc import Iterator

from telemed.media.recording import opus
from telemed.media.recording.packets import Frame, Packet
from telemed.media.recording.timing import Unwrapper

# How long a missing packet may still come, by itself or inside a later one.
PATIENCE_SECONDS = 0.5
MOST_WAITING = 1024


class AudioAssembler:
    """Puts one stream's packets in order; what is missing is passed over after a while."""

    def __init__(self) -> None:
        self._timestamps = Unwrapper(32)
        self._waiting: dict[int, bytes] = {}
        self._next: int | None = None
        self._stuck_since: float | None = None

    def unwrap(self, timestamp: int) -> int:
        """A timestamp on this stream's time line."""
        return self._timestamps.unwrap(timestamp)

    def push(self, packet: Packet) -> None:
        """Take a packet and what it repeats of earlier ones."""
        timestamp = self.unwrap(packet.timestamp)
        parts = opus.read_red(packet.payload) if packet.is_red else ((0, packet.payload),)
        for age, data in parts:
            at = timestamp - age
            if self._next is None:
                self._next = at
            if data and at >= self._next and opus.duration_of(data):
                self._waiting.setdefault(at, data)

    def take(self, now: float, *, is_last: bool = False) -> Iterator[Frame]:
        """Whatever is in order; `is_last` waits for nothing any more."""
        while self._waiting and self._next is not None:
            data = self._waiting.pop(self._next, None)
            if data is None:
                earliest = min(self._waiting)
                if earliest < self._next:
                    del self._waiting[earliest]
                    continue
                if not (is_last or self._has_waited(now)):
                    return
                self._stuck_since = None
                self._next = earliest
                continue
            self._stuck_since = None
            yield Frame(self._next, is_key=True, data=data)
            self._next += opus.duration_of(data)

    def start_over(self) -> None:
        """What follows begins a time of its own."""
        self._waiting.clear()
        self._next = None
        self._stuck_since = None

    def _has_waited(self, now: float) -> bool:
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since > PATIENCE_SECONDS or len(self._waiting) > MOST_WAITING
