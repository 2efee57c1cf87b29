"""The last packets of one outgoing picture, to be repeated when the viewer asks."""

from __future__ import annotations

from typing import Final, NamedTuple

from telemed.media.relay import limits
from telemed.media.relay.limits import Bucket

PAUSE_SECONDS: Final = 0.12
SHARE_OF_ESTIMATE: Final = 0.2
UNKNOWN_ESTIMATE: Final = 1_000_000
BYTES_AT_ONCE: Final = 20_000.0
# Two packets.
LEAST_AT_ONCE: Final = 2500.0
MOST_REPEATED: Final = 400


class Sent(NamedTuple):
    """One packet as it went out."""

    number: int
    timestamp: int
    marker: int
    payload: bytes
    picture: tuple[int, int, int, int] | None


class History:
    """A ring of sent packets. Repeats take at most a fifth of what the viewer can receive."""

    def __init__(self, now: float) -> None:
        self._ring: list[Sent | None] = [None] * limits.HISTORY_PACKETS
        self._repeated_at: dict[int, float] = {}
        self._budget = Bucket(UNKNOWN_ESTIMATE * SHARE_OF_ESTIMATE / 8, BYTES_AT_ONCE, now)

    def keep(self, sent: Sent) -> None:
        """Remember a packet in the place of the oldest."""
        self._ring[sent.number % limits.HISTORY_PACKETS] = sent

    def find(self, number: int) -> Sent | None:
        """The packet that went out with this number, if it is still known."""
        sent = self._ring[number % limits.HISTORY_PACKETS]
        return sent if sent and sent.number == number else None

    def take(self, number: int, now: float) -> Sent | None:
        """The packet to be repeated; None if it is gone, was just repeated, or is too much."""
        sent = self.find(number)
        if not sent or now - self._repeated_at.get(number, 0.0) < PAUSE_SECONDS:
            return None
        if not self._budget.take(len(sent.payload), now):
            return None
        if len(self._repeated_at) > MOST_REPEATED:
            self._repeated_at.clear()
        self._repeated_at[number] = now
        return sent

    def fit(self, estimate: int) -> None:
        """The viewer can take so many bits a second; at once, no more than in one second."""
        share = estimate * SHARE_OF_ESTIMATE / 8
        self._budget.refill_at(share, max(LEAST_AT_ONCE, min(BYTES_AT_ONCE, share)))

    def forget(self) -> None:
        """Nothing of it is of use any more."""
        self._ring = [None] * limits.HISTORY_PACKETS
