"""What a link can carry, and at which hours, from single looks at it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median

# Measured: below the first a small picture costs speech, below the second speech itself breaks.
VIDEO_KBPS = 150
VOICE_KBPS = 40
VIDEO_LOSS_PERMILLE = 150
VOICE_LOSS_PERMILLE = 300
RECENT = 12
LOOKS_AN_HOUR = 2
MOST_HOURS = 3
# A tenth better is chance; a fifth is worth waiting for.
BETTER_BY = 0.8


class LinkMode(StrEnum):
    """How to talk over a link."""

    VIDEO = "video"
    VOICE = "voice"
    WRITTEN = "written"


@dataclass(frozen=True)
class Look:
    """One look at a link. What is not known is None; `is_floor`: the rates were used, not tested."""

    at: datetime
    up_kbps: int | None = None
    down_kbps: int | None = None
    rtt_ms: int | None = None
    loss_permille: int | None = None
    is_floor: bool = False
    relay_udp: bool | None = None
    relay_tcp: bool | None = None
    relay_tls: bool | None = None


@dataclass(frozen=True)
class Figures:
    """Middle values of some looks."""

    up_kbps: int | None
    down_kbps: int | None
    rtt_ms: int | None
    loss_permille: int | None

    @property
    def mode(self) -> LinkMode | None:
        """What to suggest; None while too little is known."""
        rates = [rate for rate in (self.up_kbps, self.down_kbps) if rate is not None]
        if not rates:
            return None
        narrowest, loss = min(rates), self.loss_permille or 0
        if narrowest >= VIDEO_KBPS and loss <= VIDEO_LOSS_PERMILLE:
            return LinkMode.VIDEO
        if narrowest >= VOICE_KBPS and loss <= VOICE_LOSS_PERMILLE:
            return LinkMode.VOICE
        return LinkMode.WRITTEN


@dataclass(frozen=True)
class LinkProfile:
    """What is to be expected now, what each hour of the day was like, which hours are better."""

    looks: int
    latest_at: datetime
    usual: Figures
    hours: tuple[tuple[int, Figures], ...]
    better_hours: tuple[int, ...]
    relay_udp: bool | None
    relay_tcp: bool | None
    relay_tls: bool | None


def profile_of(looks: Iterable[Look]) -> LinkProfile | None:
    """The profile of a link from its looks, in local time; None without any."""
    ordered = sorted(looks, key=lambda look: look.at)
    if not ordered:
        return None
    by_hour: dict[int, list[Look]] = {}
    for look in ordered:
        by_hour.setdefault(look.at.hour, []).append(look)
    known = {
        hour: figures_of(some)
        for hour, some in sorted(by_hour.items())
        if len(some) >= LOOKS_AN_HOUR
    }
    usual = figures_of(ordered[-RECENT:])
    return LinkProfile(
        looks=len(ordered),
        latest_at=ordered[-1].at,
        usual=usual,
        hours=tuple(known.items()),
        better_hours=_better(known, figures_of(ordered)),
        relay_udp=_latest(ordered, lambda look: look.relay_udp),
        relay_tcp=_latest(ordered, lambda look: look.relay_tcp),
        relay_tls=_latest(ordered, lambda look: look.relay_tls),
    )


def figures_of(looks: Sequence[Look]) -> Figures:
    """Middle values; a rate that was only used lifts one that was tested, and never lowers it."""
    return Figures(
        up_kbps=_rate(looks, lambda look: look.up_kbps),
        down_kbps=_rate(looks, lambda look: look.down_kbps),
        rtt_ms=_middle(look.rtt_ms for look in looks),
        loss_permille=_middle(look.loss_permille for look in looks),
    )


def _rate(looks: Sequence[Look], rate: Callable[[Look], int | None]) -> int | None:
    tested = _middle(rate(look) for look in looks if not look.is_floor)
    used = _middle(rate(look) for look in looks if look.is_floor)
    return max((each for each in (tested, used) if each is not None), default=None)


def _middle(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None


def _latest(looks: Sequence[Look], of: Callable[[Look], bool | None]) -> bool | None:
    return next((of(look) for look in reversed(looks) if of(look) is not None), None)


def _cost(figures: Figures) -> float | None:
    """The lower the better: time for 100 kbit both ways, plus what delay and loss cost."""
    if figures.up_kbps is None or figures.down_kbps is None:
        return None
    slowest = 100_000 / max(1, min(figures.up_kbps, figures.down_kbps))
    return slowest + (figures.rtt_ms or 0) + 10 * (figures.loss_permille or 0)


def _better(known: dict[int, Figures], usual: Figures) -> tuple[int, ...]:
    cost = _cost(usual)
    if cost is None or len(known) < 2:
        return ()
    costs = {hour: each for hour, figures in known.items() if (each := _cost(figures)) is not None}
    good = [hour for hour, each in costs.items() if each <= cost * BETTER_BY]
    return tuple(sorted(sorted(good, key=lambda hour: costs[hour])[:MOST_HOURS]))
