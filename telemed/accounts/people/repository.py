"""Queries on accounts, for those who look after them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, tuple_
from sqlmodel import col, select

from telemed.accounts.models import (
    Credential,
    LoginSession,
    Person,
    PersonRole,
    PersonSpecialty,
    PersonState,
    SecondFactor,
)
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.text import fold
from telemed.facilities.models import Department, Facility, Specialty

PAGE_SIZE = 50


@dataclass(frozen=True)
class PersonRow:
    """One line of the list of accounts."""

    person: Person
    place: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class PersonPage:
    """A part of the list; `after` names the last person when more follow."""

    rows: list[PersonRow]
    after: str | None


@dataclass(frozen=True)
class PersonCard:
    """Everything about one account but its secrets."""

    person: Person
    roles: frozenset[Role]
    facility: Facility | None
    department: Department | None
    specialties: list[Specialty]
    has_password: bool
    has_second_factor: bool
    last_seen_at: datetime | None


async def list_people(
    work: UnitOfWork,
    actor: Actor,
    *,
    search: str = "",
    role: Role | None = None,
    after: str | None = None,
) -> PersonPage:
    """Accounts by given name, a page at a time; found by a part of the name or the sign-in name."""
    require(actor, Action.PEOPLE_READ)
    query = select(Person, Facility.name).outerjoin(
        Facility, col(Facility.id) == col(Person.facility_id)
    )
    folded = fold(search)
    if folded:
        query = query.where(
            or_(
                col(Person.folded_name).contains(folded, autoescape=True),
                col(Person.sign_in_name).startswith(folded, autoescape=True),
            )
        )
    if role is not None:
        holders = select(PersonRole.person_id).where(col(PersonRole.role) == role)
        query = query.where(col(Person.id).in_(holders))
    if after is not None:
        last = await get_person(work, after)
        query = query.where(tuple_(col(Person.sort_key), col(Person.id)) > (last.sort_key, last.id))
    query = query.order_by(col(Person.sort_key), col(Person.id)).limit(PAGE_SIZE + 1)
    found = (await work.session.exec(query)).all()
    shown = found[:PAGE_SIZE]
    roles = await _roles_of(work, [person.id for person, _ in shown if person.id])
    rows = [PersonRow(person, place or "", roles[person.id or 0]) for person, place in shown]
    return PersonPage(rows, rows[-1].person.uid if len(found) > PAGE_SIZE else None)


async def _roles_of(work: UnitOfWork, ids: Collection[int]) -> dict[int, tuple[Role, ...]]:
    query = select(PersonRole).where(col(PersonRole.person_id).in_(ids))
    held: dict[int, set[Role]] = {person_id: set() for person_id in ids}
    for row in (await work.session.exec(query)).all():
        held[row.person_id].add(row.role)
    return {
        person_id: tuple(role for role in Role if role in roles)
        for person_id, roles in held.items()
    }


async def get_person(work: UnitOfWork, uid: str) -> Person:
    """The person that a URL names. Raises Missing."""
    query = select(Person).where(col(Person.uid) == uid)
    person = (await work.session.exec(query)).one_or_none()
    if person is None:
        raise Missing
    return person


async def find_person_by_sign_in_name(work: UnitOfWork, sign_in_name: str) -> Person | None:
    """The person of this sign-in name, or None."""
    query = select(Person).where(col(Person.sign_in_name) == sign_in_name)
    return (await work.session.exec(query)).one_or_none()


async def get_person_card(work: UnitOfWork, actor: Actor, uid: str) -> PersonCard:
    """One account for whoever looks after accounts. Raises Missing."""
    require(actor, Action.PEOPLE_READ)
    person = await get_person(work, uid)
    session = work.session
    roles = select(col(PersonRole.role)).where(col(PersonRole.person_id) == person.id)
    specialties = (
        select(Specialty)
        .join(PersonSpecialty, col(PersonSpecialty.specialty_id) == col(Specialty.id))
        .where(col(PersonSpecialty.person_id) == person.id)
        .order_by(col(Specialty.sort_order))
    )
    seen = select(func.max(LoginSession.last_seen_at)).where(
        col(LoginSession.person_id) == person.id
    )
    factor = await session.get(SecondFactor, person.id)
    return PersonCard(
        person=person,
        roles=frozenset((await session.exec(roles)).all()),
        facility=await session.get(Facility, person.facility_id) if person.facility_id else None,
        department=(
            await session.get(Department, person.department_id) if person.department_id else None
        ),
        specialties=list((await session.exec(specialties)).all()),
        has_password=await session.get(Credential, person.id) is not None,
        has_second_factor=factor is not None and factor.confirmed_at is not None,
        last_seen_at=(await session.exec(seen)).one(),
    )


async def has_administrator(work: UnitOfWork) -> bool:
    """Whether somebody who is not disabled looks after this installation."""
    query = (
        select(Person.id)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(
            col(PersonRole.role) == Role.ADMINISTRATOR, col(Person.state) != PersonState.DISABLED
        )
        .limit(1)
    )
    return (await work.session.exec(query)).first() is not None
