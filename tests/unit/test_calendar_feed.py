"""Calendars for other programs: what is in them, and who may read them until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar
from sqlmodel import select

from telemed.accounts.models import Person, PersonState
from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.scheduling import feeds, service, working_hours
from telemed.scheduling.availability import Hours
from telemed.scheduling.calendar import Entry, to_ics
from telemed.scheduling.models import BookingState, CalendarFeed
from tests.factories import Case, Factory

AT = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
MORNINGS = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]


ENTRY = Entry(
    uid="b" * 22,
    url="https://telemed.example/consults/c",
    start=AT,
    end=AT + timedelta(minutes=30),
    changed_at=AT,
    changes=0,
    is_cancelled=False,
    words="Hội chẩn từ xa",
    place="Trạm Mường Pồn · BS Nội A",
)


def test_a_booked_time_is_an_event_that_programs_understand() -> None:
    read = Calendar.from_ical(to_ics("Lịch", [ENTRY], "telemed.example"))

    (event,) = read.walk("VEVENT")
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (AT, AT + timedelta(minutes=30))
    assert (str(event["summary"]), str(event["location"])) == (
        "Hội chẩn từ xa",
        "Trạm Mường Pồn · BS Nội A",
    )
    assert (str(event["uid"]), str(event["status"])) == (f"{'b' * 22}@telemed.example", "CONFIRMED")


def test_a_cancelled_time_replaces_what_a_program_has_kept() -> None:
    read = Calendar.from_ical(
        to_ics("Lịch", [replace(ENTRY, is_cancelled=True, changes=1)], "telemed.example")
    )

    (event,) = read.walk("VEVENT")
    assert (str(event["status"]), event.decoded("sequence")) == ("CANCELLED", 1)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200), st.integers(0, 3))
def test_names_never_break_out_of_their_line(name: str, lines: int) -> None:
    hostile = name + "\r\nEND:VEVENT" * lines + ";,\\"
    body = to_ics(hostile, [replace(ENTRY, words=hostile, place=hostile)], "telemed.example")

    read = Calendar.from_ical(body)
    (event,) = read.walk("VEVENT")
    assert str(event["location"]).replace("\r\n", "\n") == hostile.replace("\r\n", "\n")
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))


async def booked(work: UnitOfWork, make: Factory) -> Case:
    case = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, MORNINGS)
    await service.book(work, case.doctor, case.consult.uid, AT)
    return case


async def test_both_ends_read_the_booked_time_and_nobody_else(
    work: UnitOfWork, make: Factory
) -> None:
    case = await booked(work, make)
    stranger = await make.actor(Role.COMMUNE_DOCTOR, at=await make.facility())

    for person, count in ((case.doctor, 1), (case.specialist, 1), (stranger, 0)):
        token = await feeds.renew_feed(work, person)
        assert len((await feeds.read_feed(work, token)).rows) == count


async def test_a_cancelled_time_stays_in_it(work: UnitOfWork, make: Factory) -> None:
    case = await booked(work, make)
    token = await feeds.renew_feed(work, case.specialist)
    (row,) = (await feeds.read_feed(work, token)).rows
    await service.cancel(work, case.doctor, row.booking.uid, "Đã chuyển viện")

    (row,) = (await feeds.read_feed(work, token)).rows
    assert row.booking.state is BookingState.CANCELLED


async def test_what_is_long_past_is_left_out(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    case = await booked(work, make)
    token = await feeds.renew_feed(work, case.doctor)
    clock.advance(timedelta(days=feeds.DAYS_BACK - 1))
    assert len((await feeds.read_feed(work, token)).rows) == 1
    clock.advance(timedelta(days=3))
    assert (await feeds.read_feed(work, token)).rows == []


async def test_a_new_address_ends_the_one_before_and_revoking_ends_both(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR, at=await make.facility())
    first = await feeds.renew_feed(work, doctor)
    second = await feeds.renew_feed(work, doctor)
    assert first != second
    with pytest.raises(Missing):
        await feeds.read_feed(work, first)
    assert (await feeds.read_feed(work, second)).owner.id == doctor.id

    await feeds.revoke_feed(work, doctor)
    await feeds.revoke_feed(work, doctor)
    with pytest.raises(Missing):
        await feeds.read_feed(work, second)
    assert await feeds.find_feed(work, doctor) is None


async def test_only_the_hash_is_stored_and_reading_is_noted_by_the_hour(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR, at=await make.facility())
    token = await feeds.renew_feed(work, doctor)
    stored = (await work.session.exec(select(CalendarFeed))).one()
    assert token not in stored.token_hash

    await feeds.read_feed(work, token)
    first = stored.seen_at
    clock.advance(timedelta(minutes=59))
    await feeds.read_feed(work, token)
    assert stored.seen_at == first
    clock.advance(timedelta(minutes=1))
    await feeds.read_feed(work, token)
    assert stored.seen_at == work.now()


async def test_whoever_may_not_sign_in_any_more_has_no_calendar(
    work: UnitOfWork, make: Factory
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR, at=await make.facility())
    token = await feeds.renew_feed(work, doctor)
    person = await work.session.get_one(Person, doctor.id)
    person.state = next(state for state in PersonState if state is not PersonState.ACTIVE)
    work.session.add(person)
    await work.session.flush()

    with pytest.raises(Missing):
        await feeds.read_feed(work, token)
