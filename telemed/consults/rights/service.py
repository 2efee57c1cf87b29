"""What patients ask for about their data: received, answered, done or refused, each in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import delete, func, or_, update
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, PatientFacts, require
from telemed.consults.models import Consult
from telemed.consults.retention import Retention, retention_of
from telemed.consults.rights.models import RightsRequest
from telemed.consults.rights.reminders import forget, plan
from telemed.consults.rights.restriction import follow
from telemed.consults.rights.rules import (
    LONGEST_NAME,
    LONGEST_TEXT,
    OPEN,
    AskedBy,
    AskedHow,
    RightEvent,
    RightKind,
    RightState,
    due,
    next_state,
)
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing, too_long
from telemed.core.text import clean_line, clean_text
from telemed.patients.merging.models import PatientMerge
from telemed.patients.merging.service import columns_of_patients, identities
from telemed.patients.models import Consent, ConsentPurpose, Patient
from telemed.patients.retention import YEARS, RetentionKind
from telemed.patients.service import get_patient_to_change, local_today

PAGE: Final = 40
# These go with the patient, or stay without them.
_NOT_A_RECORD: Final = frozenset({"consent", "rights_request"})


@dataclass(frozen=True)
class Asked:
    """What somebody asked for, how and in whose name."""

    kind: RightKind
    asked_by: AskedBy = AskedBy.PATIENT
    asker_name: str = ""
    asked_how: AskedHow = AskedHow.IN_PERSON
    text: str = ""


@dataclass(frozen=True)
class RegisterRow:
    """A line of the register; the name is gone with an erased patient."""

    request: RightsRequest
    patient_name: str


@dataclass(frozen=True)
class Register:
    """A page of the register: what is open by its day, then what has ended, newest first."""

    open: Sequence[RegisterRow]
    ended: Sequence[RegisterRow]
    older: int | None


@dataclass(frozen=True)
class RequestFile:
    """One request with everybody who had to do with it, and what the law keeps."""

    request: RightsRequest
    patient: Patient | None
    people: Mapping[int, str]
    kept: Retention | None


async def receive(work: UnitOfWork, actor: Actor, patient_uid: str, given: Asked) -> RightsRequest:
    """Write a request down; its clock begins today. Raises Missing, Invalid."""
    patient = await get_patient_to_change(work, actor, patient_uid)
    name, text = clean_line(given.asker_name), clean_text(given.text).strip()
    errors = [*too_long("asker_name", name, LONGEST_NAME), *too_long("text", text, LONGEST_TEXT)]
    if given.asked_by is AskedBy.GUARDIAN and not name:
        message = N_("Ghi họ tên người đại diện")
        errors.append(FieldError("asker_name", "guardian_name_missing", message))
    if given.kind is RightKind.CORRECT and not text:
        message = N_("Ghi chỗ nào sai, đúng là thế nào")
        errors.append(FieldError("text", "text_missing", message))
    if errors:
        raise Invalid.of(errors)
    request = RightsRequest(
        patient_id=patient.id,
        station_id=patient.station_id,
        kind=given.kind,
        asked_by=given.asked_by,
        asker_name=name,
        asked_how=given.asked_how,
        text=text,
        received_on=local_today(work),
        received_at=work.now(),
        received_by_id=actor.id,
    )
    await _store(work, actor, request, "receive")
    return request


async def record_withdrawal(  # noqa: PLR0917 # one sentence: who took what back
    work: UnitOfWork,
    actor: Actor,
    patient: Patient,
    purpose: ConsentPurpose,
    asked_by: AskedBy,
    asker_name: str,
) -> None:
    """A consent that was taken back on the spot stands in the register as well."""
    now = work.now()
    request = RightsRequest(
        patient_id=patient.id,
        station_id=patient.station_id,
        kind=RightKind.WITHDRAW,
        purpose=purpose,
        asked_by=asked_by,
        asker_name=clean_line(asker_name)[:LONGEST_NAME],
        asked_how=AskedHow.IN_PERSON,
        received_on=local_today(work),
        received_at=now,
        received_by_id=actor.id,
        state=RightState.DONE,
        answered_at=now,
        answered_by_id=actor.id,
        ended_at=now,
        ended_by_id=actor.id,
    )
    await _store(work, actor, request, "withdraw")


async def accept(work: UnitOfWork, actor: Actor, uid: str, reply: str) -> RightsRequest:
    """Tell the patient that it will be done. Raises Missing, Invalid, Conflict."""
    request = await _lock(work, actor, uid)
    if await find_kept(work, request) is not None:
        message = N_("Luật buộc giữ hồ sơ này: chỉ từ chối được, kèm lý do")
        raise Conflict("kept_by_law", message)
    await _move(work, actor, request, RightEvent.ACCEPT, _short(reply))
    return request


async def complete(work: UnitOfWork, actor: Actor, uid: str, reply: str) -> RightsRequest:
    """Do what was asked for. Raises Missing, Invalid, Conflict."""
    request = await _lock(work, actor, uid)
    text = _short(reply)
    if request.kind is RightKind.CORRECT and not text:
        raise Invalid("reply_missing", N_("Ghi đã sửa những gì"), field="reply")
    if await find_kept(work, request) is not None:
        message = N_("Luật buộc giữ hồ sơ này: chỉ từ chối được, kèm lý do")
        raise Conflict("kept_by_law", message)
    await _move(work, actor, request, RightEvent.COMPLETE, text)
    patient = await _patient(work, request)
    if request.kind is RightKind.RESTRICT:
        await _restrict(work, patient, work.now())
    elif request.kind is RightKind.DELETE:
        await _erase(work, actor, patient)
    return request


async def refuse(work: UnitOfWork, actor: Actor, uid: str, reason: str) -> RightsRequest:
    """Say no, with the reason that the patient is told. Raises Missing, Invalid, Conflict."""
    request = await _lock(work, actor, uid)
    text = _short(reason)
    if not text:
        raise Invalid("reason_missing", N_("Ghi lý do từ chối"), field="reply")
    await _move(work, actor, request, RightEvent.REFUSE, text)
    return request


async def lift(work: UnitOfWork, actor: Actor, uid: str, reason: str) -> RightsRequest:
    """The patient wants the restriction gone. Raises Missing, Invalid, Conflict."""
    request = await _lock(work, actor, uid)
    text = _short(reason)
    if not text:
        raise Invalid("reason_missing", N_("Ghi vì sao bỏ hạn chế"), field="reply")
    request.state = next_state(request.kind, request.state, RightEvent.LIFT)
    request.lifted_at, request.lifted_by_id, request.lift_reason = work.now(), actor.id, text
    await _restrict(work, await _patient(work, request), None)
    await _store(work, actor, request, "lift")
    return request


async def list_register(work: UnitOfWork, actor: Actor, *, before: int | None = None) -> Register:
    """What patients of the own stations asked for; the look is on record."""
    require(actor, Action.RIGHTS_WRITE)
    query = (
        select(RightsRequest, func.coalesce(Patient.full_name, ""))
        .outerjoin(Patient, col(Patient.id) == col(RightsRequest.patient_id))
        .where(col(RightsRequest.station_id).in_(actor.station_ids))
    )
    is_open = col(RightsRequest.due_on).is_not(None)
    open_query = query.where(is_open).order_by(col(RightsRequest.due_on), col(RightsRequest.id))
    waiting = (await work.session.exec(open_query)).all() if before is None else []
    ended = query.where(~is_open).order_by(col(RightsRequest.id).desc()).limit(PAGE + 1)
    if before is not None:
        ended = ended.where(col(RightsRequest.id) < before)
    over = (await work.session.exec(ended)).all()
    shown = [RegisterRow(*row) for row in over[:PAGE]]
    first = [RegisterRow(*row) for row in waiting]
    ids = sorted({row.request.patient_id for row in (*first, *shown) if row.request.patient_id})
    work.audit(AuditTag.RIGHTS_READ, actor, "rights", patient_ids=ids)
    older = shown[-1].request.id if len(over) > PAGE else None
    return Register(first, shown, older)


async def list_of_patient(work: UnitOfWork, patient: Patient) -> list[RightsRequest]:
    """Requests of a patient whom the actor has already been given, newest first."""
    query = select(RightsRequest).where(col(RightsRequest.patient_id) == patient.id)
    return list((await work.session.exec(query.order_by(col(RightsRequest.id).desc()))).all())


async def get_request(work: UnitOfWork, actor: Actor, uid: str) -> RequestFile:
    """One request; the read is on record. Raises Missing."""
    request = await _get(work, actor, uid)
    ids = {
        *(request.received_by_id, request.answered_by_id),
        *(request.ended_by_id, request.lifted_by_id),
    }
    query = select(Person.id, Person.full_name).where(col(Person.id).in_(ids - {None}))
    people = {key or 0: name for key, name in (await work.session.exec(query)).all()}
    patient = await work.session.get(Patient, request.patient_id) if request.patient_id else None
    work.audit(AuditTag.RIGHTS_READ, actor, f"rights:{request.uid}", patient_id=request.patient_id)
    return RequestFile(request, patient, people, await find_kept(work, request))


async def find_kept(work: UnitOfWork, request: RightsRequest) -> Retention | None:
    """The record that stands against deleting: the one that is kept longest. None if nothing does."""
    if request.kind is not RightKind.DELETE or request.state not in OPEN:
        return None
    patient = await _patient(work, request)
    if not await _has_records(work, patient):
        return None
    query = select(Consult).where(col(Consult.patient_id) == patient.id)
    found = [await retention_of(work, each) for each in (await work.session.exec(query)).all()]
    # A case that is still open is kept longer than any that has ended.
    return max(
        found,
        key=lambda each: (YEARS[each.kind] is None, not each.is_closed, each.until or date.min),
        default=Retention(RetentionKind.CARE),
    )


async def _has_records(work: UnitOfWork, patient: Patient) -> bool:
    keys = await identities(work, patient.id or 0)
    for table, column in columns_of_patients():
        if table.name in _NOT_A_RECORD:
            continue
        query = select(func.count()).select_from(table).where(table.c[column].in_(keys))
        if (await work.session.exec(query)).one():
            return True
    return False


async def _erase(work: UnitOfWork, actor: Actor, patient: Patient) -> None:
    """The register stays, without a word about whom it was."""
    keys = await identities(work, patient.id or 0)
    requests = update(RightsRequest).where(col(RightsRequest.patient_id).in_(keys))
    await work.session.exec(
        requests.values(patient_id=None, asker_name="", text="").execution_options(
            synchronize_session="fetch"
        )
    )
    await work.session.exec(delete(Consent).where(col(Consent.patient_id).in_(keys)))
    merges = or_(col(PatientMerge.source_id).in_(keys), col(PatientMerge.target_id).in_(keys))
    await work.session.exec(delete(PatientMerge).where(merges))
    work.audit(AuditTag.PATIENT_ERASE, actor, patient.uid, patient_id=patient.id)
    work.session.expunge(patient)
    await work.session.exec(
        delete(Patient)
        .where(col(Patient.id).in_(keys))
        .execution_options(synchronize_session=False)
    )


async def _restrict(work: UnitOfWork, patient: Patient, at: datetime | None) -> None:
    patient.restricted_at = at
    work.session.add(patient)
    await follow(work, patient)


async def _get(work: UnitOfWork, actor: Actor, uid: str, *, lock: bool = False) -> RightsRequest:
    require(actor, Action.RIGHTS_WRITE)
    query = select(RightsRequest).where(col(RightsRequest.uid) == uid)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    request = (await work.session.exec(query)).one_or_none()
    if request is None:
        raise Missing
    require(actor, Action.RIGHTS_WRITE, PatientFacts(station_id=request.station_id))
    return request


async def _lock(work: UnitOfWork, actor: Actor, uid: str) -> RightsRequest:
    return await _get(work, actor, uid, lock=True)


async def _patient(work: UnitOfWork, request: RightsRequest) -> Patient:
    return await work.session.get_one(Patient, request.patient_id)


async def _move(
    work: UnitOfWork, actor: Actor, request: RightsRequest, event: RightEvent, reply: str
) -> None:
    before = request.state
    request.state = next_state(request.kind, before, event)
    now = work.now()
    if before is RightState.RECEIVED:
        request.answered_at, request.answered_by_id = now, actor.id
    if request.state not in OPEN:
        request.ended_at, request.ended_by_id = now, actor.id
    request.reply = reply or request.reply
    await _store(work, actor, request, event.value)


async def _store(work: UnitOfWork, actor: Actor, request: RightsRequest, act: str) -> None:
    """The one place where a request changes: its clock, its reminder and the audit follow."""
    request.due_on = due(request.kind, request.state, request.received_on)
    work.session.add(request)
    await work.session.flush()
    if request.due_on is None:
        await forget(work, request)
    else:
        await plan(work, request, request.due_on)
    detail: dict[str, Any] = {"act": act, "kind": request.kind.value, "state": request.state.value}
    subject = f"rights:{request.uid}"
    work.audit(AuditTag.RIGHTS_CHANGE, actor, subject, patient_id=request.patient_id, **detail)


def _short(text: str) -> str:
    clean = clean_text(text).strip()
    errors = too_long("reply", clean, LONGEST_TEXT)
    if errors:
        raise Invalid.of(errors)
    return clean
