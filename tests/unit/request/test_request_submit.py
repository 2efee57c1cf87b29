from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import SQLModel, col, func, select

from telemed.accounts.permissions import Actor
from telemed.consults import icd
from telemed.consults.clocks import DEFAULT_LIMITS
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import (
    Consult,
    ConsultQuestion,
    IcdCode,
    IcdList,
    LegalBasis,
    Urgency,
    VitalSigns,
)
from telemed.consults.request import service as request
from telemed.consults.request.fields import TICKS
from telemed.consults.request.freeze import next_number
from telemed.consults.request.service import DraftConflict
from telemed.consults.service import EXPIRE_JOB, WATCH_JOB
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, IllegalTransition, Invalid
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
MANY = 50


async def rows(work: UnitOfWork, model: type[SQLModel]) -> int:
    return (await work.session.exec(select(func.count()).select_from(model))).one()


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
        assert sent.due_at == work.now() + DEFAULT_LIMITS[Urgency.EMERGENCY]
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

    async def test_the_search_text_has_the_clinical_words_but_not_whose_they_are(
        self, work: UnitOfWork, doctor: Actor, draft: Consult, complete: Fields
    ) -> None:
        reason = "Ông Lò Văn Pánh (0912 345 678, sinh 12/03/1959) sốt 3 ngày"
        sent = await request.submit(work, doctor, draft.uid, 0, complete | {"reason": reason})

        for words in ("hc-2026-000001", "khang sinh", "sot 3 ngay", "ran no", "viem phoi"):
            assert words in sent.search_text
        for telling in ("lo van panh", "panh", "0912", "1959"):
            assert telling not in sent.search_text

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
        jobs = (await work.session.exec(select(Job).order_by(col(Job.kind)))).all()
        assert [(job.kind, job.key) for job in jobs] == [
            (EXPIRE_JOB, draft.uid),
            (WATCH_JOB, draft.uid),
        ]
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
