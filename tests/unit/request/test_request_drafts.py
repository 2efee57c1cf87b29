from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import SQLModel, func, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import (
    Consult,
    ConsultDraft,
)
from telemed.consults.request import service as request
from telemed.consults.request.service import DraftConflict
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Invalid, Missing
from telemed.facilities.models import Facility
from telemed.patients.models import (
    AllergyState,
    Patient,
)
from tests.factories import Factory

UNKNOWN = "x" * 22
MANY = 50


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
