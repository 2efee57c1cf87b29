"""What the stations of the synthetic province have shown of their links: most are well, some not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from telemed.demo.world import World
from telemed.sessions.link.models import LinkObservation, LinkSource
from telemed.sessions.link.service import ALL_LOST, DRILL_EVERY

DRILLS = 20
# How far single looks at the same link lie apart.
SPREAD = (0.85, 1.15)


@dataclass(frozen=True)
class Line:
    """What a station's link carries as a rule; `last_loss` is what its last drill found."""

    down_kbps: int
    up_kbps: int
    rtt_ms: int
    loss_permille: int = 2
    last_loss: int | None = None
    silent_for: timedelta = timedelta()


GOOD = (Line(8_000, 3_000, 28), Line(2_600, 900, 41), Line(1_200, 520, 64, loss_permille=6))
NARROW = Line(190, 96, 210, loss_permille=25)
THIN = Line(58, 34, 480, loss_permille=60)
# By the place of a station in the list. The first is that of the doctor who is tried: well.
OTHERS = {
    4: NARROW,
    9: replace(GOOD[1], silent_for=timedelta(days=3)),
    13: NARROW,
    18: replace(NARROW, last_loss=420),
    22: THIN,
    27: NARROW,
    31: replace(GOOD[2], last_loss=ALL_LOST),
    38: THIN,
}


def line_of(place: int) -> Line:
    """What the link of the station at this place of the list is like."""
    return OTHERS.get(place, GOOD[place % len(GOOD)])


def make_looks(world: World) -> list[LinkObservation]:
    """The drills of the last days, at every station."""
    return [
        _look(world, station, line_of(place), back)
        for place, station in enumerate(world.stations)
        for back in range(DRILLS)
    ]


def _look(world: World, station: int, line: Line, back: int) -> LinkObservation:
    is_bad = back == 0 and line.last_loss is not None
    ago = line.silent_for + back * DRILL_EVERY + world.minutes(3, 55)
    return LinkObservation(
        station_id=station,
        source=LinkSource.DRILL,
        key=f"drill-{back}",
        at=world.now - ago,
        is_well=not is_bad,
        down_kbps=_about(world, line.down_kbps),
        up_kbps=_about(world, line.up_kbps),
        rtt_ms=_about(world, line.rtt_ms),
        loss_permille=line.last_loss if is_bad else _about(world, line.loss_permille),
    )


def _about(world: World, usual: int) -> int:
    return round(usual * world.chance.uniform(*SPREAD))
