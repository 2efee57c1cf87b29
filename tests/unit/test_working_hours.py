"""Hours of single days and leave: whose they are, what they do to slots, what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.scheduling import service, working_hours
from telemed.scheduling.availability import Hours
from tests.factories import Case, Factory

EVERY_MORNING = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]
TODAY = date(2026, 11, 23)
TUESDAY, WEDNESDAY = TODAY + timedelta(days=1), TODAY + timedelta(days=2)


def evening(day: date, start: int = 19) -> Hours:
    return Hours(day.weekday(), start * 60, (start + 1) * 60, 30)


@pytest.fixture
async def case(work: UnitOfWork, make: Factory) -> Case:
    case = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, EVERY_MORNING)
    return case


async def offered(work: UnitOfWork, case: Case, day: date) -> list[str]:
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    return [
        f"{at.astimezone(LOCAL_ZONE):%H:%M}" for at in service.by_day(schedule.slots).get(day, [])
    ]


async def test_a_day_with_hours_of_its_own_has_no_others(work: UnitOfWork, case: Case) -> None:
    row = await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY))
    assert await offered(work, case, TUESDAY) == ["19:00", "19:30"]
    assert len(await offered(work, case, WEDNESDAY)) == 8
    await working_hours.remove_day(work, case.specialist, row.uid)
    assert len(await offered(work, case, TUESDAY)) == 8


async def test_nothing_is_offered_on_leave_and_what_was_booked_stays(
    work: UnitOfWork, case: Case
) -> None:
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    start = service.by_day(schedule.slots)[TUESDAY][0]
    booking = await service.book(work, case.doctor, case.consult.uid, start)
    row = await working_hours.add_leave(work, case.specialist, TUESDAY, WEDNESDAY)
    assert await offered(work, case, TUESDAY) == await offered(work, case, WEDNESDAY) == []
    assert len(await offered(work, case, WEDNESDAY + timedelta(days=1))) == 8
    assert (await service.schedule_of(work, case.doctor, case.consult)).booking == booking
    later = start + timedelta(days=1)
    with pytest.raises(Invalid):
        await service.move(work, case.doctor, booking.uid, later)
    await working_hours.remove_leave(work, case.specialist, row.uid)
    await service.move(work, case.doctor, booking.uid, later)


@pytest.mark.parametrize(
    ("first", "last", "field", "code"),
    [
        (TODAY - timedelta(days=1), TODAY, "first_day", "day_past"),
        (WEDNESDAY, TUESDAY, "last_day", "leave_reversed"),
        (TUESDAY, TUESDAY + timedelta(days=367), "last_day", "leave_reversed"),
        (TODAY + timedelta(days=401), TODAY + timedelta(days=401), "first_day", "day_far"),
        (date(2100, 12, 31), date(2100, 12, 31), "first_day", "day_far"),
    ],
)
async def test_leave_that_cannot_be_names_its_field(
    work: UnitOfWork, case: Case, first: date, last: date, field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await working_hours.add_leave(work, case.specialist, first, last)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [(field, code)]
    assert (await working_hours.list_exceptions(work, case.specialist)).leave == []


async def test_leave_is_written_once(work: UnitOfWork, case: Case) -> None:
    await working_hours.add_leave(work, case.specialist, TUESDAY, WEDNESDAY)
    with pytest.raises(Invalid) as refused:
        await working_hours.add_leave(work, case.specialist, WEDNESDAY, WEDNESDAY)
    assert refused.value.fields[0].code == "leave_overlaps"


async def test_spans_of_one_day_do_not_overlap_and_are_not_many(
    work: UnitOfWork, case: Case
) -> None:
    await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY))
    with pytest.raises(Invalid) as refused:
        await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY))
    assert [fault.field for fault in refused.value.fields] == ["day_start"]
    for hour in range(1, working_hours.MOST_SPANS_A_DAY):
        await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY, hour))
    with pytest.raises(Invalid) as refused:
        await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY, 22))
    assert [fault.field for fault in refused.value.fields] == ["day"]


async def test_nobody_changes_the_days_of_others(
    work: UnitOfWork, make: Factory, case: Case
) -> None:
    day = await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY))
    leave = await working_hours.add_leave(work, case.specialist, WEDNESDAY, WEDNESDAY)
    other = await make.actor(Role.SPECIALIST)
    for uid in (day.uid, "x" * 22):
        with pytest.raises(Missing):
            await working_hours.remove_day(work, other, uid)
    with pytest.raises(Missing):
        await working_hours.remove_leave(work, other, leave.uid)
    for role in (Role.COMMUNE_DOCTOR, Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR):
        with pytest.raises(Denied):
            await working_hours.add_leave(work, await make.actor(role), TUESDAY, TUESDAY)
    exceptions = await working_hours.list_exceptions(work, case.specialist)
    assert (exceptions.days, exceptions.leave) == ([day], [leave])


async def test_what_is_over_is_listed_no_more(
    work: UnitOfWork, case: Case, clock: FakeClock
) -> None:
    await working_hours.add_day(work, case.specialist, TUESDAY, evening(TUESDAY))
    await working_hours.add_leave(work, case.specialist, WEDNESDAY, WEDNESDAY)
    clock.advance(timedelta(days=3))
    exceptions = await working_hours.list_exceptions(work, case.specialist)
    assert (exceptions.days, exceptions.leave) == ([], [])


async def test_a_case_of_somebody_on_leave_offers_no_slot_at_all(
    work: UnitOfWork, case: Case
) -> None:
    schedule = await service.schedule_of(work, case.doctor, case.consult)
    start = schedule.slots[0].start
    await working_hours.add_leave(work, case.specialist, TODAY, TODAY + timedelta(days=20))
    with pytest.raises((Invalid, Conflict)):
        await service.book(work, case.doctor, case.consult.uid, start)
