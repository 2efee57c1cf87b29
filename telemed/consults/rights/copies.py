"""Everything that is held about a patient, for the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.case.casefile import list_for_patient
from telemed.consults.models import Consult
from telemed.consults.retention import Retention, retention_of
from telemed.consults.rights.models import RightsRequest
from telemed.consults.rights.rules import OPEN, RightKind
from telemed.consults.rights.service import get_request
from telemed.consults.worklist.rows import CaseRow
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.facilities.models import Facility
from telemed.patients.consents import list_consents
from telemed.patients.merging.service import identities
from telemed.patients.models import Consent, Patient

MOST_READERS: Final = 200
_READS: Final = (
    *(AuditTag.PATIENT_READ, AuditTag.CONSULT_READ, AuditTag.FILE_READ),
    *(AuditTag.MINUTES_READ, AuditTag.RECORDING_READ, AuditTag.HISTORY_READ),
)


@dataclass(frozen=True)
class HeldCase:
    """A case, and how long it is kept."""

    row: CaseRow
    retention: Retention


@dataclass(frozen=True)
class Look:
    """Who has read something of it, and when."""

    at: datetime
    tag: AuditTag
    person: str
    place: str


@dataclass(frozen=True)
class Copy:
    """What is held, as it is told to the patient."""

    request: RightsRequest
    patient: Patient
    consents: Sequence[Consent]
    cases: Sequence[HeldCase]
    looks: Sequence[Look]


async def make_copy(work: UnitOfWork, actor: Actor, uid: str) -> Copy:
    """For a request to see, accepted or done; every read it needs is on record. Raises Missing."""
    found = await get_request(work, actor, uid)
    patient = found.patient
    if patient is None or found.request.kind is not RightKind.VIEW:
        raise Missing
    if found.request.state in OPEN and found.request.answered_at is None:
        raise Missing
    rows = await list_for_patient(work, actor, patient)
    return Copy(
        found.request,
        patient,
        await list_consents(work, actor, patient),
        [HeldCase(row, await _retention(work, row)) for row in rows],
        await _looks(work, patient),
    )


async def _retention(work: UnitOfWork, row: CaseRow) -> Retention:
    return await retention_of(work, await work.session.get_one(Consult, row.id))


async def _looks(work: UnitOfWork, patient: Patient) -> list[Look]:
    query = (
        select(AuditRecord.at, AuditRecord.tag, Person.full_name, Facility.name)
        .join(Person, col(Person.id) == col(AuditRecord.person_id))
        .join(Facility, col(Facility.id) == col(Person.facility_id), isouter=True)
        .where(
            col(AuditRecord.patient_id).in_(await identities(work, patient.id or 0)),
            col(AuditRecord.tag).in_(_READS),
        )
        .order_by(col(AuditRecord.sequence).desc())
        .limit(MOST_READERS)
    )
    rows = (await work.session.exec(query)).all()
    return [Look(at, AuditTag(tag), person, place or "") for at, tag, person, place in rows]
