"""Two files of one person: joined whole, followed everywhere, parted again; and never half."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlmodel import SQLModel, col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.case import identity
from telemed.consults.lifecycle import ConsultState
from telemed.consults.request.service import create_draft
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid, Missing
from telemed.core.events import list_events, stream_of
from telemed.core.jobs import JobRunner
from telemed.facilities.models import Facility
from telemed.patients import consents, service
from telemed.patients.merging import service as merging
from telemed.patients.merging.models import MergeBasis, PatientMerge
from telemed.patients.merging.rules import Difference
from telemed.patients.merging.service import Grounds
from telemed.patients.models import (
    AllergyState,
    Consent,
    ConsentPurpose,
    Patient,
    TemporaryReason,
)
from telemed.scheduling.models import Booking
from tests.factories import Case, Factory
from tests.races import HANDS, attempt_all

S = ConsultState
SEEN = Grounds(MergeBasis.DOCUMENT, "Người nhà mang căn cước tới", frozenset(Difference))
WITHOUT: dict[str, Any] = {
    "personal_number": None,
    "temporary_reason": TemporaryReason.UNKNOWN_PERSON,
}


# --- joining ---------------------------------------------------------------------------------


@dataclass
class Two:
    """A case of somebody unknown, and the real file that they turn out to have."""

    case: Case
    real: Patient

    @property
    def doctor(self) -> Actor:
        return self.case.doctor

    @property
    def unknown(self) -> Patient:
        return self.case.patient


@pytest.fixture
async def two(work: UnitOfWork, make: Factory) -> Two:
    case = await make.case(S.ACCEPTED)
    unknown = case.patient
    unknown.full_name, unknown.folded_name = "Nam áo xanh", "nam ao xanh"
    unknown.personal_number = None
    unknown.temporary_code = "TT-T0001-261123-0001"
    unknown.temporary_reason = TemporaryReason.UNKNOWN_PERSON
    unknown.allergy_state, unknown.allergies = AllergyState.KNOWN, "penicillin"
    unknown.phone = "0912345678"
    work.session.add(unknown)
    await make.consent(case)
    real = await make.patient(case.station, by=case.doctor, full_name="Lò Văn Pánh")
    return Two(case, real)


async def join(work: UnitOfWork, two: Two, grounds: Grounds = SEEN) -> PatientMerge:
    return await identity.merge(work, two.doctor, two.unknown.uid, two.real.uid, grounds)


async def owners(work: UnitOfWork) -> Counter[tuple[str, int]]:
    """Which patient how many rows of every table belong to, read off the schema."""
    found: Counter[tuple[str, int]] = Counter()
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            if table.name in {"patient", "patient_merge"}:
                continue
            if any(key.column.table.name == "patient" for key in column.foreign_keys):
                rows = await work.session.exec(select(column))
                found.update((table.name, key) for key in rows if key is not None)
    return found


async def test_everything_of_the_one_belongs_to_the_other_afterwards(
    work: UnitOfWork, two: Two
) -> None:
    before = await owners(work)
    assert before["consult", two.unknown.id or 0] == 1
    done = await join(work, two)
    after = await owners(work)
    assert {key for _, key in after} == {two.real.id}
    assert after.total() == before.total()
    assert done.moved == {"consult": [two.case.consult.id], "consent": done.moved["consent"]}
    assert (two.real.allergies, two.real.phone) == ("penicillin", "0912345678")
    assert two.real.full_name == "Lò Văn Pánh"


async def test_the_old_address_and_the_wristband_lead_to_the_real_file(
    work: UnitOfWork, two: Two
) -> None:
    await join(work, two)
    assert (await service.get_patient(work, two.doctor, two.unknown.uid)).id == two.real.id
    for text in (two.unknown.temporary_code or "", "Lò Văn Pánh"):
        found = await service.search(work, two.doctor, text)
        assert [patient.id for patient in found.patients] == [two.real.id]
    assert (await service.search(work, two.doctor, "Nam áo xanh")).patients == ()
    draft = await create_draft(work, two.doctor, two.unknown.uid)
    assert draft.patient_id == two.real.id
    assert sorted(await merging.identities(work, two.real.id or 0)) == sorted(
        [two.real.id or 0, two.unknown.id or 0]
    )


async def test_it_is_on_record_of_both_and_those_of_the_case_see_it(
    work: UnitOfWork, two: Two
) -> None:
    await join(work, two)
    await work.commit()
    query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.PATIENT_MERGE)
    records = (await work.session.exec(query)).all()
    assert {record.patient_id for record in records} == {two.real.id, two.unknown.id}
    events = await list_events(work, stream_of("consult", two.case.consult.uid))
    assert events[-1].kind == "patient_identified"
    assert "Pánh" not in str(events[-1].data)


async def test_a_contradiction_has_to_be_looked_at(work: UnitOfWork, two: Two) -> None:
    with pytest.raises(Invalid) as refusal:
        await join(work, two, Grounds(MergeBasis.FAMILY))
    assert refusal.value.fields[0].field == "accepted"
    assert two.unknown.merged_into_id is None
    assert (await owners(work))["consult", two.unknown.id or 0] == 1


async def test_other_stations_know_of_neither(work: UnitOfWork, make: Factory, two: Two) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    theirs = await make.patient(by=stranger, at=await _station(work, stranger))
    for pair in product([two.unknown, two.real, theirs], repeat=2):
        for actor in (stranger, two.doctor):
            if actor is two.doctor and theirs not in pair:
                continue
            if actor is stranger and set(map(id, pair)) == {id(theirs)}:
                continue
            with pytest.raises(Missing):
                await identity.merge(work, actor, pair[0].uid, pair[1].uid, SEEN)


async def _station(work: UnitOfWork, actor: Actor) -> Facility:
    return await work.session.get_one(Facility, actor.facility_id)


async def test_two_appointments_at_one_time_stop_it_whole(
    database: Database, work: UnitOfWork, make: Factory, two: Two
) -> None:
    other = await make.case(S.ACCEPTED, doctor=two.doctor)
    for case, patient in ((two.case, two.unknown), (other, two.real)):
        fields: dict[str, Any] = {
            "consult_id": case.consult.id,
            "specialist_id": case.specialist.id,
            "patient_id": patient.id,
            "station_id": case.station.id,
            "room": 1 if patient is two.unknown else 2,
            "start_at": work.now() + timedelta(hours=1),
            "end_at": work.now() + timedelta(hours=2),
            "booked_by_id": two.doctor.id,
            "created_at": work.now(),
        }
        work.session.add(Booking(**fields))
    await work.commit()
    with pytest.raises(Conflict) as refusal:
        async with database.work() as other_work:
            await join(other_work, two)
    assert refusal.value.code == "merge_overlap"
    async with database.read() as reading:
        assert (await reading.session.get_one(Patient, two.unknown.id)).merged_into_id is None
        assert (await owners(reading))["consult", two.unknown.id or 0] == 1


# --- parting ---------------------------------------------------------------------------------


async def test_parting_gives_back_what_was_moved_and_nothing_else(
    work: UnitOfWork, two: Two
) -> None:
    before = await owners(work)
    done = await join(work, two)
    later = await create_draft(work, two.doctor, two.real.uid)
    await identity.undo(work, two.doctor, two.real.uid, done.uid, "Nhầm người cùng tên")
    await work.session.refresh(later)
    assert later.patient_id == two.real.id
    after = await owners(work)
    assert after - before == Counter({("consult", two.real.id): 1})
    assert two.unknown.merged_into_id is None
    assert (two.real.allergy_state, two.real.allergies) == (AllergyState.NOT_ASKED, "")
    assert two.real.phone is None
    events = await list_events(work, stream_of("consult", two.case.consult.uid))
    assert events[-1].kind == "patient_separated"


async def test_what_was_changed_after_the_merge_is_not_taken_back(
    work: UnitOfWork, two: Two
) -> None:
    done = await join(work, two)
    two.real.phone = "0987654321"
    await identity.undo(work, two.doctor, two.real.uid, done.uid, "Nhầm")
    assert two.real.phone == "0987654321"
    assert two.real.allergies == ""


async def test_parting_needs_a_reason_happens_once_and_may_be_followed_by_a_merge(
    work: UnitOfWork, two: Two
) -> None:
    done = await join(work, two)
    with pytest.raises(Invalid) as refusal:
        await identity.undo(work, two.doctor, two.real.uid, done.uid, "  ")
    assert refusal.value.fields[0].field == "reason"
    await identity.undo(work, two.doctor, two.real.uid, done.uid, "Nhầm")
    with pytest.raises(Conflict):
        await identity.undo(work, two.doctor, two.real.uid, done.uid, "Nhầm")
    await join(work, two)
    assert len((await work.session.exec(select(PatientMerge))).all()) == 2


async def test_merges_in_a_row_are_parted_from_the_last_on(
    work: UnitOfWork, make: Factory, two: Two
) -> None:
    first = await make.patient(two.case.station, by=two.doctor, **WITHOUT)
    joined = await identity.merge(work, two.doctor, first.uid, two.unknown.uid, SEEN)
    last = await join(work, two)
    assert (await service.get_patient(work, two.doctor, first.uid)).id == two.real.id
    with pytest.raises(Conflict) as refusal:
        await identity.undo(work, two.doctor, two.unknown.uid, joined.uid, "Nhầm")
    assert refusal.value.code == "merged_onwards"
    await identity.undo(work, two.doctor, two.real.uid, last.uid, "Nhầm")
    await identity.undo(work, two.doctor, two.unknown.uid, joined.uid, "Nhầm")
    assert first.merged_into_id is None


async def test_nobody_else_parts_them(work: UnitOfWork, make: Factory, two: Two) -> None:
    done = await join(work, two)
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    with pytest.raises(Missing):
        await identity.undo(work, stranger, two.real.uid, done.uid, "Nhầm")
    # Nor by the address of another file of the same station.
    with pytest.raises(Missing):
        await identity.undo(work, two.doctor, two.unknown.uid, done.uid, "Nhầm")


# --- many at once ----------------------------------------------------------------------------


async def test_fifty_who_join_the_same_two_join_them_once(
    database: Database, work: UnitOfWork, two: Two
) -> None:
    await work.commit()

    def merge(other: UnitOfWork) -> Awaitable[object]:
        return join(other, two)

    said = await attempt_all(database, [merge] * HANDS)
    assert Counter(said) == {"done": 1, "merged_already": HANDS - 1}
    async with database.read() as reading:
        assert {key for _, key in await owners(reading)} == {two.real.id}


async def test_what_is_written_while_two_are_joined_follows(
    database: Database, work: UnitOfWork, two: Two, clock: FakeClock
) -> None:
    await work.commit()

    async def agree(other: UnitOfWork) -> None:
        answer = consents.ConsentAnswer(ConsentPurpose.TEACHING, is_granted=True)
        await consents.record_consent(other, two.doctor, two.unknown.uid, answer)

    def merge(other: UnitOfWork) -> Awaitable[object]:
        return join(other, two)

    said = await attempt_all(database, [*[agree] * 10, merge, *[agree] * 10])
    assert set(said) == {"done"}
    clock.advance(merging.SETTLES_AFTER)
    await JobRunner(database, {merging.SETTLE_JOB: merging.settle}).run_due()
    async with database.read() as reading:
        assert {key for _, key in await owners(reading)} == {two.real.id}
        assert len((await reading.session.exec(select(Consent))).all()) == 21
        done = (await reading.session.exec(select(PatientMerge))).one()
        moved = set(done.moved["consent"])
        assert len(moved) == len(done.moved["consent"])
