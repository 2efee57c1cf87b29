"""The schedule as pages that work without scripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.scheduling import service
from telemed.scheduling.availability import Hours
from telemed.scheduling.models import Booking, BookingState
from tests.conftest import Client
from tests.factories import Case, Factory

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
TOMORROW = datetime(2026, 11, 24, 8, 30, tzinfo=LOCAL_ZONE)
MORNINGS = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]


@dataclass
class Room:
    """A case that may be booked and the browsers of both its sides."""

    case: Case
    doctor: Client
    specialist: Client

    async def book(self, start: str = TOMORROW.isoformat(), *, by: Client | None = None) -> int:
        path = f"/consults/{self.case.consult.uid}/bookings"
        answer = await (by or self.doctor).post(
            path, data={"start": start}, allow_redirects=False, headers=SCRIPT
        )
        return answer.status


@pytest.fixture
async def room(work: UnitOfWork, make: Factory, signed_in: SignIn) -> Room:
    case = await make.case(ConsultState.ACCEPTED)
    await service.set_hours(work, case.specialist, MORNINGS)
    return Room(case, await signed_in(case.doctor), await signed_in(case.specialist))


async def bookings(database: Database) -> list[Booking]:
    async with database.read() as work:
        return list((await work.session.exec(select(Booking))).all())


def value_of(page: str, name: str) -> str | None:
    """What stands in a field or is chosen in a list."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    chosen = re.search(rf'<select[^>]*name="{name}".*?</select>', page, re.DOTALL)
    option = re.search(r'value="([^"]*)" selected', chosen[0]) if chosen else None
    return field[1] if field else option[1] if option else None


# --- weekly hours ----------------------------------------------------------------------------

FORM = {
    "weekday_1": "0",
    "start_1": "08:00",
    "end_1": "11:30",
    "slot_1": "30",
    "weekday_4": "2",
    "start_4": "13:30",
    "end_4": "16:30",
    "slot_4": "20",
}


async def test_hours_are_typed_kept_and_shown_again(room: Room) -> None:
    saved = await room.specialist.post("/schedule/hours", data=FORM)
    assert (saved.status, saved.url.path) == (200, "/schedule")
    assert "Đã lưu giờ nhận hẹn" in await saved.text()
    page = await (await room.specialist.get("/schedule/hours")).text()
    shown = [value_of(page, name) for name in ("weekday_0", "start_0", "end_0", "slot_0")]
    assert shown == ["0", "08:00", "11:30", "30"]
    shown = [value_of(page, name) for name in ("weekday_1", "start_1", "end_1", "slot_1")]
    assert shown == ["2", "13:30", "16:30", "20"]


async def test_an_empty_form_takes_all_hours_back(room: Room, database: Database) -> None:
    await room.specialist.post("/schedule/hours", data={"weekday_0": "1"})
    async with database.read() as work:
        assert await service.weekly_hours(work, room.case.specialist.id) == []


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"start_4": "8 giờ"}, "start_4", "Giờ ghi như 07:30"),
        ({"end_4": ""}, "end_4", "Giờ ghi như 07:30"),
        ({"end_4": "13:40"}, "end_4", "Giờ kết thúc phải sau giờ bắt đầu ít nhất một lượt"),
        ({"weekday_4": ""}, "weekday_4", "Chọn một ngày trong tuần"),
        ({"weekday_4": "9"}, "weekday_4", "Chọn một ngày trong tuần"),
        ({"slot_4": "25"}, "slot_4", "Chọn một trong các giá trị có sẵn"),
        ({"weekday_4": "0", "start_4": "11:00"}, "start_4", "Giờ này trùng với khung khác"),
        ({"start_4": "123456"}, "start_4", "Dài quá 5 ký tự"),
    ],
)
async def test_what_is_wrong_is_said_in_its_row_and_the_rest_stays(
    room: Room, change: dict[str, str], field: str, sentence: str
) -> None:
    refused = await room.specialist.post("/schedule/hours", data=FORM | change)
    page = await refused.text()
    assert refused.status == 422
    assert f'<a href="#f-{field}">{sentence}</a>' in page
    assert page.count("aria-invalid") == 1
    assert value_of(page, "start_1") == "08:00"
    assert value_of(page, "end_4") == (FORM | change)["end_4"]


async def test_every_wrong_time_is_named_at_once(room: Room) -> None:
    wrong = FORM | {"start_1": "x", "end_4": "25:00"}
    page = await (await room.specialist.post("/schedule/hours", data=wrong)).text()
    assert re.findall(r'href="#f-(start_1|end_4)"', page) == ["start_1", "end_4"]


async def test_a_field_of_another_form_is_refused(room: Room) -> None:
    refused = await room.specialist.post("/schedule/hours", data=FORM | {"person": "1"})
    assert refused.status == 422


async def test_a_station_has_no_hours(room: Room) -> None:
    assert (await room.doctor.get("/schedule/hours")).status == 403
    assert (await room.doctor.post("/schedule/hours", data=FORM)).status == 403
    assert "/schedule/hours" not in await (await room.doctor.get("/schedule")).text()


# --- booking ---------------------------------------------------------------------------------


async def test_a_case_is_booked_from_its_page_and_given_back(
    room: Room, database: Database
) -> None:
    case_path = f"/consults/{room.case.consult.uid}"
    page = await (await room.doctor.get(case_path)).text()
    offered = re.findall(r'<option value="(2026-[^"]+)">', page)
    assert len(offered) == 5 + 13 * 8
    booked = await room.doctor.post(f"{case_path}/bookings", data={"start": unescape(offered[5])})
    page = await booked.text()
    assert (booked.status, booked.url.path) == (200, case_path)
    assert "Đã đặt lịch" in page
    (booking,) = await bookings(database)
    assert booking.start_at.isoformat() == "2026-11-24T01:00:00+00:00"
    cancelled = await room.specialist.post(
        f"/bookings/{booking.uid}/cancel", data={"reason": "Mổ cấp cứu"}
    )
    assert "Đã hủy lịch" in await cancelled.text()
    (booking,) = await bookings(database)
    assert (booking.state, booking.reason) == ("cancelled", "Mổ cấp cứu")


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("", 422),
        ("tomorrow", 422),
        ("2026-11-24T08:30:00", 422),
        ("2026-11-24T08:31:00+07:00", 422),
        ("2126-11-24T08:30:00+07:00", 422),
        ("0001-01-01T00:00:00+14:00", 422),
        ("9999-12-31T23:59:59-14:00", 422),
        ("1e30", 422),
    ],
)
async def test_an_odd_time_is_refused(
    room: Room, database: Database, start: str, status: int
) -> None:
    assert await room.book(start) == status
    assert await bookings(database) == []


async def test_a_reason_is_needed_to_cancel(room: Room, database: Database) -> None:
    await room.book()
    (booking,) = await bookings(database)
    for reason in ("", "   ", "a" * 301):
        answer = await room.doctor.post(
            f"/bookings/{booking.uid}/cancel", data={"reason": reason}, headers=SCRIPT
        )
        assert answer.status == 422
        assert [each["field"] for each in (await answer.json())["fields"]] == ["reason"]
    assert [each.state for each in await bookings(database)] == ["booked"]


async def test_strangers_cannot_tell_a_booking_from_none(
    room: Room, database: Database, make: Factory, signed_in: SignIn
) -> None:
    await room.book()
    (booking,) = await bookings(database)
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    answers = [
        await stranger.post(f"/bookings/{uid}/cancel", data={"reason": "Bận"}, headers=SCRIPT)
        for uid in (booking.uid, "x" * 22)
    ]
    told = [(answer.status, (await answer.json())["message"]) for answer in answers]
    assert told == [(404, "Không tìm thấy nội dung này")] * 2
    assert await room.book(by=stranger) == 404


async def test_fifty_browsers_book_one_time_once(
    work: UnitOfWork, make: Factory, signed_in: SignIn, database: Database
) -> None:
    first = await make.case(ConsultState.ACCEPTED)
    await service.set_hours(work, first.specialist, MORNINGS)
    cases = [first] + [
        await make.case(ConsultState.ACCEPTED, doctor=first.doctor, specialist=first.specialist)
        for _ in range(49)
    ]
    browser = await signed_in(first.doctor)
    statuses = await asyncio.gather(*(Room(case, browser, browser).book() for case in cases))
    assert sorted(statuses) == [200] + [409] * 49
    assert len(await bookings(database)) == 1
    async with database.read() as read:
        states = list(await read.session.exec(select(Consult.state)))
    assert sorted(states) == [ConsultState.ACCEPTED] * 49 + [ConsultState.SCHEDULED]


# --- the day ---------------------------------------------------------------------------------


async def test_a_week_is_shown_by_local_day_with_ones_own_alone(
    room: Room, work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    other = await make.case(ConsultState.ACCEPTED)
    await service.set_hours(work, other.specialist, MORNINGS)
    await work.commit()
    await Room(other, await signed_in(other.doctor), room.specialist).book()
    await room.book()
    page = await (await room.doctor.get("/schedule")).text()
    assert room.case.patient.full_name in page
    assert other.patient.full_name not in page
    assert re.findall(r'id="d-([\d-]+)"', page) == [
        (TOMORROW + timedelta(days=number - 1)).date().isoformat() for number in range(7)
    ]
    assert 'href="/schedule?day=2026-11-30"' in page
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
