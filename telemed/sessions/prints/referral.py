"""The referral letter: why and how a patient goes on to another facility, signed by the station.

Fields after the transfer form of the health-insurance decree (188/2025, form 6): where the patient
was treated, findings, diagnosis, treatment so far, condition, reason, plan, time, transport, escort.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from telemed.accounts.permissions import Action, Actor
from telemed.consults import service as consults
from telemed.consults.models import Consult
from telemed.consults.request.sheet import read_sheet
from telemed.core import records
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid
from telemed.core.events import append_event, stream_of
from telemed.core.records import RecordKind, SignatureMethod, SignedRecord
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.sessions.minutes import Paper, read_paper
from telemed.sessions.minutes_content import patient_facts

LONGEST = 4000
LONGEST_LINE = 200
SIGNED = "referral_signed"


class Reason(StrEnum):
    """Why the patient is moved, as the form asks."""

    BEYOND_SCOPE = "beyond_scope"
    WISHED = "wished"


@dataclass(frozen=True)
class ReferralForm:
    """What the station opens: the case, its patient, and the letter as it would stand now."""

    consult: Consult
    patient: Patient
    letter: Paper | None
    draft: Mapping[str, str]


async def open_form(work: UnitOfWork, actor: Actor, consult_uid: str) -> ReferralForm:
    """A letter filled in from request and minutes, or the one that was signed. Raises Missing."""
    consult = await consults.get_case(work, actor, consult_uid, Action.REFERRAL_SIGN)
    return ReferralForm(
        consult,
        await work.session.get_one(Patient, consult.patient_id),
        await find_letter(work, consult),
        await _draft(work, consult),
    )


async def _draft(work: UnitOfWork, consult: Consult) -> dict[str, str]:
    subject = stream_of("consult", consult.uid)
    minutes = await records.find_record(work, RecordKind.MINUTES, subject)
    said = minutes.content if minutes and minutes.content_hash else {}
    return {
        "to": str(said.get("hospital", "")),
        "findings": "\n".join(part for part in (consult.reason, consult.examination) if part),
        "results": str(said.get("findings", "")),
        "diagnosis": consult.diagnosis,
        "treatment": "\n".join(part for part in (consult.medication, consult.treatment) if part),
        "plan": str(said.get("advice", "")),
    }


async def find_letter(work: UnitOfWork, consult: Consult) -> Paper | None:
    """The signed letter of a case that the caller was let into."""
    subject = stream_of("consult", consult.uid)
    record = await records.find_record(work, RecordKind.REFERRAL, subject)
    return await read_paper(work, record) if record else None


def check(values: Mapping[str, str], leaves_at: datetime | None, now: datetime) -> None:
    """Whether everything is there. Raises Invalid naming each field."""
    faults = [
        FieldError(name, "missing", N_("Chưa ghi mục này"))
        for name in ("to", "findings", "diagnosis", "condition", "reason", "transport")
        if not values.get(name, "").strip()
    ]
    if values.get("reason", "").strip() and values["reason"] not in set(Reason):
        faults.append(FieldError("reason", "enum", N_("Chọn một trong các giá trị có sẵn")))
    if leaves_at is None:
        faults.append(FieldError("leaves_clock", "missing", N_("Chưa ghi mục này")))
    elif abs((leaves_at - now).days) > 1:
        text = N_("Giờ chuyển phải trong khoảng một ngày quanh lúc này")
        faults.append(FieldError("leaves_on", "leaves_far", text))
    if faults:
        raise Invalid.of(faults)


async def sign(  # noqa: PLR0917 # who signs what of which case, how
    work: UnitOfWork,
    actor: Actor,
    consult_uid: str,
    values: Mapping[str, str],
    leaves_at: datetime | None,
    method: SignatureMethod,
) -> SignedRecord:
    """Fix and sign the letter; one for a case. Raises Missing, Invalid, Conflict."""
    consult = await consults.get_case(work, actor, consult_uid, Action.REFERRAL_SIGN, lock=True)
    check(values, leaves_at, work.now())
    assert leaves_at
    subject = stream_of("consult", consult.uid)
    if await records.find_record(work, RecordKind.REFERRAL, subject):
        raise Conflict("referral_signed", N_("Ca này đã có giấy chuyển. Tải lại để xem."))
    content = await _content(work, actor, consult, values, leaves_at)
    record = await records.create_draft(work, RecordKind.REFERRAL, subject, actor, content)
    await records.sign(
        work,
        record,
        actor,
        signed_as="treating_doctor",
        method=method,
        login_session_id=actor.login_session_id,
    )
    await append_event(work, subject, SIGNED, actor.id, record=record.uid)
    return record


async def _content(
    work: UnitOfWork,
    actor: Actor,
    consult: Consult,
    values: Mapping[str, str],
    leaves_at: datetime,
) -> dict[str, Any]:
    patient = await work.session.get_one(Patient, consult.patient_id)
    station = await work.session.get_one(Facility, consult.station_id)
    vitals = (await read_sheet(work, consult)).vitals
    cells = vitals[0][1] if vitals else []
    return {
        "number": consult.number,
        "patient": patient_facts(patient, consult),
        "station": station.name,
        "doctor": {"name": actor.name, "title": actor.title},
        "treated_from": (consult.requested_at or work.now())
        .astimezone(LOCAL_ZONE)
        .date()
        .isoformat(),
        "leaves_at": leaves_at.isoformat(),
        "icd_code": consult.icd_code,
        "vitals": [[cell.key, cell.value] for cell in cells if cell.value],
        **{name: text.strip() for name, text in values.items()},
    }
