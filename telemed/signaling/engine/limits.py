"""What one client may ask of the server, and how long the server waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one connection; each of them ends it when crossed."""

    message_bytes: int = 128 * 1024
    # What may wait in the server for a client that reads too slowly.
    pending_bytes: int = 1024 * 1024
    ping_seconds: float = 25
    pong_seconds: float = 20
    # From the open socket to the joined client.
    connect_seconds: float = 10
    close_seconds: float = 1
    shutdown_seconds: float = 1
    # A message weighs one for each 4 kB begun.
    messages_per_second: float = 100
    message_burst: float = 400


class Allowance:
    """A token bucket that looks at the clock only when it is empty.

    What was earned while it was not empty is credited late, so that a burst after a long rest may
    reach twice `burst`; the sustained rate is exact.
    """

    __slots__ = ("_burst", "_left", "_per_second", "_since")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._since = monotonic()

    def spend(self, cost: float) -> bool:
        """Take `cost` tokens; False when they were not there."""
        self._left -= cost
        return self._left >= 0 or self._refill()

    def _refill(self) -> bool:
        now = monotonic()
        earned = (now - self._since) * self._per_second
        self._left = min(self._burst, self._left + earned)
        self._since = now
        return self._left >= 0
