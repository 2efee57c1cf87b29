"""Who is told of what happens to a case: the whole table of transitions, the ladder, reminders."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.case import conversation
from telemed.consults.lifecycle import TRANSITIONS, WAITING, ConsultEvent, ConsultState
from telemed.consults.models import Urgency
from telemed.consults.service import WATCH_JOB, transition
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import stream_of
from telemed.core.jobs import JobRunner, Together
from telemed.notices import preferences
from telemed.notices import service as notices
from telemed.notices.kinds import Channel, NoticeKind
from telemed.notices.models import Notice
from telemed.notices.outbox import Outcome, settle, take_due
from telemed.notices.service import News
from telemed.scheduling import service as scheduling
from telemed.scheduling import working_hours
from telemed.scheduling.availability import Hours
from telemed.scheduling.escalation.service import read_ladder, watch
from telemed.scheduling.reminders import AHEAD, REMIND_JOB, remind
from tests.factories import Case, Factory

S, E, K = ConsultState, ConsultEvent, NoticeKind
STATION, HOSPITAL = "requester", "specialist"
MORNINGS = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]
TOMORROW = datetime(2026, 11, 24, 8, 30, tzinfo=LOCAL_ZONE)

# Written down a second time on purpose: who is told what, when a stranger to both has done it.
TOLD: dict[ConsultEvent, tuple[NoticeKind, set[str]]] = {
    E.ASK_INFO: (K.INFO_ASKED, {STATION}),
    E.ANSWER_INFO: (K.INFO_ANSWERED, {HOSPITAL}),
    E.CLAIM: (K.REQUEST_ACCEPTED, {STATION}),
    E.DECLINE: (K.REQUEST_DECLINED, {STATION}),
    E.SCHEDULE: (K.BOOKING_MADE, {STATION, HOSPITAL}),
    E.UNSCHEDULE: (K.BOOKING_CANCELLED, {STATION, HOSPITAL}),
    E.START_SESSION: (K.SESSION_STARTED, {STATION, HOSPITAL}),
    E.ANSWER: (K.CASE_ANSWERED, {STATION}),
    E.CLOSE: (K.CASE_CLOSED, {HOSPITAL}),
    E.CANCEL: (K.REQUEST_CANCELLED, {STATION, HOSPITAL}),
    E.EXPIRE: (K.REQUEST_EXPIRED, {STATION}),
    E.WITHDRAW_CONSENT: (K.REQUEST_CANCELLED, {STATION, HOSPITAL}),
}


async def told(work: UnitOfWork) -> list[tuple[NoticeKind, int]]:
    rows = (await work.session.exec(select(Notice).order_by(col(Notice.id)))).all()
    return [(row.kind, row.person_id) for row in rows]


@pytest.mark.parametrize(
    ("state", "event"), sorted(TRANSITIONS), ids=lambda value: str(getattr(value, "value", value))
)
async def test_those_whom_it_concerns_are_told_once(
    work: UnitOfWork, make: Factory, state: ConsultState, event: ConsultEvent
) -> None:
    case = await make.case(state)
    other = await make.actor(Role.SPECIALIST)
    before = case.consult.assigned_id
    await transition(work, other, case.consult, event)
    kind, sides = TOLD.get(event, (K.TRIAL, set()))
    people = {STATION: case.doctor.id, HOSPITAL: case.consult.assigned_id or before}
    expected = {people[side] for side in sides} - {None, other.id}
    assert sorted(await told(work)) == sorted((kind, person) for person in expected)


@pytest.mark.parametrize("event", TOLD)
async def test_whoever_does_it_is_not_told(
    work: UnitOfWork, make: Factory, event: ConsultEvent
) -> None:
    state = next(state for state, known in TRANSITIONS if known is event)
    case = await make.case(state)
    for actor in (case.doctor, case.specialist):
        if (case.consult.state, event) in TRANSITIONS:
            await transition(work, actor, case.consult, event)
            assert actor.id not in {person for _, person in await told(work)}


async def test_a_notice_tells_cases_apart_without_a_word_about_the_patient(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.REQUESTED)
    await transition(work, case.specialist, case.consult, E.CLAIM)
    notice = (await work.session.exec(select(Notice))).one()
    assert notice.data == {"station": case.station.name, "specialty": notice.data["specialty"]}
    assert case.patient.full_name not in str(notice.data)


async def test_messages_are_told_once_until_they_are_read(work: UnitOfWork, case: Case) -> None:
    for text in ("Chào bác sĩ", "Bệnh nhân đã đỡ", "Cảm ơn"):
        await conversation.post(work, case.doctor, case.consult.uid, text)
    assert await told(work) == [(K.MESSAGE_CAME, case.specialist.id)]
    await notices.mark_read(work, case.specialist, stream_of("consult", case.consult.uid))
    await conversation.post(work, case.doctor, case.consult.uid, "Còn một câu")
    assert len(await told(work)) == 2


async def test_a_rung_of_the_ladder_is_told_and_over_once_the_case_is_taken(
    database: Database, work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.DRAFT, urgency=Urgency.EMERGENCY)
    await transition(work, case.doctor, case.consult, E.SUBMIT)
    await work.commit()
    await JobRunner(database, {WATCH_JOB: Together(watch)}).run_due()
    notice = (await work.session.exec(select(Notice))).one()
    assert (notice.kind, notice.person_id, notice.is_urgent) == (
        K.REQUEST_WAITS,
        case.specialist.id,
        True,
    )
    await work.session.refresh(case.consult)
    await transition(work, await other_of(make, case), case.consult, E.CLAIM)
    await work.session.refresh(notice)
    assert notice.over_at is not None
    assert case.consult.state not in WAITING


async def test_the_ladder_shows_what_was_sent_and_read(
    database: Database, work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await make.case(S.DRAFT, urgency=Urgency.EMERGENCY)
    case.consult.named_id = case.specialist.id
    code = await preferences.ask_mail(work, case.specialist, "bs@benhvien.example")
    assert await preferences.confirm_mail(work, case.specialist, code)
    await transition(work, case.doctor, case.consult, E.SUBMIT)
    await work.commit()
    await JobRunner(database, {WATCH_JOB: Together(watch)}).run_due()
    async with database.work() as posting:
        (parcel,) = await take_due(posting, Channel.MAIL, "me")
        await settle(posting, "me", parcel, Outcome.taken())
        await notices.open_notice(posting, case.specialist, parcel.notice_uid)
    async with database.read() as reading:
        ladder = await read_ladder(reading, case.doctor, case.consult.uid)
    assert ladder
    assert ladder.steps[0].reached
    assert ladder.steps[0].reached.read_at == clock.now()
    assert [(proof.channel, proof.state.value) for proof in ladder.steps[0].reached.proofs] == [
        ("mail", "sent")
    ]


async def other_of(make: Factory, case: Case) -> Actor:
    return await make.actor(Role.SPECIALIST)


async def test_a_rolled_back_fact_was_never_told(database: Database) -> None:
    async with database.work() as work:
        case = await Factory(work).case()
    async with database.open() as work:
        await transition(work, case.specialist, case.consult, E.CLAIM)
        await work.rollback()
    async with database.read() as work:
        assert await told(work) == []


@pytest.fixture
async def booked(work: UnitOfWork, make: Factory) -> Case:
    """A case with an appointment, of which everybody knows."""
    case = await make.case(S.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, MORNINGS)
    await scheduling.book(work, case.doctor, case.consult.uid, TOMORROW)
    await work.commit()
    return case


async def reminders(database: Database, clock: FakeClock, at: datetime) -> list[int]:
    """Who is reminded when it has become this time."""
    clock.set(at)
    await JobRunner(database, {REMIND_JOB: remind}).run_due()
    async with database.read() as work:
        return sorted(person for kind, person in await told(work) if kind is K.BOOKING_SOON)


async def test_both_sides_are_reminded_in_time_and_once(
    booked: Case, database: Database, clock: FakeClock
) -> None:
    both = sorted([booked.doctor.id, booked.specialist.id])
    early = TOMORROW - AHEAD - timedelta(seconds=1)
    assert await reminders(database, clock, early) == []
    assert await reminders(database, clock, TOMORROW - AHEAD) == both
    assert await reminders(database, clock, TOMORROW) == both


async def test_a_moved_appointment_reminds_at_its_new_time(
    booked: Case, database: Database, work: UnitOfWork, clock: FakeClock
) -> None:
    schedule = await scheduling.schedule_of(work, booked.doctor, booked.consult)
    assert schedule.booking
    later = TOMORROW + timedelta(hours=2)
    await scheduling.move(work, booked.doctor, schedule.booking.uid, later)
    assert (K.BOOKING_MOVED, booked.specialist.id) in await told(work)
    await work.commit()
    assert await reminders(database, clock, TOMORROW) == []
    assert len(await reminders(database, clock, later - AHEAD)) == 2


async def test_a_cancelled_appointment_reminds_nobody(
    booked: Case, database: Database, work: UnitOfWork, clock: FakeClock
) -> None:
    schedule = await scheduling.schedule_of(work, booked.doctor, booked.consult)
    assert schedule.booking
    await scheduling.cancel(work, booked.doctor, schedule.booking.uid, "Vì một lẽ đủ rõ")
    await work.commit()
    assert await reminders(database, clock, TOMORROW) == []


async def test_fifty_tellings_of_one_fact_are_one(
    database: Database, make: Factory, work: UnitOfWork
) -> None:
    person = await make.actor(Role.SPECIALIST)
    await work.commit()

    async def tell() -> None:
        async with database.work() as mine:
            await notices.notify(mine, News(K.CASE_ANSWERED, {person.id}, "one fact"))

    await asyncio.gather(*(tell() for _ in range(50)))
    async with database.read() as reading:
        assert await told(reading) == [(K.CASE_ANSWERED, person.id)]
