"""Who is where: the stations today, and month by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.rotations.models import RotationKind
from telemed.training.rotations.repository import RotationRow, list_leaves, list_rotations
from telemed.training.rotations.rules import DAY, Span, gaps, overlaps

ENDS_SOON = timedelta(days=30)
MONTHS = 12


@dataclass(frozen=True)
class Place:
    """A station and who was sent there."""

    station: Facility
    here: Sequence[RotationRow] = ()
    vacant_since: date | None = None

    @property
    def until(self) -> date:
        """The day on which the first of those here goes back."""
        return min(row.rotation.last_day for row in self.here)


@dataclass(frozen=True)
class Board:
    """The stations in three groups by their clinicians: nobody, ending soon, staffed."""

    today: date
    vacant: Sequence[Place]
    ending: Sequence[Place]
    staffed: Sequence[Place]
    present: dict[RotationKind, int]
    away: frozenset[int]


@dataclass(frozen=True)
class Lane:
    """A station over months: who was there, days without a clinician, days with two of one field."""

    station: Facility
    rows: Sequence[RotationRow]
    gaps: Sequence[Span]
    doubled: Sequence[Span]


@dataclass(frozen=True)
class Timeline:
    """All stations over a span that begins and ends with a month."""

    span: Span
    lanes: Sequence[Lane]
    months: Sequence[date] = field(default_factory=tuple)


async def today_of(work: UnitOfWork) -> date:
    """The day of the province."""
    return work.now().astimezone(LOCAL_ZONE).date()


async def board(work: UnitOfWork, actor: Actor) -> Board:
    """Who is where today."""
    require(actor, Action.ROTATION_READ)
    today = await today_of(work)
    by_station = await _by_station(work, Span(date.min, today))
    places = []
    present = dict.fromkeys(RotationKind, 0)
    for station in await _stations(work):
        rows = by_station.get(station.id or 0, [])
        here = [row for row in rows if row.span.last >= today]
        clinicians = [row for row in rows if row.rotation.kind is RotationKind.CLINICAL]
        last = max((row.span.last for row in clinicians), default=None)
        since = last + DAY if last is not None and last < today else None
        places.append(Place(station, here, vacant_since=since))
        for row in here:
            present[row.rotation.kind] += 1
    soon = today + ENDS_SOON
    held = [(place, _clinicians(place)) for place in places]
    vacant = [place for place, here in held if not here]
    return Board(
        today=today,
        # The longest without anybody comes first, after those that never had anybody.
        vacant=sorted(vacant, key=lambda place: place.vacant_since or date.max),
        ending=[place for place, here in held if here and _ends(here) <= soon],
        staffed=[place for place, here in held if here and _ends(here) > soon],
        present=present,
        away=await _away(work, [row for place in places for row in place.here], today),
    )


def _clinicians(place: Place) -> list[RotationRow]:
    return [row for row in place.here if row.rotation.kind is RotationKind.CLINICAL]


def _ends(here: Sequence[RotationRow]) -> date:
    return min(row.rotation.last_day for row in here)


async def _away(work: UnitOfWork, rows: Sequence[RotationRow], today: date) -> frozenset[int]:
    leaves = await list_leaves(work, [row.rotation.id or 0 for row in rows])
    return frozenset(
        leave.rotation_id for leave in leaves if leave.starts_on <= today <= leave.ends_on
    )


async def timeline(work: UnitOfWork, actor: Actor, first: date | None = None) -> Timeline:
    """Twelve months from the first day of a month; by default from two months ago."""
    require(actor, Action.ROTATION_READ)
    start = first or month_from(await today_of(work), -2)
    months = [month_from(start, number) for number in range(MONTHS)]
    span = Span(months[0], month_from(start, MONTHS) - DAY)
    by_station = await _by_station(work, span)
    lanes = []
    for station in await _stations(work):
        rows = by_station.get(station.id or 0, [])
        spans = [row.span for row in rows if row.rotation.kind is RotationKind.CLINICAL]
        lanes.append(Lane(station, rows, gaps(spans, span), _doubled(rows)))
    return Timeline(span, lanes, months)


def _doubled(rows: Sequence[RotationRow]) -> list[Span]:
    fields: dict[int, list[Span]] = {}
    for row in rows:
        if row.rotation.specialty_id is not None:
            fields.setdefault(row.rotation.specialty_id, []).append(row.span)
    return [span for spans in fields.values() for span in overlaps(spans)]


def month_from(day: date, by: int) -> date:
    """The first day of the month so many months from that of a day."""
    months = day.year * 12 + day.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


async def _by_station(work: UnitOfWork, span: Span) -> dict[int, list[RotationRow]]:
    found: dict[int, list[RotationRow]] = {}
    for row in await list_rotations(work, within=span):
        found.setdefault(row.rotation.station_id, []).append(row)
    return found


async def _stations(work: UnitOfWork) -> list[Facility]:
    query = select(Facility).where(
        col(Facility.kind) == FacilityKind.STATION, col(Facility.is_active)
    )
    return list((await work.session.exec(query.order_by(col(Facility.folded_name)))).all())
