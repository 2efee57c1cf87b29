"""The rotation register: who was sent where, by which decision, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.accounts.postings import post, withdraw
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid, Missing, require_short, too_long
from telemed.core.text import clean_line, clean_text
from telemed.facilities.models import Facility, FacilityKind, Specialty
from telemed.training.repository import list_people
from telemed.training.rotations.models import (
    Rotation,
    RotationKind,
    RotationLeave,
    SecondmentDecision,
)
from telemed.training.rotations.repository import (
    find_decision,
    find_overlap,
    get_rotation,
    list_leaves,
)
from telemed.training.rotations.rules import Span

SENT_ROLES = (Role.ROTATED_DOCTOR,)
LONGEST = timedelta(days=3 * 366)
LONGEST_NUMBER, LONGEST_BODY, LONGEST_TASKS, LONGEST_REASON = 40, 120, 2000, 300


@dataclass(frozen=True)
class RotationInput:
    """A secondment as it is registered."""

    decision_number: str
    decision_date: date
    person_id: int
    station_id: int
    starts_on: date
    ends_on: date
    issuing_body: str = ""
    kind: RotationKind = RotationKind.CLINICAL
    specialty_id: int | None = None
    tasks: str = ""


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
    if rotation is not None:
        _check_revision(rotation, revision)
    _check_texts(given)
    _check_days(given)
    person = await _person(work, given, is_new=_is_new(rotation, given))
    await _check_places(work, given)
    days = Span(given.starts_on, given.ends_on)
    if await find_overlap(work, given.person_id, days, but=rotation.id if rotation else None):
        text = N_("Người này đã được cử đi nơi khác trong những ngày đó")
        raise Invalid("rotation_overlaps", text, field="starts_on")
    decision = await _decision(work, actor, given)
    columns = _columns(given, person, decision)
    if rotation is None:
        rotation = Rotation(created_by_id=actor.id, created_at=work.now(), **columns)
    else:
        for name, value in columns.items():
            setattr(rotation, name, value)
        _forget_return(rotation)
    await _keep(work, rotation)
    work.audit(AuditTag.ROTATION_CHANGE, actor, f"rotation:{rotation.uid}")
    return rotation


def _check_revision(rotation: Rotation, revision: int) -> None:
    if rotation.revision != revision:
        text = N_("Nội dung vừa được người khác đổi. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid("changed_meanwhile", text, field="revision")


def _check_texts(given: RotationInput) -> None:
    faults = too_long("decision_number", given.decision_number, LONGEST_NUMBER)
    faults += too_long("issuing_body", given.issuing_body, LONGEST_BODY)
    faults += too_long("tasks", given.tasks, LONGEST_TASKS)
    if not given.decision_number.strip():
        text = N_("Ghi số quyết định")
        faults.append(FieldError("decision_number", "number_missing", text))
    if faults:
        raise Invalid.of(faults)


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
    return rotation is None or rotation.person_id != given.person_id or rotation.kind != given.kind


async def _person(work: UnitOfWork, given: RotationInput, *, is_new: bool) -> Person:
    # The row is the lock under which overlaps of one person are judged.
    query = select(Person).where(col(Person.id) == given.person_id)
    person = (await work.session.exec(query.with_for_update(key_share=True))).one_or_none()
    # Whoever was sent once stays on the register, whatever became of the account.
    may_go = await candidates(work, given.kind) if is_new else [person]
    if person is None or person.facility_id is None or person not in may_go:
        raise Invalid("person_unknown", N_("Chọn một người trong danh sách"), field="person")
    return person


async def candidates(work: UnitOfWork, kind: RotationKind) -> list[Person]:
    """Who may be sent: to treat, rotated doctors; for preventive medicine, anybody of a unit."""
    if kind is RotationKind.CLINICAL:
        return await list_people(work, SENT_ROLES)
    return [each for each in await list_people(work, tuple(Role)) if each.facility_id]


async def people_by_kind(work: UnitOfWork) -> dict[RotationKind, list[Person]]:
    """Who may be sent, each once: as what they are sent first of all."""
    doctors = await candidates(work, RotationKind.CLINICAL)
    met = {person.id for person in doctors}
    others = await candidates(work, RotationKind.PREVENTIVE)
    return {
        RotationKind.CLINICAL: doctors,
        RotationKind.PREVENTIVE: [each for each in others if each.id not in met],
    }


async def list_issuing_bodies(work: UnitOfWork) -> list[str]:
    """Who has signed decisions so far, as they were written."""
    query = select(SecondmentDecision.issuing_body).distinct()
    return sorted(body for body in (await work.session.exec(query)).all() if body)


async def _check_places(work: UnitOfWork, given: RotationInput) -> None:
    station = await work.session.get(Facility, given.station_id)
    if station is None or station.kind is not FacilityKind.STATION:
        raise Invalid("station_unknown", N_("Chọn một trạm trong danh sách"), field="station")
    if given.specialty_id and not await work.session.get(Specialty, given.specialty_id):
        text = N_("Chọn một trong các giá trị có sẵn")
        raise Invalid("specialty_unknown", text, field="specialty")


async def _decision(work: UnitOfWork, actor: Actor, given: RotationInput) -> SecondmentDecision:
    number, body = clean_line(given.decision_number), clean_line(given.issuing_body)
    decision = await find_decision(work, number, body)
    if decision is None:
        decision = SecondmentDecision(
            number=number,
            issuing_body=body,
            signed_on=given.decision_date,
            created_by_id=actor.id,
            created_at=work.now(),
        )
        work.session.add(decision)
        await work.session.flush()
    elif decision.signed_on != given.decision_date:
        text = N_("Quyết định này đã có trong sổ với ngày ký {day}")
        day = f"{decision.signed_on:%d/%m/%Y}"
        raise Invalid("decision_differs", text, field="decision_date", day=day)
    return decision


def _columns(given: RotationInput, person: Person, decision: SecondmentDecision) -> dict[str, Any]:
    is_clinical = given.kind is RotationKind.CLINICAL
    return {
        "decision_id": decision.id,
        "kind": given.kind,
        "person_id": given.person_id,
        "home_unit_id": person.facility_id,
        "station_id": given.station_id,
        "specialty_id": given.specialty_id if is_clinical else None,
        "starts_on": given.starts_on,
        "ends_on": given.ends_on,
        "tasks": clean_text(given.tasks),
    }


def _forget_return(rotation: Rotation) -> None:
    """An early return that lies outside the corrected days is none any more."""
    ended = rotation.ended_on
    if ended is not None and not rotation.starts_on <= ended < rotation.ends_on:
        rotation.ended_on, rotation.end_reason = None, ""


async def _keep(work: UnitOfWork, rotation: Rotation) -> None:
    """Store it; the posting that carries the rights has the same days."""
    if rotation.kind is RotationKind.CLINICAL:
        posting = await post(
            work,
            person_id=rotation.person_id,
            facility_id=rotation.station_id,
            starts_on=rotation.starts_on,
            ends_on=rotation.last_day,
            posting_id=rotation.posting_id,
        )
        rotation.posting_id = posting.id
        work.session.add(rotation)
    else:
        posting_id, rotation.posting_id = rotation.posting_id, None
        work.session.add(rotation)
        await work.session.flush()
        await withdraw(work, posting_id)
    await work.session.flush()


async def end_early(
    work: UnitOfWork, actor: Actor, uid: str, last: date, reason: str, *, revision: int
) -> Rotation:
    """Somebody is back before the planned day: the rights at the station end with the last one.

    The planned last day itself takes an early return back. Raises Missing, Invalid.
    """
    require(actor, Action.ROTATION_WRITE)
    rotation = await get_rotation(work, uid)
    _check_revision(rotation, revision)
    if not rotation.starts_on <= last <= rotation.ends_on:
        text = N_("Chọn một ngày trong đợt luân phiên")
        raise Invalid("day_outside", text, field="ended_on")
    given = clean_line(reason)
    is_early = last < rotation.ends_on
    if is_early and not given:
        raise Invalid("reason_missing", N_("Ghi lý do về sớm"), field="end_reason")
    require_short("end_reason", given, LONGEST_REASON)
    rotation.ended_on = last if is_early else None
    rotation.end_reason = given if is_early else ""
    if await find_overlap(
        work,
        rotation.person_id,
        Span(rotation.starts_on, rotation.last_day),
        but=rotation.id,
    ):
        text = N_("Người này đã được cử đi nơi khác trong những ngày đó")
        raise Invalid("rotation_overlaps", text, field="ended_on")
    await _keep(work, rotation)
    work.audit(AuditTag.ROTATION_CHANGE, actor, f"rotation:{rotation.uid}")
    return rotation


async def add_leave(
    work: UnitOfWork, actor: Actor, uid: str, days: Span, reason: str
) -> RotationLeave:
    """Days away during a rotation. Raises Missing, Invalid."""
    require(actor, Action.ROTATION_WRITE)
    rotation = await get_rotation(work, uid)
    note = clean_line(reason)
    faults = too_long("leave_reason", note, LONGEST_REASON)
    if days.last < days.first:
        faults.append(FieldError("leave_to", "days_reversed", N_("Ngày về phải sau ngày đi")))
    elif not rotation.starts_on <= days.first <= days.last <= rotation.last_day:
        text = N_("Nghỉ phải nằm trong những ngày luân phiên")
        faults.append(FieldError("leave_from", "day_outside", text))
    elif any(
        days.within(Span(leave.starts_on, leave.ends_on))
        for leave in await list_leaves(work, [rotation.id or 0])
    ):
        text = N_("Những ngày này đã ghi nghỉ rồi")
        faults.append(FieldError("leave_from", "leave_overlaps", text))
    if faults:
        raise Invalid.of(faults)
    leave = RotationLeave(
        rotation_id=rotation.id or 0,
        starts_on=days.first,
        ends_on=days.last,
        reason=note,
        created_by_id=actor.id,
        created_at=work.now(),
    )
    work.session.add(leave)
    await _touch(work, rotation)
    work.audit(AuditTag.ROTATION_CHANGE, actor, f"rotation:{rotation.uid}")
    return leave


async def remove_leave(work: UnitOfWork, actor: Actor, uid: str, leave_uid: str) -> None:
    """It was a mistake. Raises Missing."""
    require(actor, Action.ROTATION_WRITE)
    rotation = await get_rotation(work, uid)
    leaves = await list_leaves(work, [rotation.id or 0])
    leave = next((each for each in leaves if each.uid == leave_uid), None)
    if leave is None:
        raise Missing
    await work.session.delete(leave)
    await _touch(work, rotation)
    work.audit(AuditTag.ROTATION_CHANGE, actor, f"rotation:{rotation.uid}")


async def _touch(work: UnitOfWork, rotation: Rotation) -> None:
    """Two who write leave of one rotation at once: the second is told of the first."""
    flag_modified(rotation, "tasks")
    await work.session.flush()
