"""Weekly hours and bookings: nobody is booked twice at once, whoever is faster; on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.events import list_events
from telemed.facilities.models import Facility
from telemed.scheduling import service, working_hours
from telemed.scheduling.availability import Hours
from telemed.scheduling.models import Booking, BookingState
from tests.factories import Case, Factory

EVERY_MORNING = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]
TOMORROW = datetime(2026, 11, 24, 8, 30, tzinfo=LOCAL_ZONE)


@pytest.fixture
async def case(work: UnitOfWork, make: Factory) -> Case:
    case = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, EVERY_MORNING)
    return case


async def book(work: UnitOfWork, case: Case, start: datetime = TOMORROW) -> Booking:
    return await service.book(work, case.doctor, case.consult.uid, start)


async def starts(work: UnitOfWork, case: Case) -> list[datetime]:
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    return [slot.start for slot in schedule.slots]


# --- hours -----------------------------------------------------------------------------------


async def test_hours_are_replaced_as_a_whole_and_on_record(work: UnitOfWork, make: Factory) -> None:
    specialist = await make.actor(Role.SPECIALIST)
    await working_hours.set_hours(work, specialist, EVERY_MORNING)
    await working_hours.set_hours(work, specialist, [Hours(2, 60, 120, 15), Hours(0, 60, 120, 60)])
    await work.commit()
    assert await working_hours.weekly_hours(work, specialist.id) == [
        Hours(0, 60, 120, 60),
        Hours(2, 60, 120, 15),
    ]
    records = (await work.session.exec(select(AuditRecord.tag))).all()
    assert records == [AuditTag.HOURS_CHANGE, AuditTag.HOURS_CHANGE]


async def test_hours_that_cannot_be_leave_the_old_ones(
    database: Database, make: Factory, work: UnitOfWork
) -> None:
    specialist = await make.actor(Role.SPECIALIST)
    await working_hours.set_hours(work, specialist, EVERY_MORNING)
    await work.commit()

    async def overlap() -> None:
        async with database.work() as other:
            await working_hours.set_hours(other, specialist, [Hours(0, 0, 60), Hours(0, 30, 90)])

    with pytest.raises(Invalid):
        await overlap()
    async with database.read() as other:
        assert len(await working_hours.weekly_hours(other, specialist.id)) == 7


@pytest.mark.parametrize("role", [Role.COMMUNE_DOCTOR, Role.TRAINER, Role.COORDINATOR])
async def test_only_specialists_have_hours(work: UnitOfWork, make: Factory, role: Role) -> None:
    actor = await make.actor(role)
    with pytest.raises(Denied):
        await working_hours.set_hours(work, actor, [])


# --- booking ---------------------------------------------------------------------------------


async def test_a_case_offers_two_weeks_of_free_slots(work: UnitOfWork, case: Case) -> None:
    offered = await starts(work, case)
    assert offered[0] == datetime(2026, 11, 23, 9, 30, tzinfo=LOCAL_ZONE)
    assert offered[-1] == datetime(2026, 12, 6, 11, 30, tzinfo=LOCAL_ZONE)
    days = service.by_day((await service.schedule_of(work, case.doctor, case.consult)).slots)
    assert list(days) == [date(2026, 11, 23) + timedelta(days=n) for n in range(14)]
    assert len(offered) == sum(len(day) for day in days.values()) == 5 + 13 * 8


@pytest.mark.parametrize("side", ["doctor", "specialist"])
async def test_either_side_books_and_the_case_is_scheduled(
    work: UnitOfWork, case: Case, side: str
) -> None:
    actor: Actor = getattr(case, side)
    booking = await service.book(work, actor, case.consult.uid, TOMORROW.astimezone(UTC))
    assert (booking.start_at, booking.end_at) == (TOMORROW, TOMORROW + timedelta(minutes=30))
    assert booking.booked_by_id == actor.id
    assert case.consult.state is ConsultState.SCHEDULED
    (event,) = await list_events(work, f"consult:{case.consult.uid}")
    assert event.kind == "consult_scheduled"
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    assert schedule.booking == booking
    assert TOMORROW not in [slot.start for slot in schedule.slots]


@pytest.mark.parametrize(
    "start",
    [
        TOMORROW + timedelta(minutes=1),
        TOMORROW.replace(hour=12),
        TOMORROW.replace(hour=3),
        TOMORROW - timedelta(days=1),
        TOMORROW + timedelta(days=13),
        TOMORROW + timedelta(days=3650),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-14))),
    ],
)
async def test_a_time_that_is_not_offered_cannot_be_booked(
    work: UnitOfWork, case: Case, start: datetime
) -> None:
    with pytest.raises(Invalid) as refusal:
        await book(work, case, start)
    assert [fault.field for fault in refusal.value.fields] == ["start"]


@pytest.mark.parametrize(
    "state", [state for state in ConsultState if state not in service.BOOKABLE]
)
async def test_only_a_case_in_hand_is_booked(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    case = await make.case(state)
    await working_hours.set_hours(work, case.specialist, EVERY_MORNING)
    with pytest.raises((Conflict, Missing)):
        await book(work, case)
    assert (await work.session.exec(select(Booking))).all() == []


async def test_strangers_book_and_cancel_nothing(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    booking = await book(work, case)
    other = await make.case(ConsultState.ACCEPTED)
    for stranger in (other.doctor, other.specialist):
        with pytest.raises(Missing):
            await service.book(work, stranger, case.consult.uid, TOMORROW)
        with pytest.raises(Missing):
            await service.cancel(work, stranger, booking.uid, "Bận")
        with pytest.raises(Missing):
            await service.cancel(work, stranger, "x" * 22, "Bận")


async def test_what_is_taken_is_offered_to_nobody_else(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    await book(work, case)
    other = await make.case(ConsultState.ACCEPTED, specialist=case.specialist)
    assert TOMORROW not in await starts(work, other)
    with pytest.raises(Conflict) as refusal:
        await book(work, other)
    assert refusal.value.code == "slot_taken"


@pytest.mark.parametrize("side", ["doctor", "specialist"])
async def test_either_side_cancels_and_the_time_is_free_again(
    work: UnitOfWork, case: Case, side: str
) -> None:
    booking = await book(work, case)
    actor: Actor = getattr(case, side)
    await service.cancel(work, actor, booking.uid, "Mất điện")
    assert (booking.state, booking.cancelled_by_id, booking.reason) == (
        BookingState.CANCELLED,
        actor.id,
        "Mất điện",
    )
    assert case.consult.state is ConsultState.ACCEPTED
    assert TOMORROW in await starts(work, case)
    assert (await book(work, case)).uid != booking.uid
    with pytest.raises(Conflict) as refusal:
        await service.cancel(work, actor, booking.uid, "Lần nữa")
    assert refusal.value.code == "booking_cancelled"


async def test_a_case_that_leaves_its_specialist_gives_its_time_back(
    work: UnitOfWork, case: Case
) -> None:
    booking = await book(work, case)
    await service.release_bookings(work, case.consult, "Chuyển khoa")
    await service.release_bookings(work, case.consult, "Lần nữa")
    assert (booking.state, booking.reason) == (BookingState.CANCELLED, "Chuyển khoa")


async def test_after_a_meeting_another_may_be_booked(
    work: UnitOfWork, case: Case, clock: FakeClock
) -> None:
    first = await book(work, case)
    clock.set(TOMORROW)
    case.consult.state = ConsultState.PAUSED
    work.session.add(case.consult)
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    assert (schedule.booking, schedule.slots) == (first, ())
    with pytest.raises(Conflict):
        await book(work, case, TOMORROW + timedelta(days=1))
    clock.set(first.end_at)
    assert (await service.schedule_of(work, case.doctor, case.consult)).booking is None
    await book(work, case, TOMORROW + timedelta(days=1))
    assert first.state is BookingState.BOOKED


async def test_a_time_that_passed_without_a_meeting_can_still_be_given_up(
    work: UnitOfWork, case: Case, clock: FakeClock
) -> None:
    booking = await book(work, case)
    clock.set(booking.end_at + timedelta(hours=1))
    assert (await service.schedule_of(work, case.doctor, case.consult)).booking == booking
    await service.cancel(work, case.doctor, booking.uid, "Không ai vào")
    assert case.consult.state is ConsultState.ACCEPTED


# --- another time, a held time, a room -------------------------------------------------------

LATER = TOMORROW + timedelta(days=1, hours=1)


@pytest.mark.parametrize("side", ["doctor", "specialist"])
async def test_either_side_moves_an_appointment_and_the_other_is_told(
    work: UnitOfWork, case: Case, side: str, clock: FakeClock
) -> None:
    booking = await book(work, case)
    clock.advance(timedelta(minutes=5))
    await service.move(work, getattr(case, side), booking.uid, LATER)
    assert (booking.start_at, booking.end_at) == (LATER, LATER + timedelta(minutes=30))
    assert (booking.moves, booking.changed_at) == (1, clock.now())
    assert case.consult.state is ConsultState.SCHEDULED
    event = (await list_events(work, f"consult:{case.consult.uid}"))[-1]
    assert (event.kind, event.data["start_at"]) == ("consult_moved", booking.start_at.isoformat())
    assert TOMORROW in await starts(work, case)
    await work.commit()
    tags = (await work.session.exec(select(AuditRecord.tag))).all()
    assert tags.count(AuditTag.BOOKING_MOVE) == 1


async def test_a_move_by_less_than_its_own_length_is_not_in_its_own_way(
    work: UnitOfWork, case: Case
) -> None:
    booking = await book(work, case)
    await working_hours.set_hours(work, case.specialist, [Hours(1, 8 * 60 + 15, 12 * 60, 30)])
    start = TOMORROW + timedelta(minutes=15)
    await service.move(work, case.doctor, booking.uid, start)
    assert booking.start_at == start


async def test_nothing_is_moved_onto_what_is_taken_or_not_offered(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    booking = await book(work, case)
    other = await make.case(ConsultState.ACCEPTED, specialist=case.specialist)
    await book(work, other, LATER)
    with pytest.raises(Conflict):
        await service.move(work, case.doctor, booking.uid, LATER)
    with pytest.raises(Invalid):
        await service.move(work, case.doctor, booking.uid, LATER.replace(hour=13))
    with pytest.raises(Missing):
        await service.move(work, other.doctor, booking.uid, LATER + timedelta(hours=1))
    assert booking.start_at == TOMORROW
    await service.cancel(work, case.doctor, booking.uid, "Bận")
    with pytest.raises(Conflict) as refusal:
        await service.move(work, case.doctor, booking.uid, LATER + timedelta(hours=1))
    assert refusal.value.code == "booking_cancelled"


async def test_a_held_time_is_nobody_elses_until_it_runs_out(
    work: UnitOfWork, make: Factory, case: Case, clock: FakeClock
) -> None:
    held = await service.hold(work, case.doctor, case.consult.uid, TOMORROW)
    assert case.consult.state is ConsultState.ACCEPTED
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    assert (schedule.booking, schedule.hold) == (None, held)
    other = await make.case(ConsultState.ACCEPTED, specialist=case.specialist)
    assert TOMORROW not in await starts(work, other)
    with pytest.raises(Conflict) as refusal:
        await book(work, other)
    assert refusal.value.code == "slot_taken"

    clock.advance(service.HOLD)
    assert (await service.schedule_of(work, case.doctor, case.consult)).hold is None
    assert (await book(work, other)).start_at == TOMORROW
    with pytest.raises((Conflict, Missing)):
        await service.confirm(work, case.doctor, held.uid)


async def test_a_held_time_is_booked_by_either_side(work: UnitOfWork, case: Case) -> None:
    held = await service.hold(work, case.doctor, case.consult.uid, TOMORROW)
    await service.confirm(work, case.specialist, held.uid)
    assert (held.state, held.held_until) == (BookingState.BOOKED, None)
    assert case.consult.state is ConsultState.SCHEDULED
    with pytest.raises(Conflict):
        await service.confirm(work, case.doctor, held.uid)


async def test_a_case_holds_one_time_and_may_give_it_back(work: UnitOfWork, case: Case) -> None:
    await service.hold(work, case.doctor, case.consult.uid, TOMORROW)
    second = await service.hold(work, case.doctor, case.consult.uid, LATER)
    assert TOMORROW in await starts(work, case)
    await service.let_go(work, case.doctor, second.uid)
    assert LATER in await starts(work, case)
    assert (await work.session.exec(select(Booking))).all() == []
    with pytest.raises(Missing):
        await service.let_go(work, case.doctor, second.uid)


async def test_whoever_books_gives_up_what_the_case_held(work: UnitOfWork, case: Case) -> None:
    await service.hold(work, case.doctor, case.consult.uid, LATER)
    booking = await book(work, case)
    assert [each.uid for each in (await work.session.exec(select(Booking))).all()] == [booking.uid]


async def test_a_case_that_leaves_its_specialist_holds_nothing(
    work: UnitOfWork, case: Case
) -> None:
    await service.hold(work, case.doctor, case.consult.uid, TOMORROW)
    await service.release_bookings(work, case.consult, "Chuyển khoa")
    assert (await work.session.exec(select(Booking))).all() == []


async def test_a_station_talks_in_as_many_rooms_as_it_has(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    cases = [case]
    for _ in range(2):
        other = await make.case(ConsultState.ACCEPTED, doctor=case.doctor)
        await working_hours.set_hours(work, other.specialist, EVERY_MORNING)
        cases.append(other)
    station = await work.session.get_one(Facility, case.consult.station_id)
    first = await book(work, cases[0])
    with pytest.raises(Conflict) as refusal:
        await book(work, cases[1])
    assert refusal.value.code == "room_taken"
    assert TOMORROW not in await starts(work, cases[1])
    station.rooms = 2
    work.session.add(station)
    second = await book(work, cases[1])
    assert (first.room, second.room) == (1, 2)
    with pytest.raises(Conflict):
        await book(work, cases[2])


# --- who sees which day ----------------------------------------------------------------------


async def test_a_day_lists_ones_own_appointments_alone(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    booking = await book(work, case)
    other = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, other.specialist, EVERY_MORNING)
    await book(work, other)
    day = TOMORROW.date()
    seen = {
        actor.id: [row.booking.uid for row in (await service.list_days(work, actor, day, 1))[day]]
        for actor in (case.doctor, case.specialist, await make.actor(Role.COORDINATOR))
    }
    assert list(seen.values()) == [[booking.uid], [booking.uid], []]


async def test_a_specialist_sees_no_appointment_of_a_case_that_went_on(
    work: UnitOfWork, case: Case
) -> None:
    await book(work, case)
    case.consult.assigned_id = None
    work.session.add(case.consult)
    assert (await service.list_days(work, case.specialist, TOMORROW.date(), 1)) == {
        TOMORROW.date(): []
    }


async def test_today_is_the_local_day(work: UnitOfWork, case: Case, clock: FakeClock) -> None:
    await book(work, case, datetime(2026, 11, 24, 8, 0, tzinfo=LOCAL_ZONE))
    counts = []
    for hours in (0, 14, 15, 38, 39):
        clock.set(datetime(2026, 11, 23, 2, 0, tzinfo=UTC) + timedelta(hours=hours))
        counts.append(len(await service.list_today(work, case.doctor)))
    assert counts == [0, 0, 1, 1, 0]
