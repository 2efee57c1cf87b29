"""Rules of live sessions: who comes in, what the case sees of it, who was there and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Missing
from telemed.core.events import list_events
from telemed.core.jobs import JobRunner
from telemed.sessions import log, opening, ringing, service
from telemed.sessions.attendance import list_attendance
from telemed.sessions.jobs import JOBS
from telemed.sessions.lifecycle import SessionEvent, SessionState, next_state
from telemed.sessions.models import LeaveReason, LiveSession, ParticipantRole
from tests.factories import Case, Factory
from tests.fakes import FakeAnnouncer


async def enter(work: UnitOfWork, actor: Actor, live: LiveSession, **how: bool) -> service.Entry:
    entry = await service.enter(work, actor, live.uid, **({"resumes": False} | how))
    await service.settle(work, live.uid, actor)
    return entry


async def kinds(work: UnitOfWork, live: LiveSession) -> list[str]:
    return [event.kind for event in await list_events(work, f"session:{live.uid}")]


async def test_either_side_opens_and_both_come_into_the_same_session(
    work: UnitOfWork, case: Case
) -> None:
    first = await opening.open_for_consult(work, case.doctor, case.consult.uid)
    second = await opening.open_for_consult(work, case.specialist, case.consult.uid)
    assert first.uid == second.uid
    members = (await service.get(work, case.doctor, first.uid)).members
    assert [member.participant.role for member in members] == [
        ParticipantRole.REQUESTER,
        ParticipantRole.SPECIALIST,
    ]


@pytest.mark.parametrize(
    "state", [ConsultState.REQUESTED, ConsultState.ANSWERED, ConsultState.CLOSED]
)
async def test_a_case_that_nobody_holds_or_that_is_over_cannot_be_called(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    case = await make.case(state)
    with pytest.raises(Conflict) as refused:
        await opening.open_for_consult(work, case.doctor, case.consult.uid)
    assert refused.value.code == "not_callable"


async def test_a_stranger_sees_no_session(
    work: UnitOfWork, make: Factory, live: LiveSession
) -> None:
    for role in (Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.TRAINER):
        stranger = await make.actor(role)
        with pytest.raises(Missing):
            await enter(work, stranger, live)
    with pytest.raises(Missing):
        await service.get(work, stranger, "x" * 22)


async def test_two_inside_put_the_case_in_session_and_one_left_pauses_it(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await enter(work, case.specialist, live)
    assert (live.state, case.consult.state) == (SessionState.RINGING, ConsultState.ACCEPTED)
    await enter(work, case.doctor, live)
    assert (live.state, case.consult.state) == (SessionState.LIVE, ConsultState.IN_SESSION)
    await service.leave(work, case.doctor, live.uid)
    assert (live.state, case.consult.state) == (SessionState.IDLE, ConsultState.PAUSED)
    await enter(work, case.doctor, live)
    assert (live.state, case.consult.state) == (SessionState.LIVE, ConsultState.IN_SESSION)
    assert await kinds(work, live) == [
        "session_opened",
        "ring_started",
        "participant_joined",
        "participant_joined",
        "session_met",
        "participant_left",
        "session_parted",
        "participant_joined",
        "session_met",
    ]


async def test_an_answered_case_stays_answered_when_the_talk_ends(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await enter(work, case.specialist, live)
    await enter(work, case.doctor, live)
    case.consult.state = ConsultState.ANSWERED
    work.session.add(case.consult)
    await service.end(work, case.specialist, live.uid)
    assert case.consult.state is ConsultState.ANSWERED


async def test_a_new_seat_raises_the_epoch_and_a_resumed_one_keeps_it(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    first = await enter(work, case.specialist, live)
    back = await enter(work, case.specialist, live, resumes=True)
    anew = await enter(work, case.specialist, live)
    assert (first.epoch, back.epoch, anew.epoch) == (1, 1, 2)
    assert (first.is_resumed, back.is_resumed, anew.is_resumed) == (False, True, False)
    assert (await kinds(work, live)).count("participant_joined") == 1


async def test_who_resumes_after_the_stay_has_ended_comes_in_anew(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    entry = await enter(work, case.specialist, live)
    await service.expel(work, live.uid, entry.own.participant.uid, reason=LeaveReason.LINK_LOST)
    back = await enter(work, case.specialist, live, resumes=True)
    assert (back.is_resumed, back.epoch) == (False, 2)


async def test_a_third_person_finds_the_room_full(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await enter(work, case.specialist, live)
    await enter(work, case.doctor, live)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=case.station)
    with pytest.raises(Conflict) as refused:
        await enter(work, colleague, live)
    assert refused.value.code == "session_full"


async def test_a_colleague_of_the_station_may_take_the_place(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=case.station)
    entry = await enter(work, colleague, live)
    assert entry.own.participant.role is ParticipantRole.REQUESTER


async def test_nobody_comes_into_a_session_that_is_over(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await service.end(work, case.doctor, live.uid)
    for act in (
        enter(work, case.doctor, live),
        service.ring(work, case.doctor, live.uid),
        service.end(work, case.doctor, live.uid),
    ):
        with pytest.raises(Conflict) as refused:
            await act
        assert refused.value.code == "session_ended"


async def test_attendance_keeps_each_stay_with_its_length(
    work: UnitOfWork, case: Case, live: LiveSession, clock: FakeClock
) -> None:
    await enter(work, case.specialist, live)
    clock.advance(timedelta(minutes=3))
    await service.leave(work, case.specialist, live.uid)
    clock.advance(timedelta(minutes=1))
    await enter(work, case.specialist, live)
    clock.advance(timedelta(minutes=5))
    await service.end(work, case.specialist, live.uid)
    stays = await list_attendance(work, live)
    assert [(stay.seconds, stay.reason) for stay in stays] == [
        (180, LeaveReason.LEFT),
        (300, LeaveReason.SESSION_ENDED),
    ]
    assert {stay.name for stay in stays} == {case.specialist.name}


async def test_a_call_is_heard_once_somebody_waits_inside(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    assert await ringing.list_calls(work, case.doctor) == []
    await enter(work, case.specialist, live)
    (call,) = await ringing.list_calls(work, case.doctor)
    assert call.caller.full_name == case.specialist.name
    assert call.patient_name == case.patient.full_name
    assert await ringing.list_calls(work, case.specialist) == []


async def test_a_call_stops_when_it_is_answered_declined_abandoned_or_too_long(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    cases = [await make.case(ConsultState.ACCEPTED) for _ in range(4)]
    opened = []
    for each in cases:
        live = await opening.open_for_consult(work, each.specialist, each.consult.uid)
        await enter(work, each.specialist, live)
        opened.append(live)
    await enter(work, cases[0].doctor, opened[0])
    await ringing.decline(work, cases[1].doctor, opened[1].uid)
    await service.leave(work, cases[2].specialist, opened[2].uid)
    await service.leave(work, cases[0].doctor, opened[0].uid)
    calls = [len(await ringing.list_calls(work, each.doctor)) for each in cases]
    clock.advance(ringing.RING)
    calls.append(len(await ringing.list_calls(work, cases[3].doctor)))
    assert calls == [0, 0, 0, 1, 0]


async def test_the_called_person_is_told_when_it_rings_and_when_it_stops(
    work: UnitOfWork, case: Case, live: LiveSession, announcer: FakeAnnouncer
) -> None:
    channel = f"person:{case.doctor.uid}"
    await work.commit()
    assert "ringing" not in announcer.events(channel)
    await enter(work, case.specialist, live)
    await work.commit()
    await service.leave(work, case.specialist, live.uid)
    await work.commit()
    assert [each for each in announcer.events(channel) if each.startswith("ring")] == [
        "ringing",
        "ring-ended",
    ]


async def test_the_same_message_twice_is_one_message(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await enter(work, case.doctor, live)
    first = await log.say(work, case.doctor, live.uid, "SpO2 96 %", "k1")
    again = await log.say(work, case.doctor, live.uid, "SpO2 96 %", "k1")
    other = await log.say(work, case.doctor, live.uid, "SpO2 96 %", "k2")
    assert first == again == other - 1


async def test_who_is_outside_says_nothing(work: UnitOfWork, case: Case, live: LiveSession) -> None:
    with pytest.raises(Conflict) as refused:
        await log.say(work, case.doctor, live.uid, "a", "k1")
    assert refused.value.code == "not_joined"


async def test_the_log_is_read_from_a_number_on_in_pages(
    work: UnitOfWork, case: Case, live: LiveSession
) -> None:
    await enter(work, case.doctor, live)
    for number in range(5):
        await log.say(work, case.doctor, live.uid, f"{number}", f"k{number}")
    meeting = await service.get(work, case.doctor, live.uid)
    page = await log.read_log(work, meeting, after=3, limit=2)
    assert [entry.data["text"] for entry in page.entries] == ["0", "1"]
    assert (page.last_number, page.has_more) == (5, True)
    rest = await log.read_log(work, meeting, after=page.last_number)
    assert [entry.name for entry in rest.entries] == [case.doctor.name] * 3
    assert (rest.last_number, rest.has_more) == (8, False)


async def test_a_stay_lost_with_its_process_ends_when_it_was_last_seen(
    database: Database, work: UnitOfWork, case: Case, live: LiveSession, clock: FakeClock
) -> None:
    both = [await enter(work, actor, live) for actor in (case.specialist, case.doctor)]
    await work.commit()
    jobs = JobRunner(database, dict(JOBS))
    for seconds in (40, 40, 40):
        clock.advance(timedelta(seconds=seconds))
        await service.touch(work, [both[0].own.participant.uid])
        await work.commit()
        await jobs.run_due()
    async with database.read() as fresh:
        stays = await list_attendance(fresh, live)
    assert [(stay.name, stay.seconds, stay.reason) for stay in stays] == [
        (case.specialist.name, None, None),
        (case.doctor.name, 0, LeaveReason.LINK_LOST),
    ]


async def test_an_empty_session_ends_by_itself(
    database: Database, work: UnitOfWork, case: Case, live: LiveSession, clock: FakeClock
) -> None:
    await enter(work, case.specialist, live)
    await service.leave(work, case.specialist, live.uid)
    await work.commit()
    clock.advance(opening.EMPTY_ENDS_AFTER)
    await JobRunner(database, dict(JOBS)).run_due()
    row = select(LiveSession).where(col(LiveSession.uid) == live.uid)
    ended = (await work.session.exec(row.execution_options(populate_existing=True))).one()
    assert ended.state is SessionState.ENDED


async def test_an_unanswered_call_is_told_to_who_waits(
    database: Database, work: UnitOfWork, case: Case, live: LiveSession, clock: FakeClock
) -> None:
    await enter(work, case.specialist, live)
    await work.commit()
    clock.advance(ringing.RING)
    await JobRunner(database, dict(JOBS)).run_due()
    assert (await kinds(work, live))[-1] == "ring_expired"


async def test_a_session_for_handing_over_a_technique_has_the_same_room(
    work: UnitOfWork, make: Factory
) -> None:
    trainer = await make.actor(Role.TRAINER)
    trainee = await make.actor(Role.COMMUNE_DOCTOR)
    assert trainee.facility_id
    live = await opening.open_for_transfer(
        work,
        trainer,
        title="Siêu âm tim cấp cứu",
        station_id=trainee.facility_id,
        members=[(trainee.id, ParticipantRole.TRAINEE)],
    )
    await enter(work, trainer, live)
    await enter(work, trainee, live)
    assert live.state is SessionState.LIVE
    assert len(await list_attendance(work, live)) == 2


LEGAL = {
    (SessionState.RINGING, SessionEvent.MEET): SessionState.LIVE,
    (SessionState.RINGING, SessionEvent.END): SessionState.ENDED,
    (SessionState.RINGING, SessionEvent.EXPIRE): SessionState.ENDED,
    (SessionState.LIVE, SessionEvent.PART): SessionState.IDLE,
    (SessionState.LIVE, SessionEvent.END): SessionState.ENDED,
    (SessionState.IDLE, SessionEvent.MEET): SessionState.LIVE,
    (SessionState.IDLE, SessionEvent.END): SessionState.ENDED,
    (SessionState.IDLE, SessionEvent.EXPIRE): SessionState.ENDED,
}
PAIRS = [(state, event) for state in SessionState for event in SessionEvent]


@pytest.mark.parametrize(("state", "event"), [pair for pair in PAIRS if pair in LEGAL])
def test_a_legal_step_leads_where_the_table_says(state: SessionState, event: SessionEvent) -> None:
    assert next_state(state, event) is LEGAL[state, event]


@pytest.mark.parametrize(("state", "event"), [pair for pair in PAIRS if pair not in LEGAL])
def test_any_other_step_is_a_conflict(state: SessionState, event: SessionEvent) -> None:
    with pytest.raises(Conflict):
        next_state(state, event)
