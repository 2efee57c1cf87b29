"""Lists of consults, page by page, each for the actor who asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import OVER, ConsultState
from telemed.consults.models import Consult, ConsultQuestion, Message, ReadMark
from telemed.consults.repository import select_columns
from telemed.consults.service import within_access
from telemed.consults.worklist.rows import CaseRow, Cursor, QueueRow, TriageRow
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Commune, Facility, Specialty
from telemed.patients.birth import Birth, age_on
from telemed.patients.models import Patient
from telemed.patients.service import local_today

PAGE_SIZE = 20
# Every station is called by its commune.
_PLACE = func.coalesce(Commune.name, Facility.name)
_BY_CLOCK = (col(Consult.rank), col(Consult.due_at), col(Consult.id))
# Built once: what a request adds is who asks, for what, from where on.
_FIRST_QUESTION = (
    select(ConsultQuestion.text)
    .where(col(ConsultQuestion.consult_id) == Consult.id, col(ConsultQuestion.number) == 1)
    .scalar_subquery()
)
_TRIAGE = (
    select_columns(
        Consult.id,
        Consult.uid,
        Consult.state,
        Consult.urgency,
        Consult.rank,
        Consult.due_at,
        Consult.requested_at,
        _PLACE,
        Specialty.name,
        Consult.named_id,
        Patient.sex,
        Patient.birth_year,
        Patient.birth_date,
        _FIRST_QUESTION,
    )
    .join(Facility, col(Facility.id) == Consult.station_id)
    .join(Commune, col(Commune.code) == Facility.commune_code, isouter=True)
    .join(Specialty, col(Specialty.id) == Consult.specialty_id)
    .join(Patient, col(Patient.id) == Consult.patient_id)
)
_QUEUE = (
    select_columns(
        Consult.id,
        Consult.uid,
        Consult.number,
        Consult.state,
        Consult.urgency,
        Consult.rank,
        Consult.due_at,
        Consult.requested_at,
        _PLACE,
        Specialty.name,
        func.coalesce(Person.full_name, ""),
        Consult.is_outside_contract,
    )
    .join(Facility, col(Facility.id) == Consult.station_id)
    .join(Commune, col(Commune.code) == Facility.commune_code, isouter=True)
    .join(Specialty, col(Specialty.id) == Consult.specialty_id)
    .join(Person, col(Person.id) == Consult.assigned_id, isouter=True)
)
_CASES = (
    select_columns(
        Consult.id,
        Consult.uid,
        func.coalesce(Consult.number, ""),
        Consult.state,
        Consult.urgency,
        Consult.rank,
        Consult.due_at,
        Consult.requested_at,
        Consult.state_at,
        Consult.state_reason,
        Consult.answered_at,
        Consult.closed_at,
        _PLACE,
        func.coalesce(Specialty.name, ""),
        func.coalesce(Person.full_name, ""),
        Patient.full_name,
        Patient.sex,
        Patient.birth_year,
        Patient.birth_date,
        Consult.reason,
    )
    .join(Facility, col(Facility.id) == Consult.station_id)
    .join(Commune, col(Commune.code) == Facility.commune_code, isouter=True)
    .join(Patient, col(Patient.id) == Consult.patient_id)
    .join(Specialty, col(Specialty.id) == Consult.specialty_id, isouter=True)
    .join(Person, col(Person.id) == Consult.assigned_id, isouter=True)
)


def _in_queue(actor: Actor) -> ColumnElement[bool]:
    """Whose specialty is asked, or who is asked by name; the same rule as permissions have it."""
    named = col(Consult.named_id) == actor.id
    if not actor.specialty_ids:
        return named
    return or_(col(Consult.specialty_id).in_(actor.specialty_ids), named)


def _beyond(after: Cursor | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    rank, due, row_id = col(Consult.rank), col(Consult.due_at), col(Consult.id)
    if after.due_at is None:
        return [or_(rank > after.rank, and_(rank == after.rank, row_id > after.id))]
    later = or_(due > after.due_at, and_(due == after.due_at, row_id > after.id))
    return [or_(rank > after.rank, and_(rank == after.rank, later))]


async def list_triage(
    work: UnitOfWork,
    actor: Actor,
    states: Collection[ConsultState],
    *,
    specialty_id: int | None = None,
    uid: str | None = None,
    after: Cursor | None = None,
    limit: int = PAGE_SIZE,
) -> list[TriageRow]:
    """Cases that wait for the specialties of the actor: emergencies first, then who is due."""
    query = _TRIAGE.where(col(Consult.state).in_(states), _in_queue(actor), *_beyond(after))
    if specialty_id is not None:
        query = query.where(col(Consult.specialty_id) == specialty_id)
    if uid is not None:
        query = query.where(col(Consult.uid) == uid)
    rows: Sequence[Any] = (await work.session.exec(query.order_by(*_BY_CLOCK).limit(limit))).all()
    today = local_today(work)
    return [
        TriageRow(
            *[
                *row[:9],
                row[9] == actor.id,
                row[10],
                age_on(Birth(*row[11:13]), today),
                row[13] or "",
            ]
        )
        for row in rows
    ]


async def list_queue(
    work: UnitOfWork,
    states: Collection[ConsultState],
    *,
    specialty_id: int | None = None,
    uid: str | None = None,
    after: Cursor | None = None,
    limit: int = PAGE_SIZE,
) -> list[QueueRow]:
    """Cases of the whole hospital as a coordinator sees them."""
    query = _QUEUE.where(
        col(Consult.state).in_(states), col(Consult.requested_at).is_not(None), *_beyond(after)
    )
    if specialty_id is not None:
        query = query.where(col(Consult.specialty_id) == specialty_id)
    if uid is not None:
        query = query.where(col(Consult.uid) == uid)
    rows = (await work.session.exec(query.order_by(*_BY_CLOCK).limit(limit))).all()
    return [QueueRow(*row) for row in rows]


async def list_assigned(
    work: UnitOfWork,
    actor: Actor,
    states: Collection[ConsultState],
    *,
    uid: str | None = None,
    after: Cursor | None = None,
    limit: int = PAGE_SIZE,
) -> list[CaseRow]:
    """Cases in the hands of the actor that they may still open; what is over, newest first."""
    scope = [col(Consult.assigned_id) == actor.id, within_access(work)]
    if uid is not None:
        scope.append(col(Consult.uid) == uid)
    return await _list_cases(work, actor, states, scope, after=after, limit=limit)


async def list_of_stations(
    work: UnitOfWork,
    actor: Actor,
    states: Collection[ConsultState],
    *,
    after: Cursor | None = None,
    limit: int = PAGE_SIZE,
) -> list[CaseRow]:
    """Cases of the stations that the actor works at."""
    scope = [col(Consult.station_id).in_(actor.station_ids)]
    return await _list_cases(work, actor, states, scope, after=after, limit=limit)


async def list_of_patient(work: UnitOfWork, actor: Actor, patient_id: int) -> list[CaseRow]:
    """Consults of one patient that the actor may open, newest first."""
    open_to_specialist = and_(col(Consult.assigned_id) == actor.id, within_access(work))
    mine = or_(col(Consult.station_id).in_(actor.station_ids), open_to_specialist)
    scope = [col(Consult.patient_id) == patient_id, mine]
    rows = await _list_cases(work, actor, frozenset(ConsultState), scope, after=None, limit=200)
    return sorted(rows, key=lambda row: -row.id)


async def _list_cases(
    work: UnitOfWork,
    actor: Actor,
    states: Collection[ConsultState],
    scope: Sequence[ColumnElement[bool]],
    *,
    after: Cursor | None,
    limit: int,
) -> list[CaseRow]:
    """What is open goes by urgency, what is over by age: both walk an index."""
    is_past = not set(states) - OVER - {ConsultState.ANSWERED}
    order = [col(Consult.id).desc()] if is_past else [col(Consult.rank), col(Consult.id)]
    query = _CASES.where(col(Consult.state).in_(states), *scope)
    if after and is_past:
        query = query.where(col(Consult.id) < after.id)
    elif after:
        query = query.where(*_beyond(replace(after, due_at=None)))
    rows: Sequence[Any] = (await work.session.exec(query.order_by(*order).limit(limit))).all()
    unread = await count_unread(work, actor, [row[0] for row in rows])
    return [
        CaseRow(*[*row[:17], Birth(*row[17:19]), row[19], unread.get(row[0], 0)]) for row in rows
    ]


async def count_unread(
    work: UnitOfWork, actor: Actor, consult_ids: Collection[int]
) -> dict[int, int]:
    """Messages of others that the actor has not seen, by consult; those without any are absent."""
    if not consult_ids:
        return {}
    mark = (
        select(ReadMark.message_id)
        .where(col(ReadMark.consult_id) == Message.consult_id, col(ReadMark.person_id) == actor.id)
        .correlate(Message)
        .scalar_subquery()
    )
    query = (
        select(Message.consult_id, func.count())
        .where(
            col(Message.consult_id).in_(consult_ids),
            col(Message.author_id) != actor.id,
            col(Message.id) > func.coalesce(mark, 0),
        )
        .group_by(col(Message.consult_id))
    )
    return {row[0]: row[1] for row in (await work.session.exec(query)).all()}


async def count_by_specialty(
    work: UnitOfWork, actor: Actor | None, states: Collection[ConsultState]
) -> dict[ConsultState, dict[int, int]]:
    """How many there are by state and specialty, in the queues of the actor or of everybody."""
    query = select(Consult.state, Consult.specialty_id, func.count())
    query = query.where(col(Consult.state).in_(states))
    if actor is not None:
        query = query.where(_in_queue(actor))
    grouped = query.group_by(col(Consult.state), col(Consult.specialty_id))
    counts: dict[ConsultState, dict[int, int]] = {state: {} for state in states}
    for state, specialty_id, count in (await work.session.exec(grouped)).all():
        if specialty_id is not None:
            counts[ConsultState(state)][specialty_id] = count
    return counts


async def count_assigned(work: UnitOfWork, actor: Actor, states: Collection[ConsultState]) -> int:
    """How many cases the actor has in hand."""
    query = select(func.count()).where(
        col(Consult.assigned_id) == actor.id, col(Consult.state).in_(states)
    )
    return (await work.session.exec(query)).one()


async def count_of_stations(
    work: UnitOfWork, actor: Actor, states: Collection[ConsultState]
) -> int:
    """How many cases the actor's stations have in these states."""
    query = select(func.count()).where(
        col(Consult.station_id).in_(actor.station_ids), col(Consult.state).in_(states)
    )
    return (await work.session.exec(query)).one()


async def count_overdue(work: UnitOfWork, states: Collection[ConsultState]) -> dict[int, int]:
    """How many are past their time, by specialty."""
    query = (
        select(Consult.specialty_id, func.count())
        .where(col(Consult.state).in_(states), col(Consult.due_at) < work.now())
        .group_by(col(Consult.specialty_id))
    )
    rows = (await work.session.exec(query)).all()
    return {row[0]: row[1] for row in rows if row[0] is not None}
