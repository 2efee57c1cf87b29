from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import SQLModel, col, func, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults import icd, request
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import (
    Consult,
    ConsultDraft,
    ConsultQuestion,
    IcdCode,
    IcdList,
    LegalBasis,
    Urgency,
    VitalSigns,
)
from telemed.consults.request import DraftConflict
from telemed.consults.request_fields import TICKS
from telemed.consults.request_freeze import next_number
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, IllegalTransition, Invalid, Missing
from telemed.core.events import list_events
from telemed.core.jobs import Job
from telemed.facilities.models import Facility
from telemed.patients.models import (
    AllergyState,
    Consent,
    ConsentGiver,
    ConsentPurpose,
    Patient,
)
from tests.factories import Factory

Fields = dict[str, str]
UNKNOWN = "x" * 22


@pytest.fixture
def complete(clock: FakeClock) -> Fields:
    """A form that can be sent."""
    return {
        "question_1": "Cần chuyển viện ngay không?",
        "question_2": "Dị ứng penicillin – chọn kháng sinh nào?",
        "reason": "Sốt 3 ngày, khó thở tăng",
        "history": "Tăng huyết áp",
        "examination": "Ran nổ đáy phổi phải",
        "diagnosis": "Viêm phổi thùy",
        "vital_spo2": "93",
        "vital_temperature": "38,6",
        "vital_consciousness": "A",
        "vital_oxygen": "no",
        "taken_time": "08:40",
        "taken_date": "23/11/2026",
        "allergy_state": "known",
        "allergies": "Penicillin",
        "medication": "Amlodipin 5 mg",
        "treatment": "Paracetamol",
        "transfer_possible": "yes",
        "urgency": "urgent",
        "specialty": "internal",
        "basis": "patient",
        "agree_consult": TICKS["agree_consult"],
        "agree_teaching": TICKS["agree_teaching"],
        "language": "tai",
        "interpreter": "Lò Thị Mai",
    }


@pytest.fixture
async def doctor(make: Factory) -> Actor:
    return await make.actor(Role.COMMUNE_DOCTOR)


@pytest.fixture
async def patient(make: Factory, doctor: Actor, work: UnitOfWork) -> Patient:
    await make.specialty()
    station = await work.session.get_one(Facility, doctor.facility_id)
    return await make.patient(station, by=doctor, full_name="Lò Văn Pánh")


@pytest.fixture
async def draft(work: UnitOfWork, doctor: Actor, patient: Patient) -> Consult:
    return await request.create_draft(work, doctor, patient.uid)


async def rows(work: UnitOfWork, model: type[SQLModel]) -> int:
    return (await work.session.exec(select(func.count()).select_from(model))).one()


class TestCreate:
    async def test_a_draft_knows_what_the_registry_knows_and_nothing_more(
        self, work: UnitOfWork, doctor: Actor, make: Factory, patient: Patient
    ) -> None:
        patient.allergy_state, patient.allergies = AllergyState.KNOWN, "Penicillin"
        patient.interpreter_language = "tai"

        consult = await request.create_draft(work, doctor, patient.uid)

        assert (consult.state, consult.number, consult.station_id, consult.requester_id) == (
            ConsultState.DRAFT,
            None,
            patient.station_id,
            doctor.id,
        )
        fields = (await request.find_draft(work, consult)).fields
        assert fields == {
            "taken_date": "23/11/2026",
            "language": "tai",
            "allergy_state": "known",
            "allergies": "Penicillin",
            "allergy_seen": "known Penicillin",
        }

    async def test_a_draft_that_nobody_wrote_in_is_taken_up_again(
        self, work: UnitOfWork, doctor: Actor, patient: Patient, draft: Consult
    ) -> None:
        again = await request.create_draft(work, doctor, patient.uid)
        assert again.uid == draft.uid

        await request.save_draft(work, doctor, draft.uid, 0, {"reason": "Sốt"})
        other = await request.create_draft(work, doctor, patient.uid)
        assert other.uid != draft.uid

    async def test_a_patient_of_another_station_is_as_unknown_as_none(
        self, work: UnitOfWork, make: Factory, patient: Patient
    ) -> None:
        stranger = await make.actor(Role.COMMUNE_DOCTOR)

        for uid in (patient.uid, UNKNOWN):
            with pytest.raises(Missing):
                await request.create_draft(work, stranger, uid)
        assert await rows(work, Consult) == 0

    @pytest.mark.parametrize(
        "role", [Role.SPECIALIST, Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR]
    )
    async def test_only_stations_ask(
        self, work: UnitOfWork, make: Factory, patient: Patient, role: Role
    ) -> None:
        with pytest.raises((Denied, Missing)):
            await request.create_draft(work, await make.actor(role), patient.uid)

    async def test_a_doctor_posted_to_the_station_asks_for_its_patients(
        self, work: UnitOfWork, make: Factory
    ) -> None:
        station = await make.facility()
        posted = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
        patient = await make.patient(station)

        consult = await request.create_draft(work, posted, patient.uid)
        assert consult.station_id == station.id


class TestDraft:
    async def test_what_was_typed_is_kept_valid_or_not(
        self, work: UnitOfWork, doctor: Actor, draft: Consult
    ) -> None:
        typed = {"vital_spo2": " 9 3 0 ", "reason": "  Sốt\n\n\n ", "question_3": ""}

        saved = await request.save_draft(work, doctor, draft.uid, 0, typed)

        assert saved.fields == typed | {"allergy_seen": "not_asked"}
        assert saved.revision == 1
        assert saved.saved_at == work.now()

    async def test_a_colleague_goes_on_where_another_stopped(
        self, work: UnitOfWork, make: Factory, doctor: Actor, draft: Consult
    ) -> None:
        station = await work.session.get_one(Facility, doctor.facility_id)
        colleague = await make.actor(Role.COMMUNE_DOCTOR, at=station)

        saved = await request.save_draft(work, colleague, draft.uid, 0, {"reason": "Sốt"})
        assert saved.revision == 1

    async def test_a_lost_update_is_a_conflict_that_keeps_both_texts(
        self, work: UnitOfWork, doctor: Actor, draft: Consult
    ) -> None:
        await request.save_draft(work, doctor, draft.uid, 0, {"reason": "bản một"})

        with pytest.raises(DraftConflict) as conflict:
            await request.save_draft(work, doctor, draft.uid, 0, {"reason": "bản hai"})

        assert conflict.value.draft.fields["reason"] == "bản một"
        assert conflict.value.draft.revision == 1

    async def test_the_same_text_again_is_no_conflict(
        self, work: UnitOfWork, doctor: Actor, draft: Consult
    ) -> None:
        await request.save_draft(work, doctor, draft.uid, 0, {"reason": "Sốt"})
        again = await request.save_draft(work, doctor, draft.uid, 0, {"reason": "Sốt"})

        assert again.revision == 1

    @pytest.mark.parametrize("name", ["station_id", "role", "state", "number", "requester_id"])
    async def test_what_the_form_does_not_have_is_refused(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, name: str
    ) -> None:
        with pytest.raises(Invalid):
            await request.save_draft(work, doctor, draft.uid, 0, {"reason": "Sốt", name: "1"})

        assert (await request.find_draft(work, draft)).revision == 0

    async def test_a_draft_of_another_station_is_as_unknown_as_none(
        self, work: UnitOfWork, make: Factory, draft: Consult
    ) -> None:
        stranger = await make.actor(Role.COMMUNE_DOCTOR)

        for uid in (draft.uid, UNKNOWN):
            with pytest.raises(Missing):
                await request.save_draft(work, stranger, uid, 0, {})
            with pytest.raises(Missing):
                await request.submit(work, stranger, uid, 0, {})

    async def test_drafts_are_listed_for_their_station(
        self, work: UnitOfWork, make: Factory, doctor: Actor, draft: Consult, clock: FakeClock
    ) -> None:
        clock.advance(timedelta(minutes=1))
        await request.save_draft(work, doctor, draft.uid, 0, {"question_2": " Có cần mổ không? "})
        await make.case(ConsultState.REQUESTED, doctor=doctor)

        (row,) = await request.list_drafts(work, doctor)
        assert (row.uid, row.patient_name, row.summary, row.is_mine, row.saved_at) == (
            draft.uid,
            "Lò Văn Pánh",
            "Có cần mổ không?",
            True,
            work.now(),
        )
        assert await request.list_drafts(work, await make.actor(Role.COMMUNE_DOCTOR)) == []


class TestSubmit:
    async def test_a_request_is_frozen_and_numbered(
        self, work: UnitOfWork, doctor: Actor, patient: Patient, draft: Consult, complete: Fields
    ) -> None:
        now = work.now()
        sent = await request.submit(work, doctor, draft.uid, 0, complete)

        assert (sent.state, sent.number, sent.urgency, sent.rank) == (
            ConsultState.REQUESTED,
            "HC-2026-000001",
            Urgency.URGENT,
            2,
        )
        assert (sent.requested_at, sent.due_at) == (now, now + timedelta(minutes=30))
        assert (sent.reason, sent.history, sent.medication, sent.treatment) == (
            "Sốt 3 ngày, khó thở tăng",
            "Tăng huyết áp",
            "Amlodipin 5 mg",
            "Paracetamol",
        )
        assert sent.legal_basis is LegalBasis.CONSENT
        assert sent.patient_age_years == 41
        assert sent.transfer_possible is True
        questions = select(ConsultQuestion.number, ConsultQuestion.text).order_by(
            col(ConsultQuestion.number)
        )
        assert list((await work.session.exec(questions)).all()) == [
            (1, "Cần chuyển viện ngay không?"),
            (2, "Dị ứng penicillin – chọn kháng sinh nào?"),
        ]
        vitals = (await work.session.exec(select(VitalSigns))).one()
        assert vitals.taken_at == now - timedelta(minutes=20)
        assert vitals.values == {
            "spo2": 93,
            "temperature": 38.6,
            "consciousness": "A",
            "oxygen": False,
        }

    async def test_each_purpose_is_answered_apart(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        await request.submit(work, doctor, draft.uid, 0, complete)

        consents = (await work.session.exec(select(Consent).order_by(col(Consent.id)))).all()
        assert [(c.purpose, c.is_granted) for c in consents] == [
            (ConsentPurpose.CONSULT, True),
            (ConsentPurpose.RECORDING, False),
            (ConsentPurpose.TEACHING, True),
        ]
        assert {(c.consult_uid, c.given_by, c.language, c.interpreter) for c in consents} == {
            (draft.uid, ConsentGiver.PATIENT, "tai", "Lò Thị Mai")
        }
        assert {c.text_version for c in consents} == set(TICKS.values())

    async def test_an_emergency_stands_on_its_own_basis(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        fields = complete | {"basis": "emergency", "agree_consult": "", "agree_teaching": ""}
        sent = await request.submit(work, doctor, draft.uid, 0, fields | {"urgency": "emergency"})

        assert sent.legal_basis is LegalBasis.EMERGENCY
        assert sent.due_at == work.now() + timedelta(minutes=10)
        (consent,) = (await work.session.exec(select(Consent))).all()
        assert (consent.purpose, consent.given_by) == (
            ConsentPurpose.CONSULT,
            ConsentGiver.EMERGENCY,
        )

    async def test_allergies_go_to_the_patient(
        self, work: UnitOfWork, doctor: Actor, patient: Patient, draft: Consult, complete: Fields
    ) -> None:
        await request.submit(work, doctor, draft.uid, 0, complete)

        await work.session.refresh(patient)
        assert (patient.allergy_state, patient.allergies) == (AllergyState.KNOWN, "Penicillin")
        assert patient.allergies_asked_on is not None

    async def test_allergies_that_somebody_changed_meanwhile_are_not_overwritten(
        self, work: UnitOfWork, doctor: Actor, patient: Patient, draft: Consult, complete: Fields
    ) -> None:
        patient.allergy_state, patient.allergies = AllergyState.KNOWN, "Aspirin"
        work.session.add(patient)
        await work.session.flush()

        with pytest.raises(Invalid) as refusal:
            await request.submit(work, doctor, draft.uid, 0, complete)
        assert [e.field for e in refusal.value.fields] == ["allergy_state"]

    async def test_the_search_text_has_the_clinical_words_but_not_the_name(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        reason = "Ông Lò Văn Pánh sốt 3 ngày"
        sent = await request.submit(work, doctor, draft.uid, 0, complete | {"reason": reason})

        for words in ("hc-2026-000001", "khang sinh", "sot 3 ngay", "ran no", "viem phoi"):
            assert words in sent.search_text
        assert "lo van panh" not in sent.search_text

    async def test_a_code_is_stored_with_its_list(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        lungs = IcdCode(
            system=icd.WHO_SYSTEM,
            version="2019",
            code="J18.1",
            title="Lobar pneumonia",
            folded_title="lobar pneumonia",
        )
        work.session.add(lungs)
        work.session.add(IcdList(system=icd.WHO_SYSTEM, version="2019", loaded_at=work.now()))
        await work.session.flush()

        sent = await request.submit(work, doctor, draft.uid, 0, complete | {"icd": "j181"})

        assert (sent.icd_code, sent.icd_system, sent.icd_version) == (
            "J18.1",
            icd.WHO_SYSTEM,
            "2019",
        )
        assert "lobar pneumonia" in sent.search_text

    async def test_a_request_that_is_not_right_names_its_fields_and_changes_nothing(
        self, database: Database, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        await work.commit()
        wrong = {"question_1": "", "question_2": "", "vital_spo2": "930", "basis": ""}
        async with database.open() as other:
            with pytest.raises(Invalid) as refusal:
                await request.submit(other, doctor, draft.uid, 0, complete | wrong)
            await other.rollback()

        assert [error.field for error in refusal.value.fields] == [
            "question_1",
            "vital_spo2",
            "basis",
        ]
        async with database.work() as other:
            kept = (await other.session.exec(select(Consult))).one()
            assert (kept.state, kept.number) == (ConsultState.DRAFT, None)
            assert await rows(other, Consent) == await rows(other, VitalSigns) == 0

    async def test_sent_twice_it_is_one_request(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        first = await request.submit(work, doctor, draft.uid, 0, complete)
        second = await request.submit(work, doctor, draft.uid, 0, complete)

        assert second.number == first.number
        assert await rows(work, ConsultQuestion) == 2

    async def test_another_text_after_it_was_sent_is_a_conflict(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        await request.submit(work, doctor, draft.uid, 0, complete)

        with pytest.raises(IllegalTransition):
            await request.submit(work, doctor, draft.uid, 1, complete | {"reason": "khác"})
        with pytest.raises(Conflict):
            await request.save_draft(work, doctor, draft.uid, 1, complete)

    async def test_nobody_sends_over_what_somebody_else_has_written(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        await request.save_draft(work, doctor, draft.uid, 0, {"reason": "của người khác"})

        with pytest.raises(DraftConflict):
            await request.submit(work, doctor, draft.uid, 0, complete)

    async def test_it_is_told_planned_and_on_record(
        self, work: UnitOfWork, doctor: Actor, patient: Patient, draft: Consult, complete: Fields
    ) -> None:
        sent = await request.submit(work, doctor, draft.uid, 0, complete)
        await work.commit()

        (event,) = await list_events(work, f"consult:{draft.uid}")
        assert (event.kind, event.data["number"]) == ("consult_requested", sent.number)
        (job,) = (await work.session.exec(select(Job))).all()
        assert job.key == draft.uid
        query = select(AuditRecord.tag).where(col(AuditRecord.patient_id) == patient.id)
        tags = set((await work.session.exec(query)).all())
        assert tags >= {
            AuditTag.CONSULT_WRITE,
            AuditTag.CONSULT_TRANSITION,
            AuditTag.CONSENT_RECORD,
            AuditTag.PATIENT_CHANGE,
        }


class TestNumbers:
    async def test_every_year_starts_anew_at_midnight_of_the_province(
        self, work: UnitOfWork
    ) -> None:
        before = datetime(2026, 12, 31, 16, 59, tzinfo=UTC)
        after = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)

        assert await next_number(work, "HC", before) == "HC-2026-000001"
        assert await next_number(work, "HC", before) == "HC-2026-000002"
        assert await next_number(work, "HC", after) == "HC-2027-000001"
        assert await next_number(work, "BB", after) == "BB-2027-000001"

    async def test_a_number_that_was_rolled_back_is_given_again(self, database: Database) -> None:
        async with database.open() as work:
            await next_number(work, "HC", work.now())
            await work.rollback()
        async with database.work() as work:
            assert await next_number(work, "HC", work.now()) == "HC-2026-000001"


MANY = 50


class TestRaces:
    async def test_fifty_who_send_one_draft_send_one_request(
        self, database: Database, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        await work.commit()

        async def send() -> str | None:
            async with database.work() as other:
                return (await request.submit(other, doctor, draft.uid, 0, complete)).number

        numbers = await asyncio.gather(*(send() for _ in range(MANY)))

        assert numbers == ["HC-2026-000001"] * MANY
        assert await rows(work, ConsultQuestion) == 2
        assert await rows(work, Consent) == 3
        assert len(await list_events(work, f"consult:{draft.uid}")) == 1

    async def test_fifty_requests_get_fifty_numbers_without_a_gap(
        self, database: Database, work: UnitOfWork, doctor: Actor, make: Factory, complete: Fields
    ) -> None:
        await make.specialty()
        station = await work.session.get_one(Facility, doctor.facility_id)
        patients = [await make.patient(station, by=doctor) for _ in range(MANY)]
        drafts = [(await request.create_draft(work, doctor, p.uid)).uid for p in patients]
        await work.commit()

        async def send(uid: str) -> str | None:
            async with database.work() as other:
                return (await request.submit(other, doctor, uid, 0, complete)).number

        numbers = await asyncio.gather(*(send(uid) for uid in drafts))

        assert sorted(filter(None, numbers)) == [f"HC-2026-{n:06}" for n in range(1, MANY + 1)]

    async def test_fifty_who_write_over_one_revision_keep_one_text(
        self, database: Database, work: UnitOfWork, doctor: Actor, draft: Consult
    ) -> None:
        await work.commit()

        async def save(number: int) -> str | DraftConflict:
            try:
                async with database.work() as other:
                    fields = {"reason": f"bản {number}"}
                    saved = await request.save_draft(other, doctor, draft.uid, 0, fields)
                    return str(saved.fields["reason"])
            except DraftConflict as conflict:
                return conflict

        answers = await asyncio.gather(*(save(number) for number in range(MANY)))

        winners = [answer for answer in answers if isinstance(answer, str)]
        kept = (await work.session.exec(select(ConsultDraft))).one()
        assert winners == [kept.fields["reason"]]
        assert kept.revision == 1
