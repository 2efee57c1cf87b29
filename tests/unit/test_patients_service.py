import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid
from telemed.facilities.models import Facility
from telemed.patients import service
from telemed.patients.intake import PatientForm
from telemed.patients.models import AllergyState, Patient, Sex, TemporaryReason
from telemed.patients.service import Proposal
from tests.factories import Factory

PANH: dict[str, Any] = {
    "personal_number": "011 059 000 123",
    "full_name": "Lò Văn Pánh",
    "sex": "male",
    "birth": "12/03/1959",
    "phone": "+84 912 345 678",
    "insurance_number": "dt4110110059123",
    "ethnic_code": "03",
    "address": "Bản Co Chạy",
    "allergy_state": "none",
}


def form(**changes: Any) -> PatientForm:
    return PatientForm(**(PANH | changes))


@dataclass
class Place:
    """A station with its doctor."""

    station: Facility
    doctor: Actor


@pytest.fixture
async def here(make: Factory) -> Place:
    station = await make.facility()
    return Place(station, await make.actor(Role.COMMUNE_DOCTOR, at=station))


async def saved(work: UnitOfWork, actor: Actor, **changes: Any) -> Patient:
    patient = await service.register(work, actor, form(**changes))
    assert isinstance(patient, Patient)
    return patient


async def proposed(work: UnitOfWork, actor: Actor, **changes: Any) -> Proposal:
    proposal = await service.register(work, actor, form(**changes))
    assert isinstance(proposal, Proposal)
    return proposal


async def acts(work: UnitOfWork) -> list[AuditRecord]:
    await work.commit()
    records = select(AuditRecord).order_by(col(AuditRecord.sequence))
    return list((await work.session.exec(records)).all())


async def names(work: UnitOfWork, actor: Actor, text: str) -> list[str]:
    return [p.full_name for p in (await service.search(work, actor, text)).patients]


# --- registering -----------------------------------------------------------------------------


async def test_a_typed_patient_is_stored_as_it_means(work: UnitOfWork, here: Place) -> None:
    patient = await saved(work, here.doctor)
    await work.commit()
    await work.session.refresh(patient)
    assert patient.station_id == here.station.id
    assert patient.personal_number == "011059000123"
    assert patient.temporary_code is None
    assert patient.insurance_number == "DT4110110059123"
    assert (patient.full_name, patient.folded_name) == ("Lò Văn Pánh", "lo van panh")
    assert (patient.sex, patient.birth_date, patient.birth_year) == (
        Sex.MALE,
        date(1959, 3, 12),
        1959,
    )
    assert patient.phone == "0912345678"
    assert (patient.allergy_state, patient.allergies_asked_on) == (
        AllergyState.NONE,
        date(2026, 11, 23),
    )
    assert patient.created_by_id == here.doctor.id


async def test_a_year_of_birth_is_enough(work: UnitOfWork, here: Place) -> None:
    patient = await saved(work, here.doctor, birth="1959")
    assert (patient.birth_date, patient.birth_year) == (None, 1959)


async def test_a_form_is_refused_once_with_every_wrong_field(work: UnitOfWork, here: Place) -> None:
    wrong = {
        "personal_number": "12",
        "full_name": " ",
        "sex": "",
        "birth": "30/02/1959",
        "phone": "0123",
        "insurance_number": "X",
        "old_number": "1",
        "guardian_phone": "1",
        "ethnic_code": "99",
        "allergy_state": "known",
        "address": "a" * 201,
        "interpreter_language": "klingon",
        "guardian_name": "a" * 101,
    }
    with pytest.raises(Invalid) as refused:
        await service.register(work, here.doctor, form(**wrong))
    fields = [error.field for error in refused.value.fields]
    assert set(fields) == (set(wrong) - {"allergy_state"}) | {"allergies"}
    assert len(fields) == len(set(fields))
    assert all(error.message.format(**error.params) for error in refused.value.fields)
    assert await names(work, here.doctor, "") == []


@pytest.mark.parametrize("change", [{"commune_code": "99999"}, {"commune_code": "x" * 900}])
async def test_an_unknown_commune_is_refused(
    work: UnitOfWork, here: Place, change: dict[str, str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await service.register(work, here.doctor, form(**change))
    assert refused.value.fields[0].field == "commune_code"


async def test_a_commune_of_the_list_is_taken(work: UnitOfWork, here: Place, make: Factory) -> None:
    commune = await make.commune()
    assert (await saved(work, here.doctor, commune_code=commune.code)).commune_code == commune.code


async def test_either_a_number_or_a_reason_is_needed(work: UnitOfWork, here: Place) -> None:
    with pytest.raises(Invalid) as refused:
        await service.register(work, here.doctor, form(personal_number=""))
    assert [error.field for error in refused.value.fields] == ["personal_number"]


@pytest.mark.parametrize("reason", TemporaryReason)
async def test_a_person_without_a_number_gets_a_temporary_code(
    work: UnitOfWork, here: Place, reason: TemporaryReason
) -> None:
    patient = await saved(work, here.doctor, personal_number="", temporary_reason=reason.value)
    assert patient.temporary_code is not None
    assert patient.temporary_code.startswith(f"TT-{here.station.code}-261123-")
    assert (patient.temporary_reason, patient.personal_number) == (reason, None)


async def test_a_number_found_later_keeps_the_temporary_code(work: UnitOfWork, here: Place) -> None:
    newborn = await saved(work, here.doctor, personal_number="", temporary_reason="newborn")
    code = newborn.temporary_code
    changed = await service.change(
        work, here.doctor, newborn.uid, form(temporary_reason="newborn", revision=1)
    )
    assert isinstance(changed, Patient)
    assert (changed.personal_number, changed.temporary_code) == ("011059000123", code)
    assert changed.temporary_reason is None


async def test_allergies_and_their_state_must_agree(work: UnitOfWork, here: Place) -> None:
    with pytest.raises(Invalid) as refused:
        await service.register(
            work, here.doctor, form(allergy_state="none", allergies="Penicillin")
        )
    assert [error.field for error in refused.value.fields] == ["allergy_state"]


async def test_not_asked_has_no_date(work: UnitOfWork, here: Place) -> None:
    patient = await saved(work, here.doctor, allergy_state="not_asked")
    assert patient.allergies_asked_on is None


# --- doubts and duplicates -------------------------------------------------------------------


async def test_a_contradiction_warns_and_is_saved_once_confirmed(
    work: UnitOfWork, here: Place
) -> None:
    proposal = await proposed(work, here.doctor, sex="female", birth="1960")
    assert [doubt.field for doubt in proposal.doubts] == ["sex", "birth"]
    assert await names(work, here.doctor, "") == []
    patient = await saved(
        work, here.doctor, sex="female", birth="1960", confirmed=proposal.to_confirm
    )
    assert patient.sex is Sex.FEMALE


async def test_a_new_doubt_is_not_confirmed_by_an_old_one(work: UnitOfWork, here: Place) -> None:
    first = await proposed(work, here.doctor, sex="female")
    second = await proposed(
        work, here.doctor, sex="female", birth="1960", confirmed=first.to_confirm
    )
    assert len(second.doubts) == 2


async def test_the_same_number_is_never_registered_twice_at_a_station(
    work: UnitOfWork, here: Place
) -> None:
    patient = await saved(work, here.doctor)
    proposal = await proposed(work, here.doctor, full_name="Người Khác", confirmed=patient.uid)
    assert proposal.existing is patient
    assert await names(work, here.doctor, "") == ["Lò Văn Pánh"]


@pytest.mark.parametrize(
    "same",
    [
        {"full_name": "LO VAN PANH", "insurance_number": ""},
        {"full_name": "Khác", "insurance_number": "DT4110110059123"},
        {"full_name": "Khác", "insurance_number": "0110059123"},
        {"full_name": "Khác", "insurance_number": "", "old_number": "040123456"},
    ],
)
async def test_a_near_duplicate_is_shown_and_may_be_confirmed(
    work: UnitOfWork, here: Place, same: dict[str, str]
) -> None:
    patient = await saved(work, here.doctor, old_number="040123456")
    typed = {"personal_number": "", "temporary_reason": "no_document"} | same
    proposal = await proposed(work, here.doctor, **typed)
    assert proposal.candidates == (patient,)
    second = await saved(work, here.doctor, **typed, confirmed=proposal.to_confirm)
    assert second.id != patient.id


async def test_same_name_of_another_year_is_another_person(work: UnitOfWork, here: Place) -> None:
    await saved(work, here.doctor)
    other = await saved(
        work, here.doctor, personal_number="011060000123", birth="1960", insurance_number=""
    )
    assert other.birth_year == 1960


async def test_the_registry_of_another_station_is_not_looked_into(
    work: UnitOfWork, here: Place, make: Factory
) -> None:
    await saved(work, here.doctor)
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    patient = await saved(work, stranger)
    assert patient.station_id == stranger.facility_id


async def register_apart(database: Database, actor: Actor, name: str) -> str:
    try:
        async with database.work() as work:
            outcome = await service.register(work, actor, form(full_name=name))
    except Conflict as lost:
        return lost.fields[0].code
    return "existing" if isinstance(outcome, Proposal) else "saved"


async def test_of_many_who_register_a_number_at_once_one_wins(
    work: UnitOfWork, here: Place, database: Database
) -> None:
    await work.commit()
    tries = [register_apart(database, here.doctor, f"Lò Văn {n}") for n in range(12)]
    outcomes = await asyncio.gather(*tries)
    assert outcomes.count("saved") == 1
    assert set(outcomes) <= {"saved", "existing", "patient_exists"}
    assert len(await names(work, here.doctor, "011059000123")) == 1


# --- cards -----------------------------------------------------------------------------------


async def test_a_scanned_card_fills_the_form(work: UnitOfWork, here: Place) -> None:
    qr = "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy|01072021\r\n"
    reading = await service.scan_card(work, here.doctor, qr)
    assert reading.existing is None
    filled = PatientForm.model_validate(reading.values)
    patient = await service.register(work, here.doctor, filled)
    assert isinstance(patient, Patient)
    assert (patient.old_number, patient.address) == ("040123456", "Bản Co Chạy")
    again = await service.scan_card(work, here.doctor, qr)
    assert again.existing is patient


# --- changing --------------------------------------------------------------------------------


async def test_a_correction_names_the_changed_fields_in_the_audit(
    work: UnitOfWork, here: Place
) -> None:
    patient = await saved(work, here.doctor)
    await service.change(
        work, here.doctor, patient.uid, form(phone="0392345678", address="", revision=1)
    )
    record = (await acts(work))[-1]
    assert record.tag is AuditTag.PATIENT_CHANGE
    assert record.patient_id == patient.id
    assert record.detail == {"fields": ["address", "phone"]}
    assert patient.revision == 2


async def test_a_change_over_a_newer_revision_is_refused(work: UnitOfWork, here: Place) -> None:
    patient = await saved(work, here.doctor)
    await service.change(work, here.doctor, patient.uid, form(phone="0392345678", revision=1))
    with pytest.raises(Conflict) as refused:
        await service.change(work, here.doctor, patient.uid, form(phone="", revision=1))
    assert refused.value.code == "changed_meanwhile"
    assert patient.phone == "0392345678"


async def test_a_change_cannot_take_the_number_of_another(
    work: UnitOfWork, here: Place, make: Factory
) -> None:
    patient = await saved(work, here.doctor)
    other = await make.patient(here.station, by=here.doctor)
    outcome = await service.change(work, here.doctor, other.uid, form(revision=1))
    assert isinstance(outcome, Proposal)
    assert outcome.existing is patient


async def test_a_doubt_that_was_confirmed_does_not_come_back_with_other_changes(
    work: UnitOfWork, here: Place
) -> None:
    doubted = {"sex": "female"}
    proposal = await proposed(work, here.doctor, **doubted)
    patient = await saved(work, here.doctor, **doubted, confirmed=proposal.to_confirm)
    changed = await service.change(
        work, here.doctor, patient.uid, form(**doubted, phone="", revision=1)
    )
    assert isinstance(changed, Patient)


async def test_the_day_of_the_allergy_answer_moves_only_with_the_answer(
    work: UnitOfWork, here: Place, clock: FakeClock
) -> None:
    patient = await saved(work, here.doctor)
    clock.advance(timedelta(days=3))
    await service.change(work, here.doctor, patient.uid, form(phone="", revision=1))
    assert patient.allergies_asked_on == date(2026, 11, 23)
    penicillin = {"allergy_state": "known", "allergies": "Penicillin – nổi ban"}
    await service.change(work, here.doctor, patient.uid, form(phone="", **penicillin, revision=2))
    assert patient.allergies_asked_on == date(2026, 11, 26)


# --- audit -----------------------------------------------------------------------------------


async def test_every_look_at_a_patient_is_on_record(work: UnitOfWork, here: Place) -> None:
    patient = await saved(work, here.doctor)
    await service.search(work, here.doctor, "pánh")
    await service.get_patient(work, here.doctor, patient.uid)
    await service.get_patient_to_change(work, here.doctor, patient.uid)
    await proposed(work, here.doctor)
    records = await acts(work)
    assert [record.tag for record in records] == [
        AuditTag.PATIENT_CREATE,
        AuditTag.PATIENT_LIST,
        AuditTag.PATIENT_READ,
        AuditTag.PATIENT_READ,
        AuditTag.PATIENT_LIST,
    ]
    assert {record.person_id for record in records} == {here.doctor.id}
    assert [r.detail for r in records if r.tag is AuditTag.PATIENT_LIST] == [
        {"patient_ids": [patient.id]}
    ] * 2


async def test_what_is_refused_leaves_nothing(database: Database) -> None:
    async with database.work() as work:
        doctor = await Factory(work).actor(Role.COMMUNE_DOCTOR)
    with pytest.raises(Invalid):
        async with database.work() as work:
            await service.register(work, doctor, form(birth="tomorrow"))
    async with database.work() as work:
        assert await acts(work) == []
