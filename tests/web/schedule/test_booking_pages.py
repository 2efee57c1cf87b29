"""Appointments made, held, moved and given back, without scripts."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.scheduling import working_hours
from tests.factories import Factory
from tests.web.schedule.room import MORNINGS, SCRIPT, TOMORROW, Room, SignIn, bookings


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
    await working_hours.set_hours(work, first.specialist, MORNINGS)
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


# --- holding and moving ----------------------------------------------------------------------


async def test_a_time_is_held_then_booked_from_the_page_of_the_case(
    room: Room, database: Database
) -> None:
    case_path = f"/consults/{room.case.consult.uid}"
    held = await room.doctor.post(f"{case_path}/holds", data={"start": TOMORROW.isoformat()})
    page = await held.text()
    assert (held.status, held.url.path) == (200, case_path)
    assert "Đang giữ giờ" in page
    assert "Giữ đến 09:10" in page
    (booking,) = await bookings(database)
    assert f'action="/bookings/{booking.uid}/confirm"' in page
    booked = await room.specialist.post(f"/bookings/{booking.uid}/confirm")
    assert "Đã đặt lịch" in await booked.text()
    (booking,) = await bookings(database)
    assert booking.state == "booked"


async def test_a_hold_is_given_back_once(room: Room, database: Database) -> None:
    await room.doctor.post(
        f"/consults/{room.case.consult.uid}/holds", data={"start": TOMORROW.isoformat()}
    )
    (booking,) = await bookings(database)
    for status in (200, 404):
        answer = await room.doctor.post(f"/bookings/{booking.uid}/let-go", headers=SCRIPT)
        assert answer.status == status
    assert await bookings(database) == []


async def test_a_hold_that_is_over_says_so(
    room: Room, database: Database, clock: FakeClock
) -> None:
    await room.doctor.post(
        f"/consults/{room.case.consult.uid}/holds", data={"start": TOMORROW.isoformat()}
    )
    (booking,) = await bookings(database)
    clock.advance(timedelta(minutes=10))
    answer = await room.doctor.post(f"/bookings/{booking.uid}/confirm", headers=SCRIPT)
    assert (answer.status, (await answer.json())["code"]) == (409, "hold_over")


async def test_an_appointment_is_moved_from_the_page_of_the_case(
    room: Room, database: Database
) -> None:
    await room.book()
    (booking,) = await bookings(database)
    later = TOMORROW + timedelta(days=2)
    page = await (await room.specialist.get(f"/consults/{room.case.consult.uid}")).text()
    assert f'action="/bookings/{booking.uid}/move"' in page
    moved = await room.specialist.post(
        f"/bookings/{booking.uid}/move", data={"start": later.isoformat()}
    )
    page = unescape(await moved.text())
    assert "Đã dời lịch" in page
    assert "Dời giờ hẹn" in page
    (booking,) = await bookings(database)
    assert booking.start_at == later
    taken = await room.doctor.post(
        f"/bookings/{booking.uid}/move", data={"start": "2026-11-24T03:00:00+07:00"}, headers=SCRIPT
    )
    assert (taken.status, [each["field"] for each in (await taken.json())["fields"]]) == (
        422,
        ["start"],
    )


@pytest.mark.parametrize("act", ["confirm", "let-go", "move"])
async def test_strangers_neither_confirm_nor_move(
    room: Room, database: Database, make: Factory, signed_in: SignIn, act: str
) -> None:
    await room.book()
    (booking,) = await bookings(database)
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    data = {"start": TOMORROW.isoformat()} if act == "move" else {}
    told = []
    for uid in (booking.uid, "x" * 22):
        answer = await stranger.post(f"/bookings/{uid}/{act}", data=data, headers=SCRIPT)
        told.append((answer.status, (await answer.json())["message"]))
    assert told == [(404, "Không tìm thấy nội dung này")] * 2
