"""Slowing down whoever guesses, without letting a stranger lock somebody out.

An attempt counts before it is judged, so that a thousand at once are no way around; a right one is
given back. Counts belong to a network (and a name seen from it), never to a name alone: a right
password from another network always works. They live in the memory of one process, in a table of
bounded size, and fade with time.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telemed.core.errors import Throttled

TABLE_SIZE = 10_000
LONGEST_DOUBLING = 20

Key = tuple[str, ...]


@dataclass(frozen=True)
class Allowance:
    """How many attempts are free, how the waits grow, how fast attempts are forgotten."""

    free: int
    longest_wait: timedelta
    forget_one_in: timedelta

    def wait(self, count: float) -> timedelta:
        """How long to wait after this many attempts: 1, 2, 4 … seconds up to the longest."""
        over = round(count) - self.free
        if over < 0:
            return timedelta()
        doubled = timedelta(seconds=2 ** min(over, LONGEST_DOUBLING))
        return min(doubled, self.longest_wait)


# A person mistypes; a ward full of people behind one address mistypes more.
NAME = Allowance(5, longest_wait=timedelta(minutes=5), forget_one_in=timedelta(minutes=5))
NETWORK = Allowance(40, longest_wait=timedelta(minutes=1), forget_one_in=timedelta(seconds=20))


@dataclass
class _Count:
    attempts: float
    at: datetime
    closed_until: datetime


class Throttle:
    """Counts of recent attempts by key."""

    def __init__(self, size: int = TABLE_SIZE) -> None:
        self._counts: OrderedDict[Key, _Count] = OrderedDict()
        self._size = size

    def admit(self, limits: Sequence[tuple[Key, Allowance]], now: datetime) -> None:
        """Count an attempt under every key, or refuse it under all. Raises Throttled."""
        waits = [self._remaining(key, now) for key, _ in limits]
        longest = max(waits, default=timedelta())
        if longest > timedelta():
            raise Throttled(retry_after_seconds=math.ceil(longest.total_seconds()))
        for key, allowance in limits:
            self._count(key, allowance, now)

    def forgive(self, key: Key) -> None:
        """Forget all attempts under a key: whoever made them has shown who they are."""
        self._counts.pop(key, None)

    def give_back(self, key: Key, now: datetime) -> None:
        """Take one right attempt out of the count; the wrong ones of others stay."""
        known = self._counts.get(key)
        if known is not None:
            known.attempts = max(0.0, known.attempts - 1)
            known.closed_until = min(known.closed_until, now)

    def __len__(self) -> int:
        return len(self._counts)

    def _remaining(self, key: Key, now: datetime) -> timedelta:
        known = self._counts.get(key)
        return known.closed_until - now if known is not None else timedelta()

    def _count(self, key: Key, allowance: Allowance, now: datetime) -> None:
        known = self._counts.pop(key, None) or _Count(0.0, now, now)
        faded = max(timedelta(), now - known.at) / allowance.forget_one_in
        known.attempts = max(0.0, known.attempts - faded) + 1
        known.at = now
        known.closed_until = now + allowance.wait(known.attempts)
        self._counts[key] = known
        if len(self._counts) > self._size:
            self._counts.popitem(last=False)


def network_of(address: str | None) -> str:
    """What one household or ward shares: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
