"""Rules of consults beyond the matrix: what a step leaves behind, clocks, targets, words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Role
from telemed.consults import handling, service
from telemed.consults.clocks import DEFAULT_LIMITS
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, Message, Urgency
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid, Missing
from telemed.core.events import list_events, stream_of
from telemed.core.jobs import Job, JobRunner, Together
from telemed.scheduling.escalation.service import watch
from tests.factories import Factory
from tests.fakes import FakeAnnouncer

S = ConsultState
REASON = "Vì một lẽ đủ rõ"


async def test_a_step_leaves_a_fact_a_record_and_hints_after_the_commit_only(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        case = await Factory(work).case()
    stream = stream_of("consult", case.consult.uid)
    async with database.work() as work:
        await handling.claim(work, case.specialist, case.consult.uid)
        assert announcer.hints == []
    async with database.read() as work:
        facts = [(e.number, e.kind, e.person_id, e.data) for e in await list_events(work, stream)]
        record = (await work.session.exec(select(AuditRecord))).one()
    assert facts == [(1, "consult_claimed", case.specialist.id, {})]
    assert (record.tag, record.subject, record.person_id, record.patient_id) == (
        AuditTag.CONSULT_TRANSITION,
        stream,
        case.specialist.id,
        case.patient.id,
    )
    assert record.detail == {
        "event": "claim",
        "before": "requested",
        "after": "accepted",
        "number": 1,
    }
    assert {(hint.channel, hint.event) for hint in announcer.hints} == {
        (stream_of("person", case.doctor.uid), "noticed"),
        (stream, "consult_claimed"),
        ("worklist", "consult_claimed"),
        (stream_of("person", case.doctor.uid), "consult_claimed"),
    }


async def test_a_step_that_is_rolled_back_is_never_told(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        case = await Factory(work).case()
    async with database.open() as work:
        await handling.claim(work, case.specialist, case.consult.uid)
        await work.rollback()
        await work.commit()
    async with database.read() as work:
        consult = await work.session.get_one(Consult, case.consult.id)
        assert consult.state is S.REQUESTED
        assert consult.assigned_id is None
        assert (await work.session.exec(select(AuditRecord))).all() == []
    assert announcer.hints == []


async def test_times_of_a_consult_follow_its_steps(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case()
    consult, start = case.consult, work.now()
    clock.advance(timedelta(minutes=4))
    await handling.claim(work, case.specialist, consult.uid)
    assert consult.accepted_at == start + timedelta(minutes=4)
    assert consult.assigned_id == case.specialist.id
    clock.advance(timedelta(minutes=30))
    await service.mark_answered(work, case.specialist, consult)
    clock.advance(timedelta(minutes=6))
    await service.close(work, case.doctor, consult)
    assert consult.answered_at == start + timedelta(minutes=34)
    assert consult.closed_at == consult.state_at == start + timedelta(minutes=40)


async def test_the_clock_of_the_hospital_stands_while_the_station_is_asked(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case(due_at=work.now() + timedelta(minutes=30))
    due = work.now() + timedelta(minutes=30)
    clock.advance(timedelta(minutes=10))
    await handling.ask_info(work, case.specialist, case.consult.uid, "Trẻ còn bú được không?")
    assert case.consult.state_reason == "Trẻ còn bú được không?"
    clock.advance(timedelta(hours=2))
    await handling.answer_info(work, case.doctor, case.consult.uid, "Còn bú được")
    assert case.consult.due_at == due + timedelta(hours=2)


async def test_a_resubmitted_request_waits_anew_and_keeps_its_first_time(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    surgery = await make.specialty("surgery")
    case = await make.case(S.DECLINED, urgency=Urgency.EMERGENCY)
    sent = case.consult.requested_at
    clock.advance(timedelta(hours=1))
    await handling.resubmit(work, case.doctor, case.consult.uid, "surgery")
    assert case.consult.state is S.REQUESTED
    assert case.consult.requested_at == sent
    assert case.consult.due_at == work.now() + DEFAULT_LIMITS[Urgency.EMERGENCY]
    assert (case.consult.specialty_id, case.consult.rank) == (surgery.id, 1)


async def test_a_specialist_keeps_a_closed_case_for_the_days_of_the_settings(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case(S.CLOSED, closed_at=work.now())
    days = work.settings.case_access_days_after_close
    clock.advance(timedelta(days=days))
    await service.get_case(work, case.specialist, case.consult.uid)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(Missing):
        await service.get_case(work, case.specialist, case.consult.uid)
    await service.get_case(work, case.doctor, case.consult.uid)


async def test_a_case_passed_to_a_person_waits_for_that_person(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.ACCEPTED)
    surgery = await make.specialty("surgery")
    other = await make.actor(Role.SPECIALIST, specialty=surgery)
    await handling.pass_on(work, case.specialist, case.consult.uid, f"surgery/{other.uid}", REASON)
    assert (case.consult.specialty_id, case.consult.named_id) == (surgery.id, other.id)
    assert service.facts_of(case.consult, work).is_waiting
    await handling.claim(work, other, case.consult.uid)
    assert case.consult.assigned_id == other.id


async def test_a_case_is_not_passed_to_where_it_is(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.ACCEPTED)
    for to in ("internal", f"internal/{case.specialist.uid}"):
        with pytest.raises(Invalid) as refusal:
            await handling.pass_on(work, case.specialist, case.consult.uid, to, REASON)
        assert refusal.value.code == "to_same"


@pytest.mark.parametrize("to", ["", "nowhere", "/", "internal/nobody", "internal/" + "x" * 500])
async def test_an_unknown_target_is_refused_by_its_field(
    work: UnitOfWork, make: Factory, to: str
) -> None:
    case = await make.case(S.ACCEPTED)
    with pytest.raises(Invalid) as refusal:
        await handling.pass_on(work, case.specialist, case.consult.uid, to, REASON)
    assert [error.field for error in refusal.value.fields] == ["to"]


async def test_only_people_of_the_specialty_are_offered_and_taken(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.ACCEPTED)
    await make.specialty("surgery")
    offered = {
        specialty.code: [person.uid for person in people]
        for specialty, people in await handling.list_targets(work)
    }
    assert offered == {"internal": [case.specialist.uid], "surgery": []}
    with pytest.raises(Invalid):
        await handling.find_target(work, f"surgery/{case.specialist.uid}")


async def test_what_was_asked_and_answered_stands_in_the_conversation(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case()
    await handling.ask_info(work, case.specialist, case.consult.uid, "Đếm lại nhịp thở?")
    await handling.answer_info(work, case.doctor, case.consult.uid, "26 lần/phút")
    said = (await work.session.exec(select(Message).order_by(col(Message.id)))).all()
    assert [(m.kind, m.text, m.author_id) for m in said] == [
        ("question", "Đếm lại nhịp thở?", case.specialist.id),
        ("answer", "26 lần/phút", case.doctor.id),
    ]


async def test_whoever_asked_is_told_of_the_answer(
    database: Database, announcer: FakeAnnouncer
) -> None:
    async with database.work() as work:
        case = await Factory(work).case()
        await handling.ask_info(work, case.specialist, case.consult.uid, REASON)
    announcer.hints.clear()
    async with database.work() as work:
        await handling.answer_info(work, case.doctor, case.consult.uid, REASON)
    assert announcer.events(stream_of("person", case.specialist.uid)) == ["info_answered"]


async def test_a_request_that_nobody_moves_expires_and_one_that_moves_does_not(
    database: Database, clock: FakeClock
) -> None:
    async with database.work() as work:
        make = Factory(work)
        await make.specialty("surgery")
        left, taken = await make.case(S.DECLINED), await make.case(S.DECLINED)
        for case in (left, taken):
            await handling.resubmit(work, case.doctor, case.consult.uid, "surgery")
        surgeon = await make.actor(Role.SPECIALIST, specialty=await make.specialty("surgery"))
    async with database.work() as work:
        await handling.claim(work, surgeon, taken.consult.uid)
    clock.advance(timedelta(days=database.settings.request_expires_days))
    runner = JobRunner(
        database, {service.EXPIRE_JOB: service.expire, service.WATCH_JOB: Together(watch)}
    )
    # The hospital is told of it once more before it is given up.
    assert await runner.run_due() == 2
    async with database.read() as work:
        states = [
            (await work.session.get_one(Consult, case.consult.id)).state for case in (left, taken)
        ]
        assert (await work.session.exec(select(Job))).all() == []
    assert states == [S.EXPIRED, S.ACCEPTED]


async def test_the_job_of_a_request_that_moved_on_does_nothing(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.ACCEPTED)
    await service.expire(work, {"uid": case.consult.uid})
    await service.expire(work, {"uid": "gone"})
    assert case.consult.state is S.ACCEPTED


async def test_claiming_twice_changes_nothing_the_second_time(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case()
    await handling.claim(work, case.specialist, case.consult.uid)
    revision = case.consult.revision
    await handling.claim(work, case.specialist, case.consult.uid)
    assert case.consult.revision == revision


async def test_who_comes_second_is_told_in_words_when_it_was(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case()
    specialty = await make.specialty()
    late = await make.actor(Role.SPECIALIST, specialty=specialty)
    await handling.claim(work, case.specialist, case.consult.uid)
    clock.advance(timedelta(minutes=2))
    with pytest.raises(Conflict) as refusal:
        await handling.claim(work, late, case.consult.uid)
    words = refusal.value.message.format(**refusal.value.params)
    assert words == "Bác sĩ khác vừa nhận ca này lúc 09:00. Danh sách đã cập nhật."
    clock.advance(timedelta(days=1))
    with pytest.raises(Conflict) as refusal:
        await handling.claim(work, late, case.consult.uid)
    assert refusal.value.params == {"time": "09:00 23/11/2026"}


async def test_a_station_sees_nothing_of_a_draft_of_another(
    work: UnitOfWork, make: Factory
) -> None:
    thrown_away = await make.case(S.CANCELLED, requested_at=None)
    for actor in (thrown_away.specialist, await make.actor(Role.COMMUNE_DOCTOR)):
        with pytest.raises(Missing):
            await service.get_case(work, actor, thrown_away.consult.uid)
    coordinator = await make.actor(Role.COORDINATOR)
    with pytest.raises(Missing):
        await service.get_case(work, coordinator, thrown_away.consult.uid, Action.CONSULT_TRIAGE)
