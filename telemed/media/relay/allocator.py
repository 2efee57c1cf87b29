"""Which layer of each picture one viewer gets. Pure: no packets, no clocks, no other viewers.

Voice is no part of it, and never held back: browsers estimate what is left for pictures beside it,
since only those carry the time of sending. Each viewer has an allocator of its own, and it only ever chooses among what is sent anyway, so nobody's weak link
lowers what others see.

1. The estimate falling, or a fifth of the packets lost, is congestion: at once the best that fits.
2. Upwards, after a fall, only by probing: padding ramped up makes the viewer's estimate follow;
   the step is taken when the estimate allows it, and given up when congestion shows. Never is much
   more sent than the estimate: beyond 1/0.85 of it, an estimate no longer falls on a full line.
3. A step up or a probe that fails doubles the wait before the next, from 6 to 60 seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

USABLE: Final = 0.95
# What waits in a full queue has to drain as well before the voice is in time again.
DRAINING: Final = 0.7
# A picture so small is no cause of a full line: it is lowered only where much less than it arrives.
MODEST_BITS: Final = 200_000
SHORTAGE: Final = 0.7
FALLING: Final = 0.97
HEAVY_LOSS: Final = 0.2
CONGESTED_SECONDS: Final = 0.3
FIRST_BACK_OFF: Final = 6.0
LONGEST_BACK_OFF: Final = 60.0
QUIET_AFTER_SECONDS: Final = 90.0
# A probe goes on while the estimate grows.
STILL_SECONDS: Final = 3.0
GROWING: Final = 1.02
PROBE_SECONDS: Final = 30.0
BEYOND_ESTIMATE: Final = 1.1
RAMP_SECONDS: Final = 3.0
HEADROOM: Final = 1.05
PROBE_SHARE: Final = 0.8
SETTLE_DOWN_SECONDS: Final = 0.4
SETTLE_UP_SECONDS: Final = 2.0
LAST_CHANCE_SECONDS: Final = 2.5
FAILED_STEP_SECONDS: Final = 8.0
PAUSED: Final = -1


@dataclass(frozen=True)
class Ladder:
    """What one picture may cost: bits a second of each rung, growing; where it stands now."""

    rungs: Sequence[float]
    current: int


@dataclass(frozen=True)
class Step:
    """Put a picture on another rung, or pause it (rung -1)."""

    picture: int
    rung: int


@dataclass
class Probe:
    """Padding for one picture, from one rate to another, to see whether the next rung fits."""

    picture: int
    since: float
    start: float
    goal: float
    # What all pictures together cost.
    shown: float
    best: float
    grown_at: float

    def rate(self, now: float, estimate: float) -> float:
        """Bits a second of padding just now."""
        ramped = (self.goal - self.start) * min(1.0, 0.15 + (now - self.since) / RAMP_SECONDS)
        return max(0.0, min(ramped, BEYOND_ESTIMATE * estimate - self.shown))

    def note(self, now: float, estimate: float) -> None:
        """Follow the estimate."""
        if estimate > GROWING * self.best:
            self.best, self.grown_at = estimate, now

    def is_over(self, now: float) -> bool:
        """Whether nothing more will come of it."""
        return now - self.grown_at > STILL_SECONDS or now - self.since > PROBE_SECONDS


class Allocator:
    """Decides for one viewer, a few times a second."""

    def __init__(self) -> None:
        self.probe: Probe | None = None
        self._estimate = 0.0
        self._shown = 0.0
        self._loses = False
        self._congested_at = self._changed_at = -math.inf
        self._raised_at = self._lowered_at = -math.inf
        self._back_off = FIRST_BACK_OFF

    def decide(
        self, now: float, estimate: float, loss: float, ladders: Sequence[Ladder]
    ) -> list[Step]:
        """The steps to take, given the viewer's estimate in bits a second and its share lost."""
        if estimate < FALLING * self._estimate or loss > HEAVY_LOSS:
            self._congested_at = now
        self._loses = loss > HEAVY_LOSS
        self._estimate = estimate
        if not ladders:
            return []
        self._shown = sum(ladder.rungs[ladder.current] for ladder in ladders if ladder.current >= 0)
        each = estimate * USABLE / len(ladders)
        self._watch_probe(now, len(ladders))
        steps = []
        for picture, ladder in enumerate(ladders):
            rung = self._down(now, each, ladder)
            if rung is None:
                rung = self._up(now, each, picture, ladder)
            if rung is not None:
                steps.append(Step(picture, rung))
        # All pictures may fall together; what follows waits until the link has settled.
        if steps:
            self._changed_at = now
        if now - self._lowered_at > QUIET_AFTER_SECONDS:
            self._back_off = FIRST_BACK_OFF
        return steps

    def _is_congested(self, now: float) -> bool:
        return now - self._congested_at < CONGESTED_SECONDS

    def _down(self, now: float, each: float, ladder: Ladder) -> int | None:
        if not self._is_congested(now) or ladder.current < 0:
            return None
        standing = ladder.rungs[ladder.current]
        if standing > MODEST_BITS:
            each *= DRAINING / USABLE
        elif not self._loses and self._estimate > SHORTAGE * self._shown:
            return None
        fitting = max((rung for rung, rate in enumerate(ladder.rungs) if rate <= each), default=-1)
        settled = now - self._changed_at
        if settled <= SETTLE_DOWN_SECONDS:
            return None
        # The lowest rung gets a chance before voice only.
        if fitting < 0 and (ladder.current > 0 or settled < LAST_CHANCE_SECONDS):
            fitting = 0
        if fitting >= ladder.current:
            return None
        if self._raised_at > self._lowered_at and now - self._raised_at < FAILED_STEP_SECONDS:
            self._wait_longer()
        self._lowered_at = now
        self.probe = None
        return fitting

    def _up(self, now: float, each: float, picture: int, ladder: Ladder) -> int | None:
        above = ladder.current + 1
        if above >= len(ladder.rungs) or now - self._changed_at <= SETTLE_UP_SECONDS:
            return None
        if now - self._congested_at <= 1.0:
            return None
        needed = ladder.rungs[above] * HEADROOM
        # What was estimated before a fall tells nothing of the line as it is.
        if each > needed and (self.probe or now - self._lowered_at > QUIET_AFTER_SECONDS):
            self.probe = None
            self._raised_at = now
            return above
        quiet_since = max(self._congested_at, self._changed_at)
        if self.probe is None and now - quiet_since > self._back_off:
            self.probe = self._begin(now, picture, ladder, needed / USABLE)
        return None

    def _begin(self, now: float, picture: int, ladder: Ladder, goal: float) -> Probe:
        start = ladder.rungs[ladder.current] if ladder.current >= 0 else 0.0
        return Probe(
            picture, now, start, goal * PROBE_SHARE, self._shown, self._estimate, grown_at=now
        )

    def _watch_probe(self, now: float, pictures: int) -> None:
        if self.probe is None:
            return
        self.probe.note(now, self._estimate)
        if self._is_congested(now):
            self._wait_longer()
            self.probe = None
        elif self.probe.is_over(now) or self.probe.picture >= pictures:
            self._wait_longer()
            self.probe = None
            self._changed_at = now

    def _wait_longer(self) -> None:
        self._back_off = min(LONGEST_BACK_OFF, self._back_off * 2)
