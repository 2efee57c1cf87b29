"""Consents: who agreed to what, by which words, and when it was taken back."""

from __future__ import annotations

from dataclasses import dataclass

from telemed.accounts.permissions import Action, Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, too_long
from telemed.core.text import clean_line
from telemed.patients import repository
from telemed.patients.consent_texts import CURRENT, find_text
from telemed.patients.models import Consent, ConsentGiver, ConsentPurpose, Patient

_NAME_LIMIT = 100
_LANGUAGE_LIMIT = 20


@dataclass(frozen=True)
class ConsentAnswer:
    """One answer to one purpose, as it was given; a refusal is an answer too."""

    purpose: ConsentPurpose
    is_granted: bool
    given_by: ConsentGiver = ConsentGiver.PATIENT
    giver_name: str = ""
    text_version: str = ""
    language: str = "vi"
    interpreter: str = ""


async def record_consent(
    work: UnitOfWork,
    actor: Actor,
    patient_uid: str,
    answer: ConsentAnswer,
    *,
    consult_uid: str | None = None,
) -> Consent:
    """Write an answer down; a newer answer of the same case takes the place of the older."""
    patient = await repository.get_patient(work, actor, patient_uid, Action.PATIENT_WRITE)
    checked = check_answer(answer)
    in_force = await repository.list_in_force(work, patient, answer.purpose, consult_uid)
    consent = Consent(
        patient_id=_key(patient),
        consult_uid=consult_uid,
        purpose=checked.purpose,
        is_granted=checked.is_granted,
        given_by=checked.given_by,
        giver_name=checked.giver_name,
        text_version=checked.text_version,
        language=checked.language,
        interpreter=checked.interpreter,
        recorded_by_id=actor.id,
        at=work.now(),
    )
    work.session.add(consent)
    # The patient's row first, as a merge does: the other way round the two would wait in a ring.
    await work.session.flush()
    for earlier in in_force:
        if earlier.consult_uid == consult_uid:
            earlier.withdrawn_at = work.now()
            work.session.add(earlier)
    await work.session.flush()
    work.audit(
        AuditTag.CONSENT_RECORD,
        actor,
        patient.uid,
        patient_id=patient.id,
        purpose=checked.purpose.value,
        granted=checked.is_granted,
        given_by=checked.given_by.value,
        consult=consult_uid,
    )
    return consent


async def withdraw_consent(
    work: UnitOfWork,
    actor: Actor,
    patient_uid: str,
    purpose: ConsentPurpose,
    *,
    consult_uid: str | None = None,
) -> list[Consent]:
    """Take back what was agreed to for a purpose, in one case or in all of the patient's."""
    patient = await repository.get_patient(work, actor, patient_uid, Action.PATIENT_WRITE)
    in_force = await _given(work, patient, purpose, consult_uid)
    if not in_force:
        raise Conflict("consent_not_in_force", N_("Mục này chưa được đồng ý, hoặc đã rút lại"))
    for consent in in_force:
        consent.withdrawn_at = work.now()
        work.session.add(consent)
    await work.session.flush()
    work.audit(
        AuditTag.CONSENT_WITHDRAW,
        actor,
        patient.uid,
        patient_id=patient.id,
        purpose=purpose.value,
        consult=consult_uid,
    )
    return in_force


async def list_agreed_cases(
    work: UnitOfWork, patient: Patient, purpose: ConsentPurpose
) -> list[str]:
    """The cases of a patient, already given to the actor, in which somebody agreed to a purpose."""
    return [each.consult_uid for each in await _given(work, patient, purpose) if each.consult_uid]


async def _given(
    work: UnitOfWork, patient: Patient, purpose: ConsentPurpose, consult_uid: str | None = None
) -> list[Consent]:
    """What was said yes to; the law's own basis in an emergency is nobody's to take back."""
    in_force = await repository.list_in_force(work, patient, purpose, consult_uid)
    return [each for each in in_force if each.given_by is not ConsentGiver.EMERGENCY]


async def list_consents(work: UnitOfWork, actor: Actor, patient: Patient) -> list[Consent]:
    """Every answer of a patient of the own station, newest first."""
    await repository.get_patient(work, actor, patient.uid, Action.PATIENT_READ)
    return await repository.list_consents(work, patient)


async def has_consent(
    work: UnitOfWork, patient_id: int, purpose: ConsentPurpose, consult_uid: str
) -> bool:
    """Whether a purpose is agreed to in a case now; a rule of other domains, not a reading."""
    return await find_consent(work, patient_id, purpose, consult_uid) is not None


async def find_consent(
    work: UnitOfWork, patient_id: int, purpose: ConsentPurpose, consult_uid: str
) -> Consent | None:
    """The agreement that is in force, for the wording it was given to."""
    return await repository.find_agreed(work, patient_id, purpose, consult_uid)


def check_answer(answer: ConsentAnswer, prefix: str = "") -> ConsentAnswer:
    """Return the answer tidied up; raises once with every field that must be corrected."""
    errors: list[FieldError] = []
    name, interpreter = clean_line(answer.giver_name), clean_line(answer.interpreter)
    version = answer.text_version or CURRENT[answer.purpose].version
    if find_text(answer.purpose, version) is None:
        message = N_("Câu hỏi đồng ý đã đổi. Tải lại trang rồi hỏi lại người bệnh.")
        errors.append(FieldError(f"{prefix}text_version", "text_version_unknown", message))
    is_emergency = answer.given_by is ConsentGiver.EMERGENCY
    if is_emergency and answer.is_granted and answer.purpose is not ConsentPurpose.CONSULT:
        message = N_("Căn cứ cấp cứu chỉ dùng cho hội chẩn. Ghi hình và giảng dạy phải hỏi riêng.")
        errors.append(FieldError(f"{prefix}given_by", "emergency_only_for_consult", message))
    if answer.given_by is ConsentGiver.GUARDIAN and not name:
        message = N_("Ghi họ tên người đại diện đã trả lời")
        errors.append(FieldError(f"{prefix}giver_name", "guardian_missing", message))
    for field, text, limit in (
        ("giver_name", name, _NAME_LIMIT),
        ("interpreter", interpreter, _NAME_LIMIT),
        ("language", clean_line(answer.language), _LANGUAGE_LIMIT),
    ):
        errors += too_long(f"{prefix}{field}", text, limit)
    if errors:
        raise Invalid.of(errors)
    return ConsentAnswer(
        purpose=answer.purpose,
        is_granted=answer.is_granted,
        given_by=answer.given_by,
        giver_name=name,
        text_version=version,
        language=clean_line(answer.language) or "vi",
        interpreter=interpreter,
    )


def _key(patient: Patient) -> int:
    assert patient.id is not None
    return patient.id
