"""Queries over single consults and what belongs to them. Lists are in `rows.py`.

A row found by its id is no permission: `service.get_case` holds it against the actor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from telemed.accounts.models import Person, PersonRole, PersonSpecialty, PersonState
from telemed.accounts.permissions import Role
from telemed.consults.models import Consult, ConsultQuestion, Message, MessageKind, VitalSigns
from telemed.core.db import UnitOfWork
from telemed.core.text import given_name, initials
from telemed.facilities.models import Facility, Specialty

_CARD: tuple[Any, ...] = (
    Person.id,
    Person.uid,
    Person.full_name,
    Person.title,
    Person.facility_id,
)


@dataclass(frozen=True)
class PersonCard:
    """A colleague as pages name them."""

    id: int
    uid: str
    name: str
    title: str
    facility_id: int | None

    @property
    def given(self) -> str:
        """What colleagues call them by."""
        return given_name(self.name)

    @property
    def initials(self) -> str:
        """The letters beside their name."""
        return initials(self.name)

    @property
    def full_title(self) -> str:
        """Title and name, as under a letter."""
        return f"{self.title} {self.name}".strip()


def select_columns(*columns: Any) -> Select[*tuple[Any, ...]]:
    """A select of more columns than the typed one takes."""
    first, second, *rest = columns
    return select(first, second, *rest)


async def find_consult(work: UnitOfWork, uid: str, *, lock: bool = False) -> Consult | None:
    """The consult behind an address, whoever asks; locked until the transaction ends on request."""
    query = select(Consult).where(col(Consult.uid) == uid)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await work.session.exec(query)).one_or_none()


async def move(work: UnitOfWork, consult: Consult, columns: Mapping[str, Any]) -> bool:
    """Write a new state over exactly the one that was read; False when somebody was faster."""
    step = (
        update(Consult)
        .where(
            col(Consult.id) == consult.id,
            col(Consult.state) == consult.state,
            col(Consult.revision) == consult.revision,
        )
        .values(**columns, revision=consult.revision + 1)
        .returning(Consult)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    return (await work.session.exec(step)).one_or_none() is not None


async def reread(work: UnitOfWork, consult: Consult) -> Consult:
    """The row as it stands now."""
    query = select(Consult).where(col(Consult.id) == consult.id)
    return (await work.session.exec(query.execution_options(populate_existing=True))).one()


async def get_people(work: UnitOfWork, ids: Collection[int | None]) -> dict[int, PersonCard]:
    """Cards of people by their key; None among the keys is nobody."""
    wanted = {person_id for person_id in ids if person_id is not None}
    query = select_columns(*_CARD).where(col(Person.id).in_(wanted))
    rows = (await work.session.exec(query)).all() if wanted else []
    return {row[0]: PersonCard(*row) for row in rows}


async def list_questions(work: UnitOfWork, consult: Consult) -> list[ConsultQuestion]:
    """The numbered questions of a consult."""
    query = select(ConsultQuestion).where(col(ConsultQuestion.consult_id) == consult.id)
    return list((await work.session.exec(query.order_by(col(ConsultQuestion.number)))).all())


async def list_vital_signs(work: UnitOfWork, consult: Consult) -> list[VitalSigns]:
    """Every set of measurements, the newest first."""
    query = select(VitalSigns).where(col(VitalSigns.consult_id) == consult.id)
    newest_first = query.order_by(col(VitalSigns.taken_at).desc(), col(VitalSigns.id).desc())
    return list((await work.session.exec(newest_first)).all())


async def list_inquiries(work: UnitOfWork, consult: Consult) -> list[Message]:
    """What was asked before a claim and what the station answered, oldest first."""
    query = select(Message).where(
        col(Message.consult_id) == consult.id, col(Message.kind) != MessageKind.TALK
    )
    return list((await work.session.exec(query.order_by(col(Message.id)))).all())


async def find_last_asker(work: UnitOfWork, consult: Consult) -> int | None:
    """Who asked for more information last."""
    query = (
        select(Message.author_id)
        .where(col(Message.consult_id) == consult.id, col(Message.kind) == MessageKind.QUESTION)
        .order_by(col(Message.id).desc())
        .limit(1)
    )
    return (await work.session.exec(query)).one_or_none()


async def get_place_names(work: UnitOfWork, consult: Consult) -> tuple[str, str]:
    """Names of the station and of the specialty; the latter is empty while nobody chose one."""
    query = (
        select(Facility.name, Specialty.name)
        .join(Specialty, col(Specialty.id) == consult.specialty_id, isouter=True)
        .where(col(Facility.id) == consult.station_id)
    )
    station, specialty = (await work.session.exec(query)).one()
    return station, specialty or ""


async def list_specialties(work: UnitOfWork) -> list[Specialty]:
    """Everything that can be asked, in the order of the hospital."""
    query = select(Specialty).order_by(col(Specialty.sort_order), col(Specialty.id))
    return list((await work.session.exec(query)).all())


async def list_specialists(work: UnitOfWork) -> list[tuple[int, PersonCard]]:
    """(specialty, person) of everybody who can be asked by name, by given name."""
    query = (
        select_columns(PersonSpecialty.specialty_id, *_CARD)
        .join(Person, col(Person.id) == col(PersonSpecialty.person_id))
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(col(PersonRole.role) == Role.SPECIALIST, col(Person.state) == PersonState.ACTIVE)
        .order_by(col(Person.sort_key))
    )
    rows = (await work.session.exec(query)).all()
    return [(row[0], PersonCard(*row[1:])) for row in rows]
