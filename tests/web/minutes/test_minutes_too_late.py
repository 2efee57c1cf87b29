"""Whoever writes too late: what they are shown, and what is on record of it."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import col, select

from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database
from tests.web.minutes.desk import TYPED, Room, SignIn


async def test_a_script_that_types_too_late_is_not_shown_what_was_signed(room: Room) -> None:
    await room.keep(TYPED)
    await room.sign()
    late = await room.keep({"advice": "Thêm một dòng"}, revision=1)
    told = await late.json()
    assert (late.status, told["code"], told["current"]) == (409, "minutes_closed", None)


async def test_whoever_may_read_the_case_no_more_gets_nothing_by_writing(
    room: Room, signed_in: SignIn
) -> None:
    await room.sign()
    await room.decide()
    room.clock.advance(timedelta(days=31))
    room.specialist = await signed_in(room.case.specialist)
    assert (await room.keep({})).status == 404


async def test_a_newer_draft_that_is_shown_is_on_record(room: Room, database: Database) -> None:
    await room.keep(TYPED)
    assert (await room.keep({"advice": "Khác"})).status == 409
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.MINUTES_READ)
        (record,) = (await work.session.exec(query)).all()
    assert record.person_id == room.case.specialist.id
