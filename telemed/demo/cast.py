"""Who is there: about sixty accounts, named by role and place."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from telemed.accounts.models import (
    Credential,
    Person,
    PersonRole,
    PersonSpecialty,
    PersonState,
    SecondFactor,
)
from telemed.accounts.passwords import PasswordHasher
from telemed.accounts.permissions import SECOND_FACTOR_ROLES, Actor, Role
from telemed.accounts.second_factor import SecretBox, new_secret
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.text import fold, initials, sort_key_vi
from telemed.demo.ledger import Ledger
from telemed.demo.texts import Part, Texts
from telemed.facilities.models import Department, Facility, FacilityKind, Specialty
from telemed.facilities.reference import CommuneLine

BEFORE_THE_FIRST_CASE = timedelta(days=200)
# Read aloud or copied by hand without mistakes.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4


@dataclass(frozen=True)
class Login:
    """What somebody signs in with; the hash was made before any transaction."""

    part: Part
    password: str
    password_hash: str
    secret: str | None


@dataclass(frozen=True)
class Cast:
    """Everybody, as the rules see them and as rows."""

    people: Mapping[int, Person]
    actors: Mapping[int, Actor]
    doctors: Mapping[int, Actor]
    specialists: Sequence[Actor]
    rotated: Sequence[Actor]
    trainer: Actor
    coordinator: Actor

    def person(self, actor: Actor) -> Person:
        """The row behind somebody."""
        return self.people[actor.id]

    def answering(self, specialty: Specialty) -> list[Actor]:
        """Specialists who are asked about a specialty."""
        return [each for each in self.specialists if specialty.id in each.specialty_ids]


def station_part(line: CommuneLine, texts: Texts) -> Part:
    """The account of one station's doctor."""
    slug = fold(line.name).replace(" ", "")
    return Part(
        name=texts.station["name"].format(place=line.name),
        sign_in_name=texts.station["sign_in_name"].format(place=slug),
        roles=frozenset({Role.COMMUNE_DOCTOR}),
        facility=line.station_code,
    )


def all_parts(communes: Sequence[CommuneLine], texts: Texts) -> list[Part]:
    """Every account, the station that is shown first before all others."""
    first = [line for line in communes if line.code == texts.station["first"]]
    rest = [line for line in communes if line.code != texts.station["first"]]
    return [
        *(station_part(line, texts) for line in first),
        *texts.parts,
        *(station_part(line, texts) for line in rest),
    ]


async def make_logins(parts: Sequence[Part], hasher: PasswordHasher) -> list[Login]:
    """Random passwords with their hashes, and authenticators for whoever needs one. Slow."""
    logins = []
    for part in parts:
        password = _new_password()
        needs_factor = not part.roles.isdisjoint(SECOND_FACTOR_ROLES)
        secret = new_secret() if needs_factor else None
        logins.append(Login(part, password, await hasher.hash(password), secret))
    return logins


def _new_password() -> str:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


async def add_cast(
    work: UnitOfWork, ledger: Ledger, logins: Sequence[Login], box: SecretBox, now: datetime
) -> Cast:
    """Open the accounts."""
    begun = now - BEFORE_THE_FIRST_CASE
    places = await _places(work)
    departments = {row.name: row.id for row in await work.session.exec(select(Department))}
    specialties = {row.code: row.id or 0 for row in await work.session.exec(select(Specialty))}
    people = [_person(login.part, places, departments, begun) for login in logins]
    work.session.add_all(people)
    await work.session.flush()
    actors = []
    for login, person in zip(logins, people, strict=True):
        _add_belongings(work, login, person, specialties, box, now=now, begun=begun)
        actors.append(_actor(login.part, person, places, specialties))
        ledger.note(begun, AuditTag.PERSON_CREATE, None, f"person:{person.uid}", by="demo")
    await work.session.flush()
    return _cast(people, actors)


async def _places(work: UnitOfWork) -> dict[str, Facility]:
    rows = (await work.session.exec(select(Facility).where(col(Facility.is_active)))).all()
    hospital = next(row for row in rows if row.kind is FacilityKind.HOSPITAL)
    return {row.code: row for row in rows} | {"": hospital}


def _person(
    part: Part,
    places: Mapping[str, Facility],
    departments: Mapping[str, int | None],
    begun: datetime,
) -> Person:
    return Person(
        sign_in_name=part.sign_in_name,
        full_name=part.name,
        folded_name=fold(part.name),
        sort_key=sort_key_vi(part.name, by_given_name=True),
        facility_id=places[part.facility].id,
        department_id=departments.get(part.department),
        phone=part.phone,
        state=PersonState.ACTIVE,
        is_synthetic=True,
        created_at=begun,
    )


def _add_belongings(
    work: UnitOfWork,
    login: Login,
    person: Person,
    specialties: Mapping[str, int],
    box: SecretBox,
    *,
    now: datetime,
    begun: datetime,
) -> None:
    assert person.id
    work.session.add_all(PersonRole(person_id=person.id, role=role) for role in login.part.roles)
    work.session.add_all(
        PersonSpecialty(person_id=person.id, specialty_id=specialties[code])
        for code in login.part.specialties
    )
    work.session.add(
        Credential(person_id=person.id, password_hash=login.password_hash, changed_at=begun)
    )
    if login.secret is not None:
        sealed = box.seal(person.id, login.secret)
        work.session.add(
            SecondFactor(person_id=person.id, secret_encrypted=sealed, confirmed_at=now)
        )


def _actor(
    part: Part, person: Person, places: Mapping[str, Facility], specialties: Mapping[str, int]
) -> Actor:
    assert person.id
    return Actor(
        id=person.id,
        uid=person.uid,
        name=person.full_name,
        roles=part.roles,
        facility_id=person.facility_id,
        specialty_ids=frozenset(specialties[code] for code in part.specialties),
        place=places[part.facility].name,
        initials=initials(person.full_name),
    )


def _cast(people: Sequence[Person], actors: Sequence[Actor]) -> Cast:
    def having(role: Role) -> list[Actor]:
        return [actor for actor in actors if role in actor.roles]

    return Cast(
        people={person.id or 0: person for person in people},
        actors={actor.id: actor for actor in actors},
        doctors={actor.facility_id or 0: actor for actor in having(Role.COMMUNE_DOCTOR)},
        specialists=having(Role.SPECIALIST),
        rotated=having(Role.ROTATED_DOCTOR),
        trainer=having(Role.TRAINER)[0],
        coordinator=having(Role.COORDINATOR)[0],
    )
