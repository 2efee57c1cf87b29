"""A request climbs until somebody takes it: each step told once, seen or climbed from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.consults.clocks import response_limits
from telemed.consults.lifecycle import WAITING
from telemed.consults.models import Consult, Urgency
from telemed.consults.service import WATCH_JOB, get_case
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Missing
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import MOST_TOGETHER, Job, Plan, enqueue_all
from telemed.facilities.models import Facility, Specialty
from telemed.notices.service import Reached, list_reached
from telemed.scheduling.duty.models import DutyRank
from telemed.scheduling.duty.roster import FOR_ALL, Colleague, Roster, on_duty
from telemed.scheduling.escalation.models import EscalationStep
from telemed.scheduling.escalation.rungs import Place, Rung, climbs_at, ladder, next_place
from telemed.scheduling.escalation.telling import Rise, key_of, list_colleagues, tell

SEEN = "escalation_seen"
MOST_ALERTS = 10


@dataclass(frozen=True)
class Step:
    """Who was told when, and whether they have seen it; `climbs_at` while it is the last one."""

    rung: Rung
    who: Colleague | None
    told_at: datetime
    seen_at: datetime | None
    seen_by: str
    climbs_at: datetime | None
    reached: Reached | None = None


@dataclass(frozen=True)
class Alert:
    """A request that waits for whoever reads this, without a word about the patient.

    Pages ask for it all day long: it goes into no record.
    """

    uid: str
    urgency: Urgency
    specialty: str
    station: str
    since: datetime


@dataclass(frozen=True)
class Ladder:
    """How far a request has climbed; `is_mine` when the reader was told last and has not answered."""

    steps: Sequence[Step]
    coordinator: Colleague | None
    is_mine: bool


async def watch(work: UnitOfWork, payloads: Sequence[dict[str, Any]]) -> None:
    """Jobs `consult.watch`: tell whoever is next, or wait until it is time; nothing once it is taken."""
    anew = {str(payload["uid"]): bool(payload["anew"]) for payload in payloads}
    waiting = await _lock_waiting(work, list(anew))
    if not waiting:
        return
    limits, roster = await response_limits(work), await on_duty(work)
    rounds = await _list_rounds(work, [consult.id or 0 for consult in waiting])
    plans, news = list[Plan](), list[Rise]()
    for consult in waiting:
        assert consult.urgency
        limit = limits[consult.urgency]
        steps = rounds.get(consult.id or 0, [])
        number = steps[-1].round if steps else 0
        if anew[consult.uid] or not steps:
            number, steps = number + 1, []
        elif (due_at := _climbs_at(steps[-1], consult, limit)) > work.now():
            plans.append(_look_again(consult, due_at))
            continue
        told = [Place(step.rung, step.person_id) for step in steps]
        place = next_place(_places(roster, consult), told)
        if place is None:
            continue
        news.append(Rise(consult, place, number))
        if place.rung is not Rung.COORDINATOR:
            plans.append(_look_again(consult, work.now() + limit))
    await tell(work, news)
    await enqueue_all(work, WATCH_JOB, plans)


async def plan_watches(work: UnitOfWork) -> None:
    """Watch over every request that waits and that nothing watches over."""
    is_watched = exists().where(col(Job.kind) == WATCH_JOB, col(Job.key) == col(Consult.uid))
    query = select(Consult.uid).where(col(Consult.state).in_(WAITING), ~is_watched)
    plans = [
        Plan(uid, work.now(), {"uid": uid, "anew": False})
        for uid in (await work.session.exec(query)).all()
    ]
    for start in range(0, len(plans), MOST_TOGETHER):
        await enqueue_all(work, WATCH_JOB, plans[start : start + MOST_TOGETHER])


async def see(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Whoever was told last has seen it and looks after it; they have the time once more.

    Raises Missing for whom it was not told, Conflict when it waits no more.
    """
    consult = await get_case(work, actor, uid, Action.CONSULT_TRIAGE, lock=True)
    if consult.state not in WAITING or consult.urgency is None:
        raise Conflict("not_waiting", N_("Ca này không còn chờ nhận"))
    steps = await _list_steps(work, consult)
    if not steps or not _is_for(steps[-1], actor, consult):
        raise Missing
    last = steps[-1]
    if last.seen_at is not None:
        return
    last.seen_at, last.seen_by_id = work.now(), actor.id
    work.session.add(last)
    await append_event(work, stream_of("consult", consult.uid), SEEN, actor.id)
    if last.rung is not Rung.COORDINATOR:
        limit = (await response_limits(work))[consult.urgency]
        await enqueue_all(work, WATCH_JOB, [_look_again(consult, work.now() + limit)])


async def read_ladder(work: UnitOfWork, actor: Actor, consult_uid: str) -> Ladder | None:
    """How far a request that waits has climbed; the caller has let the actor in.

    None when it does not wait, or when nobody has been told yet.
    """
    query = select(Consult).where(col(Consult.uid) == consult_uid)
    consult = (await work.session.exec(query)).one_or_none()
    if consult is None or consult.state not in WAITING or consult.urgency is None:
        return None
    found = await _list_steps(work, consult)
    if not found:
        return None
    limit = (await response_limits(work))[consult.urgency]
    about = stream_of("consult", consult.uid)
    reached = await list_reached(work, about)
    people = await list_colleagues(
        work, {step.person_id for step in found} | {found[-1].seen_by_id}
    )
    steps = [
        Step(
            rung=step.rung,
            who=people.get(step.person_id or 0),
            told_at=step.told_at,
            seen_at=step.seen_at,
            seen_by=people[step.seen_by_id].name if step.seen_by_id in people else "",
            climbs_at=_climbs_at(step, consult, limit)
            if step is found[-1] and step.rung is not Rung.COORDINATOR
            else None,
            reached=reached.get((step.person_id or 0, key_of(about, step.round, step.rung))),
        )
        for step in found
    ]
    is_mine = found[-1].seen_at is None and _is_for(found[-1], actor, consult)
    return Ladder(steps, _coordinator(await on_duty(work)), is_mine)


async def list_alerts(work: UnitOfWork, actor: Actor) -> list[Alert]:
    """What the actor was told last and has not answered, the most urgent first."""
    require(actor, Action.CONSULT_TRIAGE)
    later = aliased(EscalationStep)
    is_last = ~exists().where(
        col(later.consult_id) == col(EscalationStep.consult_id),
        col(later.id) > col(EscalationStep.id),
    )
    to_all = col(EscalationStep.person_id).is_(None)
    rung = col(EscalationStep.rung)
    mine = [col(EscalationStep.person_id) == actor.id]
    if actor.has(Role.SPECIALIST):
        own = col(Consult.specialty_id).in_(actor.specialty_ids)
        mine.append(and_(to_all, rung == Rung.SPECIALTY, own))
    if actor.has(Role.COORDINATOR):
        mine.append(and_(to_all, rung == Rung.COORDINATOR))
    query = (
        select(Consult, Specialty.name, Facility.name)
        .join(EscalationStep, col(EscalationStep.consult_id) == col(Consult.id))
        .join(Specialty, col(Specialty.id) == col(Consult.specialty_id))
        .join(Facility, col(Facility.id) == col(Consult.station_id))
        .where(
            col(Consult.state).in_(WAITING),
            col(EscalationStep.seen_at).is_(None),
            is_last,
            or_(*mine),
        )
        .order_by(col(Consult.rank), col(Consult.requested_at))
        .limit(MOST_ALERTS)
    )
    rows = (await work.session.exec(query)).all()
    return [
        Alert(consult.uid, consult.urgency, specialty, station, consult.requested_at)
        for consult, specialty, station in rows
        if consult.urgency and consult.requested_at
    ]


def _climbs_at(step: EscalationStep, consult: Consult, limit: timedelta) -> datetime:
    since = consult.state_at or step.told_at
    return climbs_at(step.told_at, step.seen_at, since, limit)


def _is_for(step: EscalationStep, actor: Actor, consult: Consult) -> bool:
    if step.person_id is not None:
        return step.person_id == actor.id
    if step.rung is Rung.COORDINATOR:
        return actor.has(Role.COORDINATOR)
    return actor.has(Role.SPECIALIST) and consult.specialty_id in actor.specialty_ids


def _look_again(consult: Consult, at: datetime) -> Plan:
    return Plan(consult.uid, at, {"uid": consult.uid, "anew": False})


async def _lock_waiting(work: UnitOfWork, uids: Collection[str]) -> list[Consult]:
    """Requests that wait still; nobody else writes about them until the transaction ends."""
    query = select(Consult).where(
        col(Consult.uid).in_(uids),
        col(Consult.state).in_(WAITING),
        col(Consult.urgency).is_not(None),
    )
    ordered = query.order_by(col(Consult.id)).with_for_update()
    return list((await work.session.exec(ordered.execution_options(populate_existing=True))).all())


async def _list_steps(work: UnitOfWork, consult: Consult) -> list[EscalationStep]:
    return (await _list_rounds(work, [consult.id or 0])).get(consult.id or 0, [])


async def _list_rounds(
    work: UnitOfWork, consult_ids: Collection[int]
) -> dict[int, list[EscalationStep]]:
    """The steps of the last round of each case, in their order."""
    query = select(EscalationStep).where(col(EscalationStep.consult_id).in_(consult_ids))
    rounds = dict[int, list[EscalationStep]]()
    for row in (await work.session.exec(query.order_by(col(EscalationStep.id)))).all():
        steps = rounds.setdefault(row.consult_id, [])
        if steps and steps[-1].round != row.round:
            steps.clear()
        steps.append(row)
    return rounds


def _places(found: Roster, consult: Consult) -> list[Place]:
    (day,) = found.days
    mine = next((line for line in found.lines if line.specialty_id == consult.specialty_id), None)
    first = found.who(day, mine, DutyRank.FIRST) if mine else None
    second = found.who(day, mine, DutyRank.SECOND) if mine else None
    coordinator = _coordinator(found)
    return ladder(
        named=consult.named_id,
        first=first.id if first else None,
        second=second.id if second else None,
        coordinator=coordinator.id if coordinator else None,
    )


def _coordinator(found: Roster) -> Colleague | None:
    for_all = next(line for line in found.lines if line.code == FOR_ALL)
    return found.who(found.days[0], for_all, DutyRank.COORDINATOR)
