"""Queries of the rotation register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.facilities.models import Facility, Specialty
from telemed.training.rotations.models import (
    Rotation,
    RotationLeave,
    RotationWeek,
    SecondmentDecision,
)
from telemed.training.rotations.rules import Span


@dataclass(frozen=True)
class RotationRow:
    """A rotation with what a list shows of it."""

    rotation: Rotation
    decision: SecondmentDecision
    person: Person
    station: Facility
    specialty: Specialty | None

    @property
    def name(self) -> str:
        """The person as they are addressed."""
        return f"{self.person.title} {self.person.full_name}".strip()

    @property
    def span(self) -> Span:
        """The days at the station, as far as is known."""
        return Span(self.rotation.starts_on, max(self.rotation.last_day, self.rotation.starts_on))


def last_day() -> ColumnElement[date]:
    """The last day of a rotation, early return included."""
    return func.coalesce(col(Rotation.ended_on), col(Rotation.ends_on))


async def list_rotations(
    work: UnitOfWork, *, within: Span | None = None, uid: str | None = None
) -> list[RotationRow]:
    """Rotations by station and day; only those with a day in a span, or the one of this uid."""
    query = (
        select(Rotation, SecondmentDecision, Person, Facility)
        .join(SecondmentDecision, col(SecondmentDecision.id) == col(Rotation.decision_id))
        .join(Person, col(Person.id) == col(Rotation.person_id))
        .join(Facility, col(Facility.id) == col(Rotation.station_id))
        .order_by(col(Facility.folded_name), col(Rotation.starts_on), col(Rotation.id))
    )
    if within is not None:
        query = query.where(last_day() >= within.first, col(Rotation.starts_on) <= within.last)
    if uid is not None:
        query = query.where(col(Rotation.uid) == uid)
    specialties = {each.id: each for each in (await work.session.exec(select(Specialty))).all()}
    return [
        RotationRow(rotation, decision, person, station, specialties.get(rotation.specialty_id))
        for rotation, decision, person, station in (await work.session.exec(query)).all()
    ]


async def get_row(work: UnitOfWork, uid: str) -> RotationRow:
    """The rotation of this uid with its names. Raises Missing."""
    rows = await list_rotations(work, uid=uid)
    if not rows:
        raise Missing
    return rows[0]


async def get_rotation(work: UnitOfWork, uid: str) -> Rotation:
    """The rotation of this uid. Raises Missing."""
    query = select(Rotation).where(col(Rotation.uid) == uid)
    rotation = (await work.session.exec(query)).one_or_none()
    if rotation is None:
        raise Missing
    return rotation


async def find_overlap(
    work: UnitOfWork, person_id: int, days: Span, *, but: int | None
) -> Rotation | None:
    """Another rotation of the person that shares a day with a span."""
    query = select(Rotation).where(
        col(Rotation.person_id) == person_id,
        col(Rotation.starts_on) <= days.last,
        last_day() >= days.first,
        col(Rotation.id) != (but or 0),
    )
    return (await work.session.exec(query)).first()


async def find_decision(
    work: UnitOfWork, number: str, issuing_body: str
) -> SecondmentDecision | None:
    """The decision of this number by this body."""
    query = select(SecondmentDecision).where(
        col(SecondmentDecision.number) == number,
        col(SecondmentDecision.issuing_body) == issuing_body,
    )
    return (await work.session.exec(query)).one_or_none()


async def get_decision(work: UnitOfWork, uid: str) -> SecondmentDecision:
    """The decision of this uid. Raises Missing."""
    query = select(SecondmentDecision).where(col(SecondmentDecision.uid) == uid)
    decision = (await work.session.exec(query)).one_or_none()
    if decision is None:
        raise Missing
    return decision


async def list_leaves(work: UnitOfWork, rotation_ids: Sequence[int]) -> list[RotationLeave]:
    """Leave during some rotations, by day."""
    query = (
        select(RotationLeave)
        .where(col(RotationLeave.rotation_id).in_(rotation_ids))
        .order_by(col(RotationLeave.starts_on))
    )
    return list((await work.session.exec(query)).all())


async def list_weeks(work: UnitOfWork, rotation_id: int) -> dict[date, RotationWeek]:
    """What was written of each week, by its Monday."""
    query = select(RotationWeek).where(col(RotationWeek.rotation_id) == rotation_id)
    return {week.monday: week for week in (await work.session.exec(query)).all()}
