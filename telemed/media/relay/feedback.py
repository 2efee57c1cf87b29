"""Transport-wide congestion feedback: when each packet of a publisher came.

The format is draft-holmer-rmcat-transport-wide-cc-extensions-01, with two-bit status chunks only.
"""

from __future__ import annotations

import struct
from typing import Final

from telemed.media.relay.packets import WORD, signed16

MOST_PACKETS: Final = 400
TICK_MICROSECONDS: Final = 250
REFERENCE_MICROSECONDS: Final = 64_000
SMALL, LARGE = 1, 2


class ArrivalLog:
    """Arrival times by transport-wide number, until the next report; bounded."""

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = {}
        self._newest: int | None = None
        self._next = 0
        self._count = 0

    def note(self, number: int, microseconds: int) -> None:
        """One packet came."""
        if self._newest is None:
            self._newest = self._next = number + 0x10000
        unwrapped = self._newest + signed16(number - self._newest)
        # What is older has been told as lost, and telling it again would tell its neighbours so too.
        if unwrapped < self._next or len(self._arrivals) >= 4 * MOST_PACKETS:
            return
        self._newest = max(self._newest, unwrapped)
        self._arrivals[unwrapped] = microseconds

    def report(self) -> bytes | None:
        """The body of one feedback packet for all that came since the last; None for nothing."""
        if not self._arrivals or self._newest is None:
            return None
        base = max(self._next, self._newest - MOST_PACKETS + 1)
        numbers = range(base, self._newest + 1)
        first = next(self._arrivals[number] for number in numbers if number in self._arrivals)
        reference = first // REFERENCE_MICROSECONDS
        statuses, deltas = self._deltas(numbers, reference * REFERENCE_MICROSECONDS)
        head = struct.pack(
            "!HHL",
            base & 0xFFFF,
            len(numbers),
            (reference & 0xFFFFFF) << 8 | self._count & 0xFF,
        )
        body = head + _chunks(statuses) + deltas
        self._count += 1
        self._next = self._newest + 1
        self._arrivals.clear()
        return body + bytes(-len(body) % 4)

    def _deltas(self, numbers: range, clock: int) -> tuple[list[int], bytes]:
        statuses: list[int] = []
        deltas = bytearray()
        for number in numbers:
            arrival = self._arrivals.get(number)
            if arrival is None:
                statuses.append(0)
                continue
            ticks = (arrival - clock + TICK_MICROSECONDS // 2) // TICK_MICROSECONDS
            ticks = max(-0x8000, min(0x7FFF, ticks))
            clock += ticks * TICK_MICROSECONDS
            is_small = 0 <= ticks < 256
            statuses.append(SMALL if is_small else LARGE)
            deltas += bytes([ticks]) if is_small else struct.pack("!h", ticks)
        return statuses, bytes(deltas)


def _chunks(statuses: list[int]) -> bytes:
    padded = statuses + [0] * (-len(statuses) % 7)
    return b"".join(
        WORD.pack(0xC000 | sum(status << 12 - 2 * place for place, status in enumerate(seven)))
        for seven in (padded[at : at + 7] for at in range(0, len(padded), 7))
    )
