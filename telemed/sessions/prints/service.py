"""Printing a paper of a case, and telling whether a print is genuine and current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor
from telemed.consults import service as consults
from telemed.consults.models import Consult
from telemed.consults.request.sheet import RequestSheet, read_sheet
from telemed.core import records
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.events import stream_of
from telemed.core.records import RecordKind, RecordState, content_hash
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.sessions import minutes
from telemed.sessions.minutes import CasePapers, Paper
from telemed.sessions.minutes_content import patient_facts
from telemed.sessions.prints import referral
from telemed.sessions.prints.codes import new_code, read_code
from telemed.sessions.prints.models import PaperKind, Printout


@dataclass(frozen=True)
class RequestPaper:
    """A request as it goes onto paper."""

    sheet: RequestSheet
    who: Mapping[str, Any]
    station: Facility
    requester: Person


@dataclass(frozen=True)
class Verdict:
    """What anybody may know of a print. `is_current`: nothing was added or changed since."""

    printout: Printout
    is_current: bool


async def print_minutes(
    work: UnitOfWork, actor: Actor, consult_uid: str
) -> tuple[CasePapers, Printout]:
    """The minutes with everything that was added; each print is on record. Raises Missing."""
    papers = await minutes.open_print(work, actor, consult_uid)
    printed = await _issue(work, actor, PaperKind.MINUTES, papers.consult)
    return papers, printed


async def print_request(
    work: UnitOfWork, actor: Actor, consult_uid: str
) -> tuple[RequestPaper, Printout]:
    """A request that was sent. Raises Missing."""
    consult = await consults.get_case(work, actor, consult_uid, Action.CONSULT_READ)
    if consult.requested_at is None:
        raise Missing
    printed = await _issue(work, actor, PaperKind.REQUEST, consult)
    paper = RequestPaper(
        await read_sheet(work, consult),
        patient_facts(await work.session.get_one(Patient, consult.patient_id), consult),
        await work.session.get_one(Facility, consult.station_id),
        await work.session.get_one(Person, consult.requester_id),
    )
    _note(work, actor, consult)
    return paper, printed


async def print_referral(
    work: UnitOfWork, actor: Actor, consult_uid: str
) -> tuple[Paper, Printout]:
    """A signed referral letter. Raises Missing."""
    consult = await consults.get_case(work, actor, consult_uid, Action.MINUTES_READ)
    paper = await referral.find_letter(work, consult)
    if paper is None:
        raise Missing
    printed = await _issue(work, actor, PaperKind.REFERRAL, consult)
    _note(work, actor, consult)
    return paper, printed


def _note(work: UnitOfWork, actor: Actor, consult: Consult) -> None:
    subject = stream_of("consult", consult.uid)
    work.audit(AuditTag.RECORD_PRINT, actor, subject, patient_id=consult.patient_id)


async def _issue(work: UnitOfWork, actor: Actor, kind: PaperKind, consult: Consult) -> Printout:
    printed = Printout(
        code=new_code(),
        kind=kind,
        subject=stream_of("consult", consult.uid),
        number=consult.number or "",
        place=actor.place,
        digest=await _digest(work, kind, consult),
        printed_by_id=actor.id,
        printed_at=work.now(),
    )
    work.session.add(printed)
    await work.session.flush()
    return printed


async def _digest(work: UnitOfWork, kind: PaperKind, consult: Consult) -> str:
    """The hash of what a paper says now."""
    said: Mapping[PaperKind, Any] = {
        PaperKind.MINUTES: _minutes_said,
        PaperKind.REQUEST: _request_said,
        PaperKind.REFERRAL: _referral_said,
    }
    return content_hash(await said[kind](work, consult))


async def _minutes_said(work: UnitOfWork, consult: Consult) -> dict[str, Any]:
    subject = stream_of("consult", consult.uid)
    signed = await records.find_record(work, RecordKind.MINUTES, subject)
    if signed is None or signed.state is not RecordState.SIGNED:
        return {}
    decision = await records.find_record(work, RecordKind.DECISION, subject)
    addenda = await records.list_addenda(work, signed)
    return {
        "minutes": signed.content_hash,
        "decision": decision.content_hash if decision else None,
        "addenda": [each.content_hash for each in addenda],
    }


async def _request_said(work: UnitOfWork, consult: Consult) -> dict[str, Any]:
    sheet = await read_sheet(work, consult)
    names = ("number", "reason", "history", "examination", "medication", "treatment", "diagnosis")
    return {
        **{name: getattr(consult, name) for name in names},
        "icd_code": consult.icd_code,
        "urgency": consult.urgency.value if consult.urgency else None,
        "questions": [question.text for question in sheet.questions],
        "vitals": [[row.taken_at.isoformat(), row.values] for row, *_ in sheet.vitals],
    }


async def _referral_said(work: UnitOfWork, consult: Consult) -> dict[str, Any]:
    paper = await referral.find_letter(work, consult)
    return {"referral": paper.record.content_hash if paper else None}


async def verify(work: UnitOfWork, typed: str) -> Verdict | None:
    """What a print with this code is; None for a code of none. Says nothing of its content."""
    code = read_code(typed)
    if code is None:
        return None
    query = select(Printout).where(col(Printout.code) == code)
    printed = (await work.session.exec(query)).one_or_none()
    if printed is None:
        return None
    uid = printed.subject.partition(":")[2]
    consult = (await work.session.exec(select(Consult).where(col(Consult.uid) == uid))).one()
    now = await _digest(work, printed.kind, consult)
    return Verdict(printed, is_current=now == printed.digest)
