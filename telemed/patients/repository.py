"""Queries over patients, each for the actor who asks."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, literal, or_
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, PatientFacts, require
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.text import fold
from telemed.patients.identity import find_temporary_code
from telemed.patients.intake import PatientValues
from telemed.patients.models import Consent, ConsentPurpose, Patient

PAGE_SIZE = 25
CANDIDATES_LIMIT = 5
_WORDS_LIMIT = 8
_NUMBER = re.compile(r"\+?[0-9]{2,12}")
_INSURANCE = re.compile(r"[A-Z]{2}[0-9]{1,13}")


async def get_patient(work: UnitOfWork, actor: Actor, uid: str, action: Action) -> Patient:
    """The patient, if the actor may do this to them; unknown and forbidden look alike.

    A file that was merged leads to the one it was merged into.
    """
    file = await get_file(work, actor, uid, action)
    return await find_target(work, file) or file


async def get_file(work: UnitOfWork, actor: Actor, uid: str, action: Action) -> Patient:
    """The very file behind an address, merged or not; raises as `get_patient`."""
    require(actor, action)
    query = select(Patient).where(col(Patient.uid) == uid)
    patient = (await work.session.exec(query)).one_or_none()
    if patient is None:
        raise Missing
    require(actor, action, PatientFacts(station_id=patient.station_id))
    return patient


async def find_target(work: UnitOfWork, patient: Patient) -> Patient | None:
    """The real file that a merged one leads to, through further merges."""
    found = None
    while patient.merged_into_id is not None:
        found = patient = await work.session.get_one(Patient, patient.merged_into_id)
    return found


async def list_patients(
    work: UnitOfWork, actor: Actor, text: str, *, before: str = "", limit: int = PAGE_SIZE
) -> list[Patient]:
    """Patients of the actor's stations who match, newest first, older than the one `before`."""
    query = select(Patient).where(
        col(Patient.station_id).in_(actor.station_ids), col(Patient.merged_into_id).is_(None)
    )
    for condition in _matches(text):
        query = query.where(condition)
    if before:
        older = select(Patient.id).where(col(Patient.uid) == before).scalar_subquery()
        query = query.where(col(Patient.id) < older)
    query = query.order_by(col(Patient.id).desc()).limit(limit)
    return list((await work.session.exec(query)).all())


async def find_by_number(
    work: UnitOfWork, station_id: int, personal_number: str | None, *, other_than: int | None
) -> Patient | None:
    """The patient of the station who already has this personal number."""
    if personal_number is None:
        return None
    query = select(Patient).where(
        col(Patient.station_id) == station_id, col(Patient.personal_number) == personal_number
    )
    patient = (await work.session.exec(query)).one_or_none()
    return patient if patient and patient.id != other_than else None


async def list_candidates(
    work: UnitOfWork, station_id: int, values: PatientValues, *, other_than: int | None
) -> list[Patient]:
    """Patients of the station who may be the same person: same number, or same name and year.

    The last ten digits of an insurance number are the person's, whatever the form of the card.
    """
    same: list[ColumnElement[bool]] = [
        (col(Patient.folded_name) == fold(values.full_name))
        & (col(Patient.birth_year) == values.birth.year)
    ]
    if values.insurance_number:
        same.append(col(Patient.insurance_number).endswith(values.insurance_number[-10:]))
    if values.old_number:
        same.append(col(Patient.old_number) == values.old_number)
    query = select(Patient).where(
        col(Patient.station_id) == station_id, col(Patient.merged_into_id).is_(None), or_(*same)
    )
    if other_than is not None:
        query = query.where(col(Patient.id) != other_than)
    query = query.order_by(col(Patient.id).desc()).limit(CANDIDATES_LIMIT)
    return list((await work.session.exec(query)).all())


async def list_alike(work: UnitOfWork, patient: Patient) -> list[Patient]:
    """Files of the same station with a number that may be the same person's, newest first."""
    same = [col(Patient.folded_name) == patient.folded_name]
    if patient.insurance_number:
        same.append(col(Patient.insurance_number).endswith(patient.insurance_number[-10:]))
    if patient.phone:
        same.append(col(Patient.phone) == patient.phone)
    query = select(Patient).where(
        col(Patient.station_id) == patient.station_id,
        col(Patient.id) != patient.id,
        col(Patient.merged_into_id).is_(None),
        col(Patient.personal_number).is_not(None),
        or_(*same),
    )
    query = query.order_by(col(Patient.id).desc()).limit(PAGE_SIZE)
    return list((await work.session.exec(query)).all())


async def has_temporary_code(work: UnitOfWork, code: str) -> bool:
    """Whether the code is taken."""
    query = select(Patient.id).where(col(Patient.temporary_code) == code)
    return (await work.session.exec(query)).first() is not None


async def list_consents(work: UnitOfWork, patient: Patient) -> list[Consent]:
    """Every answer of a patient the actor has already been given, newest first."""
    query = select(Consent).where(col(Consent.patient_id) == patient.id)
    return list((await work.session.exec(query.order_by(col(Consent.id).desc()))).all())


async def list_in_force(
    work: UnitOfWork, patient: Patient, purpose: ConsentPurpose, consult_uid: str | None
) -> list[Consent]:
    """Agreements to one purpose that were not withdrawn; of one consult where it is named."""
    query = select(Consent).where(
        col(Consent.patient_id) == patient.id,
        col(Consent.purpose) == purpose,
        col(Consent.is_granted),
        col(Consent.withdrawn_at).is_(None),
    )
    if consult_uid is not None:
        query = query.where(col(Consent.consult_uid) == consult_uid)
    return list((await work.session.exec(query.order_by(col(Consent.id)))).all())


async def find_agreed(
    work: UnitOfWork, patient_id: int, purpose: ConsentPurpose, consult_uid: str
) -> Consent | None:
    """The agreement to a purpose of one consult that is in force."""
    query = select(Consent).where(
        col(Consent.patient_id) == patient_id,
        col(Consent.purpose) == purpose,
        col(Consent.consult_uid) == consult_uid,
        col(Consent.is_granted),
        col(Consent.withdrawn_at).is_(None),
    )
    return (await work.session.exec(query)).first()


def _matches(text: str) -> list[ColumnElement[bool]]:
    """Conditions for what was typed or scanned: a number, a code, or words of the name."""
    first = text.split("|", maxsplit=1)[0]
    compact = re.sub(r"[\s.\-]+", "", first).upper()
    if code := find_temporary_code(first):
        # The code on a wristband finds the person, whatever their file is called by now.
        merged = select(Patient.merged_into_id).where(col(Patient.temporary_code) == code)
        return [or_(col(Patient.temporary_code) == code, col(Patient.id).in_(merged))]
    if _NUMBER.fullmatch(compact):
        return [_number_starts(compact.replace("+84", "0", 1).removeprefix("+"))]
    if _INSURANCE.fullmatch(compact):
        return [col(Patient.insurance_number).startswith(compact, autoescape=True)]
    padded = literal(" ") + col(Patient.folded_name)
    words = fold(first).split()[:_WORDS_LIMIT]
    return [padded.contains(f" {word}", autoescape=True) for word in words]


def _number_starts(digits: str) -> ColumnElement[bool]:
    columns = (
        Patient.personal_number,
        Patient.old_number,
        Patient.insurance_number,
        Patient.phone,
    )
    starts = [col(column).startswith(digits, autoescape=True) for column in columns]
    if len(digits) == 10:
        starts.append(col(Patient.insurance_number).endswith(digits, autoescape=True))
    return or_(*starts)
