"""How unevenly packets of one stream come (RFC 3550, appendix A.8). Pure."""

from __future__ import annotations

from typing import Final

SMOOTHING: Final = 16


class Jitter:
    """The smoothed difference between how packets were sent and how they came; in clock ticks."""

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._value = 0.0
        self._before: tuple[int, float] | None = None

    @property
    def value(self) -> int:
        """What a receiver report says."""
        return min(int(self._value), 0xFFFFFFFF)

    def note(self, timestamp: int, now: float) -> None:
        """One packet came, in order, at `now` seconds."""
        before = self._before
        # The packets of one picture share a time, but cannot be sent at once.
        if before is not None and before[0] == timestamp:
            return
        self._before = (timestamp, now)
        if before is None:
            return
        sent = ((timestamp - before[0] + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        difference = abs((now - before[1]) * self._clock_rate - sent)
        # A clock that jumps is another clock, not a late packet.
        if difference < self._clock_rate:
            self._value += (difference - self._value) / SMOOTHING
