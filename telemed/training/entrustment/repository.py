"""Queries of entrustment and of what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import col, select

from telemed.accounts.models import Person, PersonState
from telemed.accounts.permissions import Actor
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.text import fold
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level, RowState
from telemed.training.entrustment.levels import Basis
from telemed.training.entrustment.models import Entrustment, EntrustmentEvidence
from telemed.training.models import TransferLog, TransferMember, TransferPart
from telemed.training.repository import sees_station


def technique_key(code: str, name: str) -> str:
    """What makes two entries the same technique: the code, or the name without signs."""
    return code or fold(name)


@dataclass(frozen=True)
class Technique:
    """A technique by its code in the national list, or by name alone."""

    code: str
    name: str

    @property
    def key(self) -> str:
        """What makes two entries the same technique."""
        return technique_key(self.code, self.name)


async def get_station(work: UnitOfWork, actor: Actor, station_id: int) -> Facility:
    """A station whose levels the actor may see. Raises Missing."""
    station = await work.session.get(Facility, station_id)
    if station is None or station.kind is not FacilityKind.STATION:
        raise Missing
    if not sees_station(actor, station_id):
        raise Missing
    return station


async def get_person(work: UnitOfWork, actor: Actor, uid: str) -> tuple[Person, Facility]:
    """Somebody of a station and the station, as far as the actor may know. Raises Missing."""
    query = (
        select(Person, Facility)
        .join(Facility, col(Facility.id) == col(Person.facility_id))
        .where(col(Person.uid) == uid, col(Facility.kind) == FacilityKind.STATION)
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise Missing
    person, station = found
    if person.id != actor.id and not sees_station(actor, station.id or 0):
        raise Missing
    return person, station


async def list_staff(work: UnitOfWork, station_ids: Sequence[int]) -> list[Person]:
    """Active people of some stations, by given name."""
    query = select(Person).where(
        col(Person.facility_id).in_(station_ids), col(Person.state) == PersonState.ACTIVE
    )
    return list((await work.session.exec(query.order_by(col(Person.sort_key)))).all())


async def list_confirmed(work: UnitOfWork, person_id: int, key: str = "") -> list[CaseRow]:
    """Confirmed cases of somebody, of one technique where asked, newest first."""
    query = select(CaseRow).where(
        col(CaseRow.trainee_id) == person_id, col(CaseRow.state) == RowState.CONFIRMED
    )
    newest = query.order_by(col(CaseRow.performed_on).desc(), col(CaseRow.id).desc())
    rows = (await work.session.exec(newest)).all()
    return [row for row in rows if not key or key == key_of(row)]


def key_of(row: CaseRow | TransferLog) -> str:
    """Which technique a case or a session was about."""
    return technique_key(row.technique_code, row.technique_name)


def count_levels(rows: Sequence[CaseRow]) -> Mapping[Level, int]:
    """How many cases of each level, in the order of levels."""
    counted = Counter(row.level for row in rows)
    return {level: counted[level] for level in Level}


async def list_decisions(work: UnitOfWork, person_id: int, key: str = "") -> list[Entrustment]:
    """Decisions about somebody, of one technique where asked, newest first."""
    query = select(Entrustment).where(col(Entrustment.person_id) == person_id)
    if key:
        query = query.where(col(Entrustment.technique_key) == key)
    return list((await work.session.exec(query.order_by(col(Entrustment.id).desc()))).all())


async def list_evidence(work: UnitOfWork, entrustment_id: int) -> list[CaseRow]:
    """The cases that a decision rests on, oldest first."""
    query = (
        select(CaseRow)
        .join(EntrustmentEvidence, col(EntrustmentEvidence.case_row_id) == col(CaseRow.id))
        .where(col(EntrustmentEvidence.entrustment_id) == entrustment_id)
        .order_by(col(CaseRow.performed_on), col(CaseRow.id))
    )
    return list((await work.session.exec(query)).all())


async def list_current(
    work: UnitOfWork, station_id: int, key: str, today: date
) -> list[tuple[Entrustment, Person]]:
    """What holds today at a station for a technique, by given name."""
    query = (
        select(Entrustment, Person)
        .join(Person, col(Person.id) == col(Entrustment.person_id))
        .where(
            col(Entrustment.station_id) == station_id,
            col(Entrustment.technique_key) == key,
            col(Entrustment.basis) == Basis.SUMMATIVE,
            col(Entrustment.is_current),
            col(Entrustment.expires_on) >= today,
            col(Person.facility_id) == station_id,
            col(Person.state) == PersonState.ACTIVE,
        )
        .order_by(col(Person.sort_key))
    )
    return [(made, person) for made, person in (await work.session.exec(query)).all()]


async def who_taught(work: UnitOfWork, station_id: int, key: str) -> set[int]:
    """Whoever taught a technique at a station, in sessions or over cases."""
    rows = select(CaseRow).where(
        col(CaseRow.station_id) == station_id, col(CaseRow.technique_code).in_(("", key))
    )
    found = {row.trainer_id for row in (await work.session.exec(rows)).all() if key_of(row) == key}
    taught = (
        select(TransferLog, TransferMember.person_id)
        .join(TransferMember, col(TransferMember.log_id) == col(TransferLog.id))
        .where(
            col(TransferLog.station_id) == station_id,
            col(TransferLog.technique_code).in_(("", key)),
            col(TransferMember.part) == TransferPart.TRAINER,
        )
    )
    for log, person_id in (await work.session.exec(taught)).all():
        if key_of(log) == key:
            found.add(person_id)
    return found


async def list_techniques(work: UnitOfWork, station_id: int) -> list[Technique]:
    """What has been practised at a station, by name."""
    query = select(CaseRow.technique_code, CaseRow.technique_name).where(
        col(CaseRow.station_id) == station_id, col(CaseRow.state) == RowState.CONFIRMED
    )
    found: dict[str, Technique] = {}
    for code, name in (await work.session.exec(query.distinct())).all():
        technique = Technique(code, name)
        found.setdefault(technique.key, technique)
    return sorted(found.values(), key=lambda each: (each.name, each.code))


async def names_of(work: UnitOfWork, ids: set[int | None]) -> Mapping[int, str]:
    """People as they are addressed."""
    query = select(Person).where(col(Person.id).in_(ids - {None}))
    return {
        person.id or 0: f"{person.title} {person.full_name}".strip()
        for person in (await work.session.exec(query)).all()
    }
