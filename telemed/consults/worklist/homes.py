"""The first page of each role: what waits for this person, the most pressing first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.consults import repository
from telemed.consults.lifecycle import OPEN, OVER, UNCLAIMED, UNDER_WAY, WAITING, ConsultState
from telemed.consults.worklist import lists
from telemed.consults.worklist.rows import CaseRow, Cursor, TriageRow
from telemed.consults.worklist.steps import (
    WAITS_FOR_SPECIALIST,
    WAITS_FOR_STATION,
    Side,
    Step,
    step_of,
)
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Specialty

PRESSING_LIMIT = 50
_SPECIALIST_OPEN = UNDER_WAY | {ConsultState.ANSWERED}


class Shelf(StrEnum):
    """Which cases of one's own are listed."""

    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True)
class HomeCase:
    """A case with what is to be done about it."""

    row: CaseRow
    step: Step


@dataclass(frozen=True)
class Desk:
    """The cases of a station or of a specialist."""

    side: Side
    shelf: Shelf
    next: HomeCase | None
    cases: Sequence[HomeCase]
    open_count: int
    older: str


@dataclass(frozen=True)
class Waiting:
    """What waits in the queues of a specialist."""

    count: int
    first: TriageRow | None


@dataclass(frozen=True)
class QueueLoad:
    """How a specialty stands, without a word about anybody."""

    specialty: Specialty
    waiting: int
    overdue: int
    under_way: int


@dataclass(frozen=True)
class Home:
    """The parts that this person's roles have."""

    station: Desk | None = None
    specialist: Desk | None = None
    waiting: Waiting | None = None
    load: Sequence[QueueLoad] | None = None


async def open_home(
    work: UnitOfWork,
    actor: Actor,
    *,
    shelf: Shelf = Shelf.OPEN,
    side: Side = Side.STATION,
    after: str = "",
) -> Home:
    """Everything on the first page; what was listed is on record.

    Whoever works on both sides has two desks; `after` turns the pages of the one named by `side`.
    """
    require(actor, Action.HOME)
    is_specialist = actor.has(Role.SPECIALIST)
    turned = side if actor.station_ids else Side.SPECIALIST
    places = {turned: Cursor.read(after)}
    station, specialist = places.get(Side.STATION), places.get(Side.SPECIALIST)
    return Home(
        station=await _station(work, actor, shelf, station) if actor.station_ids else None,
        specialist=await _specialist(work, actor, shelf, specialist) if is_specialist else None,
        waiting=await _waiting(work, actor) if is_specialist else None,
        load=await _load(work) if actor.has(Role.COORDINATOR) else None,
    )


async def _station(work: UnitOfWork, actor: Actor, shelf: Shelf, after: Cursor | None) -> Desk:
    states = OPEN if shelf is Shelf.OPEN else OVER
    limit = lists.PAGE_SIZE + 1
    rows = await lists.list_of_stations(work, actor, states, after=after, limit=limit)
    pressing = await lists.list_of_stations(work, actor, WAITS_FOR_STATION, limit=PRESSING_LIMIT)
    count = await lists.count_of_stations(work, actor, OPEN)
    return _desk(work, actor, Side.STATION, shelf, rows=rows, pressing=pressing, count=count)


async def _specialist(work: UnitOfWork, actor: Actor, shelf: Shelf, after: Cursor | None) -> Desk:
    states = _SPECIALIST_OPEN if shelf is Shelf.OPEN else OVER
    limit = lists.PAGE_SIZE + 1
    rows = await lists.list_assigned(work, actor, states, after=after, limit=limit)
    pressing = await lists.list_assigned(work, actor, WAITS_FOR_SPECIALIST, limit=PRESSING_LIMIT)
    count = await lists.count_assigned(work, actor, _SPECIALIST_OPEN)
    return _desk(work, actor, Side.SPECIALIST, shelf, rows=rows, pressing=pressing, count=count)


def _desk(
    work: UnitOfWork,
    actor: Actor,
    side: Side,
    shelf: Shelf,
    *,
    rows: list[CaseRow],
    pressing: Collection[CaseRow],
    count: int,
) -> Desk:
    shown = rows[: lists.PAGE_SIZE]
    cases = [HomeCase(row, step_of(row.state, side)) for row in shown]
    candidates = [HomeCase(row, step_of(row.state, side)) for row in pressing]
    uids = [row.uid for row in shown]
    if uids:
        work.audit(AuditTag.CONSULT_LIST, actor, "home", side=side.value, cases=uids)
    return Desk(
        side=side,
        shelf=shelf,
        next=min(candidates, key=_pressure, default=None),
        cases=cases,
        open_count=count,
        older=str(Cursor.of(shown[-1])) if len(rows) > len(shown) else "",
    )


def _pressure(case: HomeCase) -> tuple[int, int, str]:
    """Urgency first, then who is kept waiting the hardest, then for how long."""
    since = case.row.state_at.isoformat() if case.row.state_at else ""
    return case.row.rank, case.step.order, since


async def _waiting(work: UnitOfWork, actor: Actor) -> Waiting:
    counts = (await lists.count_by_specialty(work, actor, WAITING))[ConsultState.REQUESTED]
    first = await lists.list_triage(work, actor, WAITING, limit=1)
    if first:
        work.audit(AuditTag.CONSULT_TRIAGE, actor, "home", cases=[first[0].uid])
    return Waiting(sum(counts.values()), first[0] if first else None)


async def _load(work: UnitOfWork) -> list[QueueLoad]:
    counts = await lists.count_by_specialty(work, None, UNCLAIMED | UNDER_WAY)
    overdue = await lists.count_overdue(work, WAITING)

    def total(specialty: Specialty, states: Collection[ConsultState]) -> int:
        return sum(counts[state].get(specialty.id or 0, 0) for state in states)

    return [
        QueueLoad(
            specialty,
            total(specialty, UNCLAIMED),
            overdue.get(specialty.id or 0, 0),
            total(specialty, UNDER_WAY),
        )
        for specialty in await repository.list_specialties(work)
    ]
