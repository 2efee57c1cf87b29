"""Queries of transfer logs, each for the actor who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, or_
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonRole, PersonState
from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.models import (
    TransferLog,
    TransferMember,
    TransferPart,
    TransferState,
)

PAGE = 30
# They look after every station; the others after their own.
OFFICES = (Role.TRAINER, Role.COORDINATOR, Role.SPECIALIST)


def sees_station(actor: Actor, station_id: int) -> bool:
    """Whether what the people of a station can do is the actor's business."""
    return actor.has(*OFFICES) or station_id in actor.station_ids


async def list_people(
    work: UnitOfWork, roles: Sequence[Role], *, facility_id: int | None = None
) -> list[Person]:
    """Active people who hold one of the roles, by given name."""
    holds = exists().where(
        col(PersonRole.person_id) == col(Person.id), col(PersonRole.role).in_(roles)
    )
    query = select(Person).where(holds, col(Person.state) == PersonState.ACTIVE)
    if facility_id is not None:
        query = query.where(col(Person.facility_id) == facility_id)
    return list((await work.session.exec(query.order_by(col(Person.sort_key)))).all())


async def find_log(work: UnitOfWork, uid: str, *, lock: bool = False) -> TransferLog | None:
    """The transfer log of this uid; locked until the transaction ends where asked."""
    query = select(TransferLog).where(col(TransferLog.uid) == uid)
    return (await work.session.exec(query.with_for_update() if lock else query)).one_or_none()


async def list_members(
    work: UnitOfWork, log_ids: Sequence[int]
) -> list[tuple[TransferMember, Person]]:
    """Trainers and trainees of some logs."""
    query = (
        select(TransferMember, Person)
        .join(Person, col(Person.id) == col(TransferMember.person_id))
        .where(col(TransferMember.log_id).in_(log_ids))
        .order_by(col(TransferMember.part).desc(), col(Person.sort_key))
    )
    return [(member, person) for member, person in (await work.session.exec(query)).all()]


def _visible(actor: Actor) -> ColumnElement[bool]:
    takes_part = exists().where(
        col(TransferMember.log_id) == col(TransferLog.id),
        col(TransferMember.person_id) == actor.id,
    )
    is_sent = col(TransferLog.state) != TransferState.DRAFT
    # Whoever taught signs first, so a draft is theirs as well.
    own = or_(col(TransferLog.author_id) == actor.id, _teaches(actor))
    if actor.has(Role.TRAINER, Role.COORDINATOR):
        return or_(own, is_sent)
    at_station = col(TransferLog.station_id).in_(actor.station_ids)
    return or_(own, is_sent & or_(takes_part, at_station))


@dataclass(frozen=True)
class LogFilter:
    """What a list of transfer logs is narrowed to; `words` are folded."""

    words: tuple[str, ...] = ()
    station_id: int | None = None
    technique_code: str = ""
    state: TransferState | None = None
    awaits_me: bool = False
    before: int | None = None


async def list_logs(
    work: UnitOfWork, actor: Actor, wanted: LogFilter
) -> list[tuple[TransferLog, Facility]]:
    """Logs the actor may see, newest first, at most PAGE + 1 (one more tells of a next page)."""
    query = (
        select(TransferLog, Facility)
        .join(Facility, col(Facility.id) == col(TransferLog.station_id))
        .where(_visible(actor))
    )
    for word in wanted.words:
        query = query.where(col(TransferLog.search_text).contains(word, autoescape=True))
    if wanted.station_id is not None:
        query = query.where(col(TransferLog.station_id) == wanted.station_id)
    if wanted.technique_code:
        query = query.where(col(TransferLog.technique_code) == wanted.technique_code)
    if wanted.state is not None:
        query = query.where(col(TransferLog.state) == wanted.state)
    if wanted.awaits_me:
        query = query.where(_awaits(actor))
    if wanted.before is not None:
        query = query.where(col(TransferLog.id) < wanted.before)
    newest = query.order_by(col(TransferLog.id).desc()).limit(PAGE + 1)
    return [(log, station) for log, station in (await work.session.exec(newest)).all()]


def _teaches(actor: Actor) -> ColumnElement[bool]:
    return exists().where(
        col(TransferMember.log_id) == col(TransferLog.id),
        col(TransferMember.person_id) == actor.id,
        col(TransferMember.part) == TransferPart.TRAINER,
    )


def _awaits(actor: Actor) -> ColumnElement[bool]:
    unsigned = exists().where(
        col(TransferMember.log_id) == col(TransferLog.id),
        col(TransferMember.person_id) == actor.id,
        col(TransferMember.signed_at).is_(None),
    )
    may_sign = or_(col(TransferLog.state) == TransferState.SUBMITTED, _teaches(actor))
    return unsigned & may_sign


async def station_trainees(work: UnitOfWork, station_id: int) -> list[Person]:
    """Active staff of a station, by given name."""
    query = select(Person).where(
        col(Person.facility_id) == station_id, col(Person.state) == PersonState.ACTIVE
    )
    return list((await work.session.exec(query.order_by(col(Person.sort_key)))).all())


def unsigned_parts(members: Sequence[tuple[TransferMember, Person]]) -> list[TransferPart]:
    """The parts whose signatures are still missing."""
    return [member.part for member, _ in members if member.signed_at is None]
