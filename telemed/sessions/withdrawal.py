"""A patient takes back what they agreed to: what ends with it, seen beforehand and then done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select

from telemed.accounts.permissions import Actor
from telemed.consults import service as consults
from telemed.consults.lifecycle import TRANSITIONS, ConsultEvent, ConsultState
from telemed.consults.models import Consult
from telemed.consults.rights.rules import AskedBy
from telemed.consults.rights.service import record_withdrawal
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.core.text import clean_line
from telemed.patients import consents
from telemed.patients.models import ConsentPurpose, Patient
from telemed.patients.service import get_patient_to_change
from telemed.scheduling.service import release_bookings
from telemed.sessions import repository
from telemed.sessions.access import find_meeting
from telemed.sessions.lifecycle import SessionEvent
from telemed.sessions.recording import service as recordings
from telemed.sessions.service import close_meeting

# A call is ended first, and leaves its case paused.
_ENDS: Final = frozenset(
    state for state, event in TRANSITIONS if event is ConsultEvent.WITHDRAW_CONSENT
) | {ConsultState.IN_SESSION}
_REASON: Final = "consent_withdrawn"


@dataclass(frozen=True)
class Said:
    """Who takes it back, by name where it is not the patient."""

    by: AskedBy
    name: str = ""


BY_PATIENT: Final = Said(AskedBy.PATIENT)


@dataclass(frozen=True)
class Consequences:
    """What a withdrawal ends, and how many concluded cases stay on record all the same."""

    patient: Patient
    purpose: ConsentPurpose
    ends: Sequence[Consult]
    stays: int


async def foresee(
    work: UnitOfWork, actor: Actor, patient_uid: str, purpose: ConsentPurpose
) -> Consequences:
    """What would follow. Raises Missing, Conflict where nothing is agreed to; the read is on record."""
    patient = await get_patient_to_change(work, actor, patient_uid)
    cases = await _agreed_cases(work, patient, purpose)
    open_cases = [case for case in cases if case.state in _ENDS]
    is_care = purpose is ConsentPurpose.CONSULT
    return Consequences(
        patient,
        purpose,
        open_cases if is_care else (),
        len(cases) - len(open_cases) if is_care else 0,
    )


async def withdraw(
    work: UnitOfWork,
    actor: Actor,
    patient_uid: str,
    purpose: ConsentPurpose,
    said: Said = BY_PATIENT,
) -> None:
    """Take it back with all that follows, in one transaction. Raises Missing, Invalid, Conflict.

    What was concluded under the agreement stays lawful and on record (Law 91/2025/QH15).
    """
    if said.by is AskedBy.GUARDIAN and not clean_line(said.name):
        raise Invalid("guardian_name_missing", N_("Ghi họ tên người đại diện"), field="asker_name")
    patient = await get_patient_to_change(work, actor, patient_uid)
    await _withdraw(work, actor, patient.uid, purpose)
    await record_withdrawal(work, actor, patient, purpose, said.by, said.name)


async def _withdraw(
    work: UnitOfWork, actor: Actor, patient_uid: str, purpose: ConsentPurpose
) -> None:
    if purpose is ConsentPurpose.RECORDING:
        await recordings.withdraw_everywhere(work, actor, patient_uid)
        return
    ends: Sequence[Consult] = ()
    if purpose is ConsentPurpose.CONSULT:
        ends = (await foresee(work, actor, patient_uid, purpose)).ends
        # Sessions before consents, in the order in which those inside lock them.
        for case in ends:
            await _end_call(work, actor, case)
    await consents.withdraw_consent(work, actor, patient_uid, purpose)
    for case in ends:
        await consults.transition(work, actor, case, ConsultEvent.WITHDRAW_CONSENT)
        await release_bookings(work, case, _REASON)


async def _agreed_cases(
    work: UnitOfWork, patient: Patient, purpose: ConsentPurpose
) -> list[Consult]:
    uids = await consents.list_agreed_cases(work, patient, purpose)
    if not uids:
        raise Conflict("consent_not_in_force", N_("Mục này chưa được đồng ý, hoặc đã rút lại"))
    query = select(Consult).where(col(Consult.uid).in_(uids)).order_by(col(Consult.id))
    return list((await work.session.exec(query)).all())


async def _end_call(work: UnitOfWork, actor: Actor, case: Consult) -> None:
    assert case.id
    session = await repository.find_open(work, case.id)
    meeting = await find_meeting(work, session.uid, lock=True) if session else None
    if meeting is not None:
        await close_meeting(work, meeting, SessionEvent.END, actor)
