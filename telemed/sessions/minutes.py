"""Minutes of a consult: written by the specialist, decided on by the station, then fixed for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor
from telemed.consults import service as consults
from telemed.consults.lifecycle import UNDER_WAY, ConsultState
from telemed.consults.models import Consult, ConsultQuestion
from telemed.core import records
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, Missing
from telemed.core.events import append_event, stream_of
from telemed.core.records import RecordKind, RecordState, Signature, SignatureMethod, SignedRecord
from telemed.patients.models import Patient
from telemed.scheduling.service import release_bookings
from telemed.sessions.minutes_form import complete, draft_values
from telemed.sessions.minutes_sources import fix

LONGEST_ADDENDUM = 4000


@dataclass(frozen=True)
class SignedBy:
    """One signature with the name it was made under."""

    signature: Signature
    person: Person


@dataclass(frozen=True)
class Paper:
    """A signed record with its signatures, and whether its content is what was signed."""

    record: SignedRecord
    signatures: list[SignedBy]
    is_intact: bool


@dataclass(frozen=True)
class CasePapers:
    """Everything written about the conclusion of a case."""

    consult: Consult
    patient: Patient
    questions: list[ConsultQuestion]
    draft: SignedRecord | None
    minutes: Paper | None
    decision: Paper | None
    addenda: list[Paper]
    may_write: bool
    may_decide: bool


async def open_papers(work: UnitOfWork, actor: Actor, consult_uid: str) -> CasePapers:
    """The papers of a case that the actor may read; every look is on record."""
    consult = await consults.get_case(work, actor, consult_uid, Action.MINUTES_READ)
    patient = await work.session.get_one(Patient, consult.patient_id)
    subject = stream_of("consult", consult.uid)
    work.audit(AuditTag.MINUTES_READ, actor, subject, patient_id=consult.patient_id)
    minutes = await records.find_record(work, RecordKind.MINUTES, subject)
    decision = await records.find_record(work, RecordKind.DECISION, subject)
    is_author = consult.assigned_id == actor.id
    draft = minutes if minutes and minutes.state is RecordState.DRAFT and is_author else None
    signed = minutes if minutes and minutes.state is RecordState.SIGNED else None
    addenda = await records.list_addenda(work, signed) if signed else []
    return CasePapers(
        consult=consult,
        patient=patient,
        questions=await _questions(work, consult),
        draft=draft,
        minutes=await read_paper(work, signed) if signed else None,
        decision=await read_paper(work, decision) if decision else None,
        addenda=[await read_paper(work, each) for each in addenda],
        may_write=is_author and consult.state in UNDER_WAY,
        may_decide=consult.station_id in actor.station_ids
        and consult.state is ConsultState.ANSWERED,
    )


async def _questions(work: UnitOfWork, consult: Consult) -> list[ConsultQuestion]:
    query = select(ConsultQuestion).where(col(ConsultQuestion.consult_id) == consult.id)
    return list((await work.session.exec(query.order_by(col(ConsultQuestion.number)))).all())


async def read_paper(work: UnitOfWork, record: SignedRecord) -> Paper:
    """A record with its signatures; the caller has let the reader in."""
    query = (
        select(Signature, Person)
        .join(Person, col(Person.id) == col(Signature.person_id))
        .where(col(Signature.record_id) == record.id)
        .order_by(col(Signature.id))
    )
    signed = [SignedBy(*row) for row in (await work.session.exec(query)).all()]
    intact = records.is_intact(record, [each.signature for each in signed])
    return Paper(record, signed, intact)


async def _writable(
    work: UnitOfWork, actor: Actor, consult_uid: str, *, lock: bool = True
) -> Consult:
    consult = await consults.get_case(work, actor, consult_uid, Action.MINUTES_WRITE, lock=lock)
    if consult.state not in UNDER_WAY:
        raise Conflict(
            "minutes_closed", N_("Ca này không còn ghi biên bản được nữa. Tải lại để xem.")
        )
    return consult


async def save_draft(
    work: UnitOfWork, actor: Actor, consult_uid: str, typed: Mapping[str, str], *, revision: int
) -> SignedRecord:
    """Keep the minutes exactly as typed; `revision` 0 starts them.

    Raises Missing, Conflict (signed, passed on, or saved elsewhere since `revision`), Invalid.
    """
    consult = await _writable(work, actor, consult_uid)
    subject = stream_of("consult", consult.uid)
    numbers = [question.number for question in await _questions(work, consult)]
    values = draft_values(typed, numbers)
    record = await records.find_record(work, RecordKind.MINUTES, subject)
    if record is None:
        if revision != 0:
            raise Conflict("draft_changed", N_("Bản nháp vừa được lưu ở nơi khác"))
        record = await records.create_draft(work, RecordKind.MINUTES, subject, actor, values)
    else:
        record = await _write_over(work, actor, record, values, revision=revision)
    work.audit(AuditTag.MINUTES_WRITE, actor, subject, patient_id=consult.patient_id)
    return record


async def _write_over(
    work: UnitOfWork, actor: Actor, record: SignedRecord, content: dict[str, Any], *, revision: int
) -> SignedRecord:
    # Whoever took the case over goes on from what is written, under their own name.
    record.author_id = actor.id
    return await records.save_draft(work, record, content, revision=revision)


async def find_draft(work: UnitOfWork, actor: Actor, consult_uid: str) -> SignedRecord | None:
    """The draft as the server has it, for whoever typed over an older one; the look is on record."""
    consult = await consults.get_case(work, actor, consult_uid, Action.MINUTES_WRITE)
    subject = stream_of("consult", consult.uid)
    record = await records.find_record(work, RecordKind.MINUTES, subject)
    if record is None or record.state is not RecordState.DRAFT:
        return None
    work.audit(AuditTag.MINUTES_READ, actor, subject, patient_id=consult.patient_id)
    return record


async def sign(
    work: UnitOfWork,
    actor: Actor,
    consult_uid: str,
    typed: Mapping[str, str],
    method: SignatureMethod,
) -> SignedRecord:
    """Fix the minutes with everything the law's form asks for, and mark the case answered.

    What is signed is what the signer has before them, whatever was saved elsewhere. Raises Invalid for each conclusion that is missing, Conflict when the case moved on.
    """
    consult = await _writable(work, actor, consult_uid)
    questions = await _questions(work, consult)
    numbers = [question.number for question in questions]
    values = draft_values(typed, numbers)
    minutes = complete(values, numbers, work.now().astimezone(LOCAL_ZONE).date())
    subject = stream_of("consult", consult.uid)
    record = await records.find_record(work, RecordKind.MINUTES, subject)
    content = await fix(work, actor, consult, questions, minutes)
    if record is None:
        record = await records.create_draft(work, RecordKind.MINUTES, subject, actor, content)
    else:
        record = await _write_over(work, actor, record, content, revision=record.revision)
    await records.sign(
        work,
        record,
        actor,
        signed_as="chair",
        method=method,
        login_session_id=actor.login_session_id,
    )
    follow_up = str(content["follow_up_on"] or "")
    consult.follow_up_on = follow_up or None
    work.session.add(consult)
    await release_bookings(work, consult, "answered")
    await consults.mark_answered(work, actor, consult, record=record.uid)
    return record


async def check_complete(
    work: UnitOfWork, actor: Actor, consult_uid: str, typed: Mapping[str, str]
) -> None:
    """Whether these minutes could be signed now. Raises what `sign` would raise."""
    consult = await _writable(work, actor, consult_uid, lock=False)
    numbers = [question.number for question in await _questions(work, consult)]
    values = draft_values(typed, numbers)
    complete(values, numbers, work.now().astimezone(LOCAL_ZONE).date())


async def open_print(work: UnitOfWork, actor: Actor, consult_uid: str) -> CasePapers:
    """The papers for printing, once the minutes are signed. Raises Missing before."""
    papers = await open_papers(work, actor, consult_uid)
    if papers.minutes is None:
        raise Missing
    subject = stream_of("consult", papers.consult.uid)
    work.audit(AuditTag.RECORD_PRINT, actor, subject, patient_id=papers.patient.id)
    return papers


async def check_decision(
    work: UnitOfWork, actor: Actor, consult_uid: str, *, verdict: str, reason: str
) -> None:
    """Whether this decision could be signed now. Raises what `decide` would raise."""
    await _awaiting(work, actor, consult_uid, verdict=verdict, reason=reason, lock=False)


async def _awaiting(
    work: UnitOfWork, actor: Actor, consult_uid: str, *, verdict: str, reason: str, lock: bool
) -> tuple[Consult, SignedRecord]:
    consult = await consults.get_case(work, actor, consult_uid, Action.DECISION_SIGN, lock=lock)
    subject = stream_of("consult", consult.uid)
    minutes = await records.find_record(work, RecordKind.MINUTES, subject)
    if consult.state is not ConsultState.ANSWERED or minutes is None:
        text = N_("Ca này không còn chờ quyết định. Tải lại để xem.")
        raise Conflict("not_awaiting_decision", text)
    if verdict != "accepted" and not reason.strip():
        text = N_("Ghi lý do sửa hoặc không làm theo")
        raise Invalid("reason_missing", text, field="reason")
    return consult, minutes


async def decide(
    work: UnitOfWork,
    actor: Actor,
    consult_uid: str,
    *,
    verdict: str,
    reason: str,
    method: SignatureMethod,
) -> SignedRecord:
    """The commune doctor's own signed decision; with it the case is closed.

    Raises Missing, Conflict, Invalid (a reason is needed unless the advice is followed).
    """
    consult, minutes = await _awaiting(
        work, actor, consult_uid, verdict=verdict, reason=reason, lock=True
    )
    subject = stream_of("consult", consult.uid)
    content = {
        "number": consult.number,
        "minutes": minutes.uid,
        "minutes_hash": minutes.content_hash,
        "verdict": verdict,
        "reason": reason.strip(),
        "requester": {"name": actor.name, "title": actor.title},
    }
    record = await records.create_draft(work, RecordKind.DECISION, subject, actor, content)
    await records.sign(
        work,
        record,
        actor,
        signed_as="secretary",
        method=method,
        login_session_id=actor.login_session_id,
    )
    await consults.close(work, actor, consult, verdict=verdict, record=record.uid)
    return record


async def add_addendum(
    work: UnitOfWork,
    actor: Actor,
    consult_uid: str,
    *,
    text: str,
    reason: str,
    method: SignatureMethod,
) -> SignedRecord:
    """A signed addition to signed minutes, by either side. The minutes stay as they are."""
    consult = await consults.get_case(work, actor, consult_uid, Action.MINUTES_READ)
    subject = stream_of("consult", consult.uid)
    minutes = await records.find_record(work, RecordKind.MINUTES, subject)
    if minutes is None or minutes.state is not RecordState.SIGNED:
        raise Missing
    content = {
        "number": consult.number,
        "text": text,
        "reason": reason,
        "author": actor.name,
        "title": actor.title,
    }
    record = await records.create_draft(
        work, RecordKind.MINUTES, subject, actor, content, amends=minutes
    )
    signed_as = "chair" if actor.id == consult.assigned_id else "secretary"
    await records.sign(
        work,
        record,
        actor,
        signed_as=signed_as,
        method=method,
        login_session_id=actor.login_session_id,
    )
    await append_event(work, subject, "addendum_signed", actor.id, record=record.uid)
    work.audit(AuditTag.RECORD_ADDENDUM, actor, subject, patient_id=consult.patient_id)
    return record
