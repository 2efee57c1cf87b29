"""A request that was sent, as everybody of the case reads it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select

from telemed.consults import icd, repository
from telemed.consults.models import Consult, ConsultQuestion, VitalSigns
from telemed.consults.triage.assessment import Assessment
from telemed.consults.vitals.assessing import assess_stored, birth_of
from telemed.consults.vitals.cells import VitalCell, cells_of
from telemed.core.db import UnitOfWork
from telemed.patients.models import Consent, Patient


@dataclass(frozen=True)
class RequestSheet:
    """The read-only form; `consults/request_read.html` shows it under the name `sheet`."""

    consult: Consult
    questions: list[ConsultQuestion]
    vitals: list[tuple[VitalSigns, list[VitalCell], Assessment]]
    icd_title: str
    consents: list[Consent]


async def read_sheet(work: UnitOfWork, consult: Consult) -> RequestSheet:
    """The sheet of a consult that the actor has already been let into."""
    signs = await repository.list_vital_signs(work, consult)
    birth = birth_of(await work.session.get_one(Patient, consult.patient_id))
    title = ""
    if consult.icd_code:
        title = await icd.find_title(
            work, consult.icd_code, consult.icd_system or "", consult.icd_version or ""
        )
    query = select(Consent).where(col(Consent.consult_uid) == consult.uid)
    consents = (await work.session.exec(query.order_by(col(Consent.id)))).all()
    return RequestSheet(
        consult=consult,
        questions=await repository.list_questions(work, consult),
        vitals=[
            (one, cells_of(one, consult.patient_age_years), assess_stored(one, birth))
            for one in signs
        ],
        icd_title=title,
        consents=list(consents),
    )
