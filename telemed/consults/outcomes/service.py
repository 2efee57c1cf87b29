"""Telling what became of a patient, reading it, and the list of what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import and_, func, or_, update
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, may, require
from telemed.consults.models import Consult
from telemed.consults.outcomes.models import FollowUp, Outcome
from telemed.consults.outcomes.planning import REMIND_JOB
from telemed.consults.outcomes.rules import FINAL, PatientStatus, TransferResult, check
from telemed.consults.service import facts_of, get_case
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import cancel as cancel_job
from telemed.core.text import clean_text
from telemed.facilities.models import Facility
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify
from telemed.patients.models import Patient

PAGE: Final = 40
RECORDED: Final = "outcome_recorded"


@dataclass(frozen=True)
class Told:
    """An outcome as those of the case read it."""

    outcome: Outcome
    by: str


@dataclass(frozen=True)
class CaseLoop:
    """What is due in a case, and what was told. `may_record` for people of its station."""

    consult: Consult
    patient: Patient
    due: Sequence[FollowUp]
    told: Sequence[Told]
    may_record: bool


@dataclass(frozen=True)
class OpenLoop:
    """A day that is due, without a word from the station.

    A specialist whose days of access are over reads neither name nor case.
    """

    follow_up: FollowUp
    consult: Consult
    patient_name: str
    station: str
    specialist: str
    may_read: bool


@dataclass(frozen=True)
class OpenLoops:
    """A page of what is open, the longest due first; `after` asks for the next."""

    rows: Sequence[OpenLoop]
    due: int
    after: str


@dataclass(frozen=True)
class StationLoops:
    """How one station keeps up, without a patient."""

    station: str
    due: int
    overdue: int
    told: int


@dataclass(frozen=True)
class Feedback:
    """What became of a patient whom the reader advised on."""

    outcome: Outcome
    number: str
    station: str
    diagnosis: str


async def open_loop(work: UnitOfWork, actor: Actor, uid: str) -> CaseLoop:
    """The loop of a case that the actor may read; the specialist has seen it from now on."""
    consult = await get_case(work, actor, uid, Action.CONSULT_READ)
    work.audit(
        AuditTag.CONSULT_READ,
        actor,
        stream_of("consult", uid),
        patient_id=consult.patient_id,
        what="outcome",
    )
    if consult.assigned_id == actor.id:
        await _see(work, actor, consult)
    return await read_loop(work, actor, consult)


async def read_loop(work: UnitOfWork, actor: Actor, consult: Consult) -> CaseLoop:
    """The same for a caller that has let the actor in."""
    due = select(FollowUp).where(
        col(FollowUp.consult_id) == consult.id, col(FollowUp.done_at).is_(None)
    )
    told = (
        select(Outcome, Person.full_name)
        .join(Person, col(Person.id) == col(Outcome.recorded_by_id))
        .where(col(Outcome.consult_id) == consult.id)
    )
    return CaseLoop(
        consult,
        await work.session.get_one(Patient, consult.patient_id),
        (await work.session.exec(due.order_by(col(FollowUp.due_on)))).all(),
        [Told(*row) for row in (await work.session.exec(told.order_by(col(Outcome.id)))).all()],
        may_record=consult.closed_at is not None and consult.station_id in actor.station_ids,
    )


async def _see(work: UnitOfWork, actor: Actor, consult: Consult | None = None) -> None:
    seen = update(Outcome).where(
        col(Outcome.specialist_id) == actor.id, col(Outcome.seen_at).is_(None)
    )
    if consult is not None:
        seen = seen.where(col(Outcome.consult_id) == consult.id)
    await work.session.exec(
        seen.values(seen_at=work.now()).execution_options(synchronize_session=False)
    )


async def record(
    work: UnitOfWork,
    actor: Actor,
    uid: str,
    *,
    status: PatientStatus,
    transfer: TransferResult,
    observed_on: date,
    note: str,
) -> Outcome:
    """Tell what became of the patient; what was due by today is done, after a final word all is.

    Raises Missing, Conflict (not closed yet), Invalid.
    """
    consult = await get_case(work, actor, uid, Action.OUTCOME_WRITE, lock=True)
    if consult.closed_at is None or consult.requested_at is None:
        raise Conflict("not_closed", N_("Ca chưa kết thúc nên chưa ghi kết quả được"))
    today = work.now().astimezone(LOCAL_ZONE).date()
    asked_on = consult.requested_at.astimezone(LOCAL_ZONE).date()
    check(status, transfer, observed_on, asked_on=asked_on, today=today)
    row = Outcome(
        consult_id=consult.id or 0,
        specialist_id=consult.assigned_id,
        observed_on=observed_on,
        status=status,
        transfer=transfer,
        note=clean_text(note),
        recorded_by_id=actor.id,
        recorded_at=work.now(),
    )
    work.session.add(row)
    await _finish(work, consult, None if status in FINAL else today)
    stream = stream_of("consult", consult.uid)
    await append_event(work, stream, RECORDED, actor.id, status=status.value)
    work.audit(AuditTag.OUTCOME_RECORD, actor, stream, patient_id=consult.patient_id)
    if consult.assigned_id:
        news = News(
            NoticeKind.OUTCOME_RECORDED, {consult.assigned_id}, f"outcome:{row.uid}", stream
        )
        await notify(work, news)
    return row


async def _finish(work: UnitOfWork, consult: Consult, until: date | None) -> None:
    query = select(FollowUp).where(
        col(FollowUp.consult_id) == consult.id, col(FollowUp.done_at).is_(None)
    )
    rows = (await work.session.exec(query.order_by(col(FollowUp.due_on)))).all()
    # Whoever tells before the day has told what that day was for.
    done = [row for row in rows if until is None or row.due_on <= until] or list(rows[:1])
    for row in done:
        row.done_at = work.now()
        work.session.add(row)
        await cancel_job(work, REMIND_JOB, row.uid)


async def list_open(work: UnitOfWork, actor: Actor, *, after: str = "") -> OpenLoops:
    """What is due and not told: of the actor's station, and of cases that they answered."""
    require(actor, Action.OUTCOME_LIST)
    mine = or_(
        col(FollowUp.station_id).in_(actor.station_ids),
        col(FollowUp.specialist_id) == actor.id,
    )
    is_open = and_(mine, col(FollowUp.done_at).is_(None))
    query = (
        select_columns(
            FollowUp,
            Consult,
            col(Patient.full_name),
            col(Facility.name),
            col(Person.full_name),
        )
        .join(Consult, col(Consult.id) == col(FollowUp.consult_id))
        .join(Patient, col(Patient.id) == col(Consult.patient_id))
        .join(Facility, col(Facility.id) == col(FollowUp.station_id))
        .outerjoin(Person, col(Person.id) == col(FollowUp.specialist_id))
        .where(is_open)
    )
    if after:
        day, key = _cursor(after)
        query = query.where(
            or_(
                col(FollowUp.due_on) > day,
                and_(col(FollowUp.due_on) == day, col(FollowUp.id) > key),
            )
        )
    ordered = query.order_by(col(FollowUp.due_on), col(FollowUp.id)).limit(PAGE + 1)
    found = (await work.session.exec(ordered)).all()  # type: ignore[call-overload] # five columns
    shown = [_open_loop(work, actor, *row) for row in found[:PAGE]]
    if shown:
        uids = [row.consult.uid for row in shown]
        work.audit(AuditTag.CONSULT_LIST, actor, "outcomes", cases=uids)
    last = shown[-1].follow_up if len(found) > PAGE else None
    return OpenLoops(
        shown,
        await count_due(work, actor),
        f"{last.due_on.isoformat()}.{last.id}" if last else "",
    )


def _open_loop(  # noqa: PLR0917 # a row, and who reads it
    work: UnitOfWork,
    actor: Actor,
    follow_up: FollowUp,
    consult: Consult,
    name: str,
    station: str,
    specialist: str | None,
) -> OpenLoop:
    may_read = may(actor, Action.CONSULT_READ, facts_of(consult, work))
    shown = name if may_read else ""
    return OpenLoop(follow_up, consult, shown, station, specialist or "", may_read)


def _cursor(after: str) -> tuple[date, int]:
    day, _, key = after.partition(".")
    try:
        return date.fromisoformat(day), int(key)
    except ValueError:
        raise Invalid("page_unknown", N_("Chưa đúng dạng"), field="after") from None


async def count_due(work: UnitOfWork, actor: Actor) -> int:
    """How many days have come at the actor's station without a word."""
    if not actor.station_ids:
        return 0
    today = work.now().astimezone(LOCAL_ZONE).date()
    query = select(func.count()).where(
        col(FollowUp.station_id).in_(actor.station_ids),
        col(FollowUp.done_at).is_(None),
        col(FollowUp.due_on) <= today,
    )
    return (await work.session.exec(query)).one()


async def list_stations(work: UnitOfWork, actor: Actor) -> list[StationLoops]:
    """How every station keeps up, for coordinators: counts alone."""
    require(actor, Action.OUTCOME_LIST)
    if not actor.has(Role.COORDINATOR):
        return []
    today = work.now().astimezone(LOCAL_ZONE).date()
    is_due = col(FollowUp.due_on) <= today
    is_open = col(FollowUp.done_at).is_(None)
    query = (
        select(
            col(Facility.name),
            func.count().filter(is_due),
            func.count().filter(and_(is_due, is_open)),
            func.count().filter(~is_open),
        )
        .join(Facility, col(Facility.id) == col(FollowUp.station_id))
        .group_by(col(Facility.id), col(Facility.name))
        .order_by(func.count().filter(and_(is_due, is_open)).desc(), col(Facility.name))
    )
    return [StationLoops(*row) for row in (await work.session.exec(query)).all()]


async def read_feedback(work: UnitOfWork, actor: Actor) -> list[Feedback]:
    """What became of patients whom the actor advised on, newest first; seen from now on."""
    require(actor, Action.OUTCOME_LIST)
    query = (
        select_columns(
            Outcome,
            col(Consult.number),
            col(Facility.name),
            col(Consult.diagnosis),
            col(Consult.uid),
        )
        .join(Consult, col(Consult.id) == col(Outcome.consult_id))
        .join(Facility, col(Facility.id) == col(Consult.station_id))
        .where(col(Outcome.specialist_id) == actor.id)
        .order_by(col(Outcome.id).desc())
        .limit(PAGE)
    )
    rows = (await work.session.exec(query)).all()  # type: ignore[call-overload] # five columns
    if rows:
        uids = [row[4] for row in rows]
        work.audit(AuditTag.CONSULT_LIST, actor, "outcomes", cases=uids)
    found = [Feedback(row[0], row[1] or "", row[2], row[3]) for row in rows]
    await _see(work, actor)
    return found
