"""Fifty hands at one time, on both engines: one booking, and nobody is booked twice at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import list_events
from telemed.facilities.models import Facility
from telemed.scheduling import service, working_hours
from telemed.scheduling.availability import Hours
from telemed.scheduling.models import Booking
from tests.factories import Case, Factory
from tests.races import HANDS, Attempt, attempt_all

EVERY_MORNING = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]
TOMORROW = datetime(2026, 11, 24, 8, 30, tzinfo=LOCAL_ZONE)


async def book(work: UnitOfWork, case: Case, start: datetime = TOMORROW) -> Booking:
    return await service.book(work, case.doctor, case.consult.uid, start)


async def _cases(
    database: Database, *, same_patient: bool = False, same_station: bool = False
) -> list[Case]:
    """Fifty cases: of one specialist; of one patient or of one station with many specialists."""
    async with database.work() as work:
        make = Factory(work)
        specialty = await make.specialty()
        first = await make.case(ConsultState.ACCEPTED)
        cases = [first]
        for _ in range(HANDS - 1):
            specialist = first.specialist
            if same_patient or same_station:
                specialist = await make.actor(Role.SPECIALIST, specialty=specialty)
            case = await make.case(
                ConsultState.ACCEPTED, doctor=first.doctor, specialist=specialist
            )
            if same_patient:
                case.consult.patient_id = first.patient.id or 0
                work.session.add(case.consult)
            cases.append(case)
        for specialist in {case.specialist for case in cases}:
            await working_hours.set_hours(work, specialist, EVERY_MORNING)
    return cases


async def overlaps(database: Database) -> int:
    join = (
        "SELECT count(*) FROM booking a JOIN booking b ON a.id < b.id"
        " AND (a.specialist_id = b.specialist_id OR a.patient_id = b.patient_id"
        " OR (a.station_id = b.station_id AND a.room = b.room))"
        " AND a.start_at < b.end_at AND b.start_at < a.end_at"
        " WHERE a.state <> 'cancelled' AND b.state <> 'cancelled'"
    )
    async with database.engine.connect() as connection:
        return int((await connection.execute(text(join))).scalar_one())


@pytest.mark.parametrize("same_patient", [False, True], ids=["one specialist", "one patient"])
async def test_of_fifty_bookings_of_one_time_one_wins(
    database: Database, same_patient: bool
) -> None:
    cases = await _cases(database, same_patient=same_patient)

    def attempt_of(case: Case) -> Attempt:
        return lambda work: book(work, case)

    outcomes = await attempt_all(database, map(attempt_of, cases))
    assert Counter(outcomes) == {"done": 1, "slot_taken": HANDS - 1}
    async with database.read() as work:
        states = (await work.session.exec(select(Consult.id, Consult.state))).all()
        bookings = (await work.session.exec(select(Booking))).all()
        query = select(AuditRecord.person_id).where(col(AuditRecord.tag) == AuditTag.BOOKING_MAKE)
        written = (await work.session.exec(query)).all()
    winner = cases[outcomes.index("done")].consult.id
    assert [booking.consult_id for booking in bookings] == [winner]
    assert {state for key, state in states if key != winner} == {ConsultState.ACCEPTED}
    assert len(written) == 1
    assert await overlaps(database) == 0


async def test_of_fifty_bookings_of_one_room_as_many_win_as_there_are_rooms(
    database: Database,
) -> None:
    cases = await _cases(database, same_station=True)
    async with database.work() as work:
        station = await work.session.get_one(Facility, cases[0].consult.station_id)
        station.rooms = 3
        work.session.add(station)

    def attempt_of(case: Case) -> Attempt:
        return lambda work: book(work, case)

    outcomes = await attempt_all(database, map(attempt_of, cases))
    assert Counter(outcomes) == {"done": 3, "room_taken": HANDS - 3}
    assert await overlaps(database) == 0


async def test_of_fifty_holds_of_one_time_one_wins_and_is_booked_once(database: Database) -> None:
    cases = await _cases(database)

    def hold_of(case: Case) -> Attempt:
        return lambda work: service.hold(work, case.doctor, case.consult.uid, TOMORROW)

    outcomes = await attempt_all(database, map(hold_of, cases))
    assert Counter(outcomes) == {"done": 1, "slot_taken": HANDS - 1}
    winner = cases[outcomes.index("done")]
    async with database.read() as work:
        (held,) = (await work.session.exec(select(Booking))).all()

    def confirm(work: UnitOfWork) -> Awaitable[object]:
        return service.confirm(work, winner.doctor, held.uid)

    confirmed = await attempt_all(database, [confirm] * HANDS)
    assert confirmed.count("done") == 1


async def test_fifty_who_move_to_one_time_are_not_there_together(database: Database) -> None:
    cases = (await _cases(database))[:7]
    async with database.work() as work:
        bookings = [
            await book(work, case, TOMORROW + timedelta(minutes=30 * number))
            for number, case in enumerate(cases)
        ]
    to = TOMORROW + timedelta(days=1)

    def move(number: int) -> Attempt:
        case, booking = cases[number % 7], bookings[number % 7]
        return lambda work: service.move(work, case.doctor, booking.uid, to)

    outcomes = await attempt_all(database, map(move, range(HANDS)))
    assert "done" in outcomes
    assert await overlaps(database) == 0
    async with database.read() as work:
        starts = (await work.session.exec(select(Booking.start_at))).all()
    assert starts.count(to) == 1
    assert len(starts) == 7


async def test_fifty_bookings_of_one_case_are_one_appointment(database: Database) -> None:
    (case, *_) = await _cases(database)
    at = [TOMORROW + timedelta(days=number % 10) for number in range(HANDS)]

    def attempt_at(start: datetime) -> Attempt:
        return lambda work: book(work, case, start)

    outcomes = await attempt_all(database, map(attempt_at, at))
    assert outcomes.count("done") == 1
    async with database.read() as work:
        assert len((await work.session.exec(select(Booking))).all()) == 1


async def test_different_times_are_booked_side_by_side(database: Database) -> None:
    cases = await _cases(database)
    morning = [TOMORROW + timedelta(minutes=30 * number) for number in range(7)]

    def attempt_of(case: Case, start: datetime) -> Attempt:
        return lambda work: book(work, case, start)

    pairs = zip(cases, morning * 7, strict=False)
    outcomes = await attempt_all(database, (attempt_of(*pair) for pair in pairs))
    assert outcomes.count("done") == len(morning)
    assert await overlaps(database) == 0


async def test_fifty_cancellations_are_one(database: Database) -> None:
    (case, *_) = await _cases(database)
    async with database.work() as work:
        booking = await book(work, case)

    def attempt(work: UnitOfWork) -> Awaitable[object]:
        return service.cancel(work, case.doctor, booking.uid, "Mất điện")

    outcomes = await attempt_all(database, [attempt] * HANDS)
    assert outcomes.count("done") == 1
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.BOOKING_CANCEL)
        assert len((await work.session.exec(query)).all()) == 1
        facts = [event.kind for event in await list_events(work, f"consult:{case.consult.uid}")]
    assert facts == ["consult_scheduled", "consult_unscheduled"]


@pytest.mark.parametrize("shared", ["specialist_id", "patient_id", "station_id"])
async def test_the_database_itself_refuses_two_at_once(
    database: Database, work: UnitOfWork, make: Factory, shared: str
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, EVERY_MORNING)
    first = await book(work, case)
    other = await make.case(ConsultState.ACCEPTED)
    await work.commit()

    async def insert(start: datetime, end: datetime) -> Booking:
        columns = {
            "consult_id": other.consult.id,
            "specialist_id": other.specialist.id,
            "patient_id": other.patient.id,
            "station_id": other.station.id,
            "booked_by_id": other.doctor.id,
            "start_at": start,
            "end_at": end,
            "created_at": start,
        }
        async with database.work() as second:
            booking = Booking(**(columns | {shared: getattr(first, shared)}))
            second.session.add(booking)
            await second.session.flush()
            return booking

    inside = first.start_at + timedelta(minutes=29)
    with pytest.raises(IntegrityError):
        await insert(inside, inside + timedelta(minutes=30))
    after = await insert(first.end_at, first.end_at + timedelta(minutes=30))

    async def move_back() -> None:
        async with database.work() as second:
            booking = await second.session.get_one(Booking, after.id)
            booking.start_at = inside
            second.session.add(booking)
            await second.session.flush()

    with pytest.raises(IntegrityError):
        await move_back()
    assert await overlaps(database) == 0
