"""The rotation register: who was sent where, by which decision, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.accounts.postings import post
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid
from telemed.facilities.models import Facility, FacilityKind, Specialty
from telemed.training.models import Rotation
from telemed.training.repository import (
    RotationRow,
    find_overlap,
    get_rotation,
    list_people,
    list_rotations,
)

SENT_ROLES = (Role.ROTATED_DOCTOR,)
ENDS_SOON = timedelta(days=30)
LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True)
class RotationInput:
    """A secondment as it is registered."""

    decision_number: str
    decision_date: date
    person_id: int
    station_id: int
    starts_on: date
    ends_on: date
    specialty_id: int | None = None
    tasks: str = ""


@dataclass(frozen=True)
class Board:
    """The stations in three groups: nobody sent, ending soon, staffed."""

    vacant: Sequence[Facility]
    ending: Sequence[tuple[Facility, list[RotationRow]]]
    staffed: Sequence[tuple[Facility, list[RotationRow]]]
    present: int


async def save(
    work: UnitOfWork,
    actor: Actor,
    given: RotationInput,
    *,
    uid: str | None = None,
    revision: int = 0,
) -> Rotation:
    """Register a rotation or correct one; the rights at the station follow its days.

    Raises Missing, Invalid naming the field: also when the person is elsewhere in those days, or
    the rotation was changed since `revision`.
    """
    require(actor, Action.ROTATION_WRITE)
    rotation = await get_rotation(work, uid) if uid else None
    if rotation is not None and rotation.revision != revision:
        text = N_("Nội dung vừa được người khác đổi. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid("changed_meanwhile", text, field="revision")
    _check_days(given)
    person = await _person(work, given.person_id, is_new=_is_new(rotation, given))
    await _check_places(work, given)
    but = rotation.id if rotation else None
    if await find_overlap(work, given.person_id, given.starts_on, given.ends_on, but=but):
        text = N_("Người này đã được cử đi nơi khác trong những ngày đó")
        raise Invalid("rotation_overlaps", text, field="starts_on")
    posting = await post(
        work,
        person_id=given.person_id,
        facility_id=given.station_id,
        starts_on=given.starts_on,
        ends_on=given.ends_on,
        posting_id=rotation.posting_id if rotation else None,
    )
    if rotation is None:
        rotation = Rotation(
            created_by_id=actor.id, created_at=work.now(), **_columns(given, person)
        )
    else:
        for name, value in _columns(given, person).items():
            setattr(rotation, name, value)
    rotation.posting_id = posting.id
    work.session.add(rotation)
    await work.session.flush()
    work.audit(AuditTag.ROTATION_CHANGE, actor, f"rotation:{rotation.uid}")
    return rotation


def _columns(given: RotationInput, person: Person) -> dict[str, Any]:
    return {
        "decision_number": given.decision_number,
        "decision_date": given.decision_date,
        "person_id": given.person_id,
        "home_unit_id": person.facility_id,
        "station_id": given.station_id,
        "specialty_id": given.specialty_id,
        "starts_on": given.starts_on,
        "ends_on": given.ends_on,
        "tasks": given.tasks,
    }


def _check_days(given: RotationInput) -> None:
    faults = []
    if given.ends_on < given.starts_on:
        text = N_("Ngày về phải sau ngày đi")
        faults.append(FieldError("ends_on", "days_reversed", text))
    elif given.ends_on - given.starts_on > LONGEST:
        text = N_("Một đợt luân phiên dài nhất 3 năm")
        faults.append(FieldError("ends_on", "too_long", text))
    if given.decision_date > given.starts_on:
        text = N_("Quyết định phải có trước ngày đi")
        faults.append(FieldError("decision_date", "decision_late", text))
    if faults:
        raise Invalid.of(faults)


def _is_new(rotation: Rotation | None, given: RotationInput) -> bool:
    return rotation is None or rotation.person_id != given.person_id


async def _person(work: UnitOfWork, person_id: int, *, is_new: bool) -> Person:
    # The row is the lock under which overlaps of one person are judged.
    query = select(Person).where(col(Person.id) == person_id).with_for_update(key_share=True)
    person = (await work.session.exec(query)).one_or_none()
    # Whoever was sent once stays on the register, whatever became of the account.
    may_go = {each.id for each in await list_people(work, SENT_ROLES)} if is_new else {person_id}
    if person is None or person.facility_id is None or person.id not in may_go:
        raise Invalid("person_unknown", N_("Chọn một người trong danh sách"), field="person")
    return person


async def _check_places(work: UnitOfWork, given: RotationInput) -> None:
    station = await work.session.get(Facility, given.station_id)
    if station is None or station.kind is not FacilityKind.STATION:
        raise Invalid("station_unknown", N_("Chọn một trạm trong danh sách"), field="station")
    if given.specialty_id and not await work.session.get(Specialty, given.specialty_id):
        text = N_("Chọn một trong các giá trị có sẵn")
        raise Invalid("specialty_unknown", text, field="specialty")


async def board(work: UnitOfWork, actor: Actor) -> Board:
    """Who is where today."""
    require(actor, Action.ROTATION_READ)
    today = work.now().astimezone(LOCAL_ZONE).date()
    rows = await list_rotations(work, ends_from=today)
    by_station: dict[int, list[RotationRow]] = {}
    for row in rows:
        if row.rotation.starts_on <= today:
            by_station.setdefault(row.rotation.station_id, []).append(row)
    query = select(Facility).where(
        col(Facility.kind) == FacilityKind.STATION, col(Facility.is_active)
    )
    stations = (await work.session.exec(query.order_by(col(Facility.folded_name)))).all()
    held = [(station, by_station.get(station.id or 0, [])) for station in stations]
    soon = today + ENDS_SOON
    return Board(
        vacant=[station for station, here in held if not here],
        ending=[(s, here) for s, here in held if here and _ends(here) <= soon],
        staffed=[(s, here) for s, here in held if here and _ends(here) > soon],
        present=sum(len(here) for here in by_station.values()),
    )


def _ends(here: list[RotationRow]) -> date:
    return min(row.rotation.ends_on for row in here)
