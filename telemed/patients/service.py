"""Rules of the patient registry; the only writer of patients and consents."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy.exc import IntegrityError

from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Denied, FieldError, Invalid
from telemed.core.text import fold
from telemed.facilities.models import Commune, Facility
from telemed.patients import repository
from telemed.patients.cards import read_card
from telemed.patients.identity import TEMPORARY_CHANCES, Doubt, make_temporary_code
from telemed.patients.intake import PatientForm, PatientValues, check, fill_from_card
from telemed.patients.models import AllergyState, Patient

_IDENTITY = ("personal_number", "old_number", "insurance_number", "folded_name", "birth_year")


@dataclass(frozen=True)
class Proposal:
    """Nothing was saved yet: what has to be looked at first."""

    doubts: tuple[Doubt, ...] = ()
    candidates: tuple[Patient, ...] = ()
    existing: Patient | None = None

    @property
    def to_confirm(self) -> str:
        """What the form sends back as `confirmed` to be saved all the same."""
        return " ".join([*(d.code for d in self.doubts), *(c.uid for c in self.candidates)])


@dataclass(frozen=True)
class CardReading:
    """The fields that a scanned card fills, and the patient who already has its number."""

    values: dict[str, str]
    existing: Patient | None


@dataclass(frozen=True)
class PatientPage:
    """One page of a search; `older` names the last patient where there are more."""

    patients: tuple[Patient, ...]
    older: str = ""


def local_today(work: UnitOfWork) -> date:
    """The day it is at the stations."""
    return work.now().astimezone(LOCAL_ZONE).date()


async def search(work: UnitOfWork, actor: Actor, text: str, *, before: str = "") -> PatientPage:
    """Patients of the own station by words of the name, number, phone or a scanned card."""
    require(actor, Action.PATIENT_SEARCH)
    size = repository.PAGE_SIZE
    found = await repository.list_patients(work, actor, text, before=before, limit=size + 1)
    shown = tuple(found[:size])
    _audit_list(work, actor, shown)
    return PatientPage(shown, shown[-1].uid if len(found) > size else "")


async def get_patient(work: UnitOfWork, actor: Actor, uid: str) -> Patient:
    """A patient of the own station; the read is on record."""
    patient = await repository.get_patient(work, actor, uid, Action.PATIENT_READ)
    work.audit(AuditTag.PATIENT_READ, actor, patient.uid, patient_id=patient.id)
    return patient


async def get_patient_to_change(work: UnitOfWork, actor: Actor, uid: str) -> Patient:
    """A patient whom the actor may change; the read is on record."""
    patient = await repository.get_patient(work, actor, uid, Action.PATIENT_WRITE)
    work.audit(AuditTag.PATIENT_READ, actor, patient.uid, patient_id=patient.id)
    return patient


async def scan_card(work: UnitOfWork, actor: Actor, text: str) -> CardReading:
    """Read the QR text of a card, and look whether the station knows its holder."""
    require(actor, Action.PATIENT_WRITE)
    values = fill_from_card(read_card(text, local_today(work)))
    number = values.get("personal_number")
    station_id = working_station(actor)
    existing = await repository.find_by_number(work, station_id, number, other_than=None)
    _audit_list(work, actor, (existing,) if existing else ())
    return CardReading(values, existing)


async def register(work: UnitOfWork, actor: Actor, form: PatientForm) -> Patient | Proposal:
    """Add a patient to the own station, unless something has to be looked at first."""
    require(actor, Action.PATIENT_WRITE)
    station_id = working_station(actor)
    values, doubts = check(form, local_today(work))
    await _require_commune(work, values)
    proposal = await _propose(work, actor, station_id, values, doubts=doubts)
    if proposal.existing or not _is_confirmed(proposal, form):
        return proposal
    patient = Patient(
        station_id=station_id,
        full_name=values.full_name,
        folded_name=fold(values.full_name),
        sex=values.sex,
        birth_year=values.birth.year,
        created_by_id=actor.id,
        created_at=work.now(),
        temporary_code=await _temporary_code(work, station_id, values),
        **_columns(values),
    )
    patient.allergies_asked_on = _asked_on(work, patient, None)
    work.session.add(patient)
    await _flush(work)
    work.audit(AuditTag.PATIENT_CREATE, actor, patient.uid, patient_id=patient.id)
    return patient


async def change(work: UnitOfWork, actor: Actor, uid: str, form: PatientForm) -> Patient | Proposal:
    """Correct a patient; refuses to overwrite what somebody else changed meanwhile."""
    patient = await repository.get_patient(work, actor, uid, Action.PATIENT_WRITE)
    values, doubts = check(form, local_today(work))
    await _require_commune(work, values)
    if form.revision != patient.revision:
        raise Conflict(
            "changed_meanwhile", N_("Nội dung vừa được người khác đổi. Tải lại để xem bản mới.")
        )
    new = _columns(values) | {
        "full_name": values.full_name,
        "folded_name": fold(values.full_name),
        "sex": values.sex,
        "birth_year": values.birth.year,
    }
    if patient.temporary_code is None and values.personal_number is None:
        new["temporary_code"] = await _temporary_code(work, patient.station_id, values)
    changed = sorted(name for name, value in new.items() if getattr(patient, name) != value)
    if not set(changed).isdisjoint((*_IDENTITY, "sex")):
        proposal = await _propose(
            work, actor, patient.station_id, values, doubts=doubts, other_than=patient.id
        )
        if proposal.existing or not _is_confirmed(proposal, form):
            return proposal
    before = patient.allergy_state, patient.allergies
    for name in changed:
        setattr(patient, name, new[name])
    patient.allergies_asked_on = _asked_on(work, patient, before)
    work.session.add(patient)
    await _flush(work)
    work.audit(AuditTag.PATIENT_CHANGE, actor, patient.uid, patient_id=patient.id, fields=changed)
    return patient


def working_station(actor: Actor) -> int:
    """The station an actor registers for: where they are posted now, else their own."""
    if actor.posted_station_id is not None and actor.has(Role.ROTATED_DOCTOR):
        return actor.posted_station_id
    if not actor.station_ids:
        raise Denied("no_station", N_("Hôm nay bạn chưa được phân về trạm nào"))
    return next(iter(actor.station_ids))


async def _propose(
    work: UnitOfWork,
    actor: Actor,
    station_id: int,
    values: PatientValues,
    *,
    doubts: tuple[Doubt, ...],
    other_than: int | None = None,
) -> Proposal:
    existing = await repository.find_by_number(
        work, station_id, values.personal_number, other_than=other_than
    )
    if existing:
        proposal = Proposal(existing=existing)
    else:
        found = await repository.list_candidates(work, station_id, values, other_than=other_than)
        proposal = Proposal(doubts, tuple(found))
    _audit_list(work, actor, (existing,) if existing else proposal.candidates)
    return proposal


def _is_confirmed(proposal: Proposal, form: PatientForm) -> bool:
    return set(proposal.to_confirm.split()) <= set(form.confirmed.split())


def _columns(values: PatientValues) -> dict[str, Any]:
    """The columns that are stored as they were read."""
    apart = {"full_name", "sex", "birth"}
    same = {f.name: getattr(values, f.name) for f in fields(values) if f.name not in apart}
    return same | {"birth_date": values.birth.on}


def _asked_on(
    work: UnitOfWork, patient: Patient, before: tuple[AllergyState, str] | None
) -> date | None:
    """The day of the answer: today for a new one, none where nobody has asked."""
    if patient.allergy_state is AllergyState.NOT_ASKED:
        return None
    if before == (patient.allergy_state, patient.allergies):
        return patient.allergies_asked_on
    return local_today(work)


async def _temporary_code(work: UnitOfWork, station_id: int, values: PatientValues) -> str | None:
    if values.temporary_reason is None:
        return None
    station = await work.session.get_one(Facility, station_id)
    while True:
        chance = secrets.randbelow(TEMPORARY_CHANCES)
        code = make_temporary_code(station.code, local_today(work), chance)
        if not await repository.has_temporary_code(work, code):
            return code


async def _require_commune(work: UnitOfWork, values: PatientValues) -> None:
    if values.commune_code and not await work.session.get(Commune, values.commune_code):
        message = N_("Chọn xã, phường trong danh sách, hoặc ngoài tỉnh")
        raise Invalid("commune_unknown", message, field="commune_code")


async def _flush(work: UnitOfWork) -> None:
    """Two people may register the same number at once; the database lets one of them."""
    try:
        await work.session.flush()
    except IntegrityError as error:
        message = N_("Trạm vừa ghi người bệnh mang số này. Tìm lại theo số định danh.")
        field = FieldError("personal_number", "patient_exists", message)
        raise Conflict("patient_exists", message, fields=[field]) from error


def _audit_list(work: UnitOfWork, actor: Actor, shown: Sequence[Patient]) -> None:
    """Who was listed goes on record; what was typed does not, as it names people."""
    if shown:
        ids = [patient.id for patient in shown]
        work.audit(AuditTag.PATIENT_LIST, actor, "patients", patient_ids=ids)
