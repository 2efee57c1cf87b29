"""What is known of a patient's allergies, as other rooms learn it."""

from __future__ import annotations

from sqlalchemy.orm.exc import StaleDataError

from telemed.accounts.permissions import Action, Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.patients import repository
from telemed.patients.models import AllergyState, Patient
from telemed.patients.service import local_today


async def record_allergies(
    work: UnitOfWork, actor: Actor, patient_uid: str, state: AllergyState, allergies: str
) -> Patient:
    """Write down an answer that differs from what is known; the same answer changes nothing.

    The caller has shown the actor what was known; the row's version settles a race.
    """
    patient = await repository.get_patient(work, actor, patient_uid, Action.PATIENT_WRITE)
    if (patient.allergy_state, patient.allergies) == (state, allergies):
        return patient
    patient.allergy_state, patient.allergies = state, allergies
    is_asked = state is not AllergyState.NOT_ASKED
    patient.allergies_asked_on = local_today(work) if is_asked else None
    work.session.add(patient)
    try:
        await work.session.flush()
    except StaleDataError as error:
        message = N_("Nội dung vừa được người khác đổi. Tải lại để xem bản mới.")
        raise Conflict("changed_meanwhile", message) from error
    work.audit(
        AuditTag.PATIENT_CHANGE,
        actor,
        patient.uid,
        patient_id=patient.id,
        fields=["allergies", "allergy_state"],
    )
    return patient
