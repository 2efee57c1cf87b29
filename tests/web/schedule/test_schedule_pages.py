"""The days of the schedule, and the calendar that programs read."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.scheduling import working_hours
from telemed.scheduling.models import BookingState
from tests.conftest import Client
from tests.factories import Factory
from tests.web.schedule.room import MORNINGS, SCRIPT, TOMORROW, Room, SignIn, bookings


async def test_a_week_is_shown_by_local_day_with_ones_own_alone(
    room: Room, work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    other = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, other.specialist, MORNINGS)
    await work.commit()
    await Room(other, await signed_in(other.doctor), room.specialist).book()
    await room.book()
    page = await (await room.doctor.get("/schedule")).text()
    assert room.case.patient.full_name in page
    assert other.patient.full_name not in page
    assert re.findall(r'id="d-([\d-]+)"', page) == [
        (TOMORROW + timedelta(days=number - 1)).date().isoformat() for number in range(7)
    ]
    assert 'href="/schedule?day=2026-11-30&amp;days=7"' in page
    assert (
        room.case.patient.full_name
        not in await (await room.doctor.get("/schedule?day=25/11/2026")).text()
    )


@pytest.mark.parametrize(
    "query", ["day=0001-01-01", "day=9999-12-31", "day=x", "days=0", "days=15", "days=x", "x=1"]
)
async def test_odd_days_are_refused(room: Room, query: str) -> None:
    answer = await room.doctor.get(f"/schedule?{query}", headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [query.partition("=")[0]]


async def test_whoever_has_no_patients_sees_an_empty_week(
    room: Room, make: Factory, signed_in: SignIn
) -> None:
    await room.book()
    browser = await signed_in(await make.actor(Role.COORDINATOR))
    page = await (await browser.get("/schedule")).text()
    assert room.case.patient.full_name not in page
    trainer = await signed_in(await make.actor(Role.TRAINER))
    assert (await trainer.get("/schedule")).status == 403


async def test_a_long_reason_frees_the_time_as_well(room: Room, database: Database) -> None:
    await room.book()
    answer = await room.specialist.post(
        f"/consults/{room.case.consult.uid}/release",
        data={"reason": "ệ" * 500},
        allow_redirects=False,
    )
    assert answer.status == 303
    (booking,) = await bookings(database)
    assert (booking.state, len(booking.reason)) == (BookingState.CANCELLED, 300)


async def test_a_past_time_names_nobody_once_the_case_may_be_opened_no_more(
    room: Room, work: UnitOfWork, signed_in: SignIn, clock: FakeClock
) -> None:
    await room.book()
    page = "/schedule?day=24/11/2026"
    assert room.case.patient.full_name in await (await room.specialist.get(page)).text()
    consult = await work.session.get_one(Consult, room.case.consult.id, populate_existing=True)
    consult.closed_at = clock.now()
    work.session.add(consult)
    await work.commit()
    clock.advance(timedelta(days=31))
    later = await signed_in(room.case.specialist)
    assert room.case.patient.full_name not in await (await later.get(page)).text()


class TestCalendarFeed:
    async def address(self, browser: Client) -> str:
        page = unescape(await (await browser.post("/schedule/feed", headers=SCRIPT)).text())
        found = re.search(r'readonly value="[^"]*(/calendar/[\w-]+\.ics)"', page)
        assert found
        return found.group(1)

    async def test_a_program_that_cannot_sign_in_reads_it(self, room: Room, client: Client) -> None:
        assert await room.book() == 200
        address = await self.address(room.specialist)
        answer = await client.get(address)
        body = await answer.text()

        assert (answer.status, answer.content_type) == (200, "text/calendar")
        assert "DTSTART:20261124T013000Z" in body
        assert room.case.patient.full_name not in body
        tag = {"If-None-Match": answer.headers["ETag"]}
        again = await client.get(address, headers=tag)
        assert (again.status, await again.read()) == (304, b"")

    async def test_it_ends_when_it_is_taken_back(self, room: Room, client: Client) -> None:
        address = await self.address(room.doctor)
        assert (await client.get(address)).status == 200
        await room.doctor.post("/schedule/feed/revoke", headers=SCRIPT)

        gone, unknown = await client.get(address), await client.get("/calendar/x.ics")
        assert (gone.status, unknown.status) == (404, 404)
        page = unescape(await (await room.doctor.get("/schedule/feed")).text())
        assert "Tạo địa chỉ lịch" in page

    async def test_the_address_is_shown_once(self, room: Room) -> None:
        await self.address(room.doctor)
        page = unescape(await (await room.doctor.get("/schedule/feed")).text())
        assert "/calendar/" not in page
        assert "Chưa ứng dụng nào đọc." in page
