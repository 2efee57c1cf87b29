"""The page on which a specialist says when they can be booked."""

from __future__ import annotations

import re
from html import unescape

import pytest

from telemed.core.db import Database
from telemed.scheduling import working_hours
from tests.web.schedule.room import Room, value_of

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
        assert await working_hours.weekly_hours(work, room.case.specialist.id) == []


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


# --- single days and leave -------------------------------------------------------------------


async def test_leave_and_other_days_are_typed_shown_and_taken_back(room: Room) -> None:
    leave = {"first_day": "01/12/2026", "last_day": "03/12/2026"}
    saved = await room.specialist.post("/schedule/leave", data=leave)
    assert "Đã ghi nghỉ" in unescape(await saved.text())
    day = {"day": "05/12/2026", "day_start": "19:00", "day_end": "20:00", "day_slot": "30"}
    page = unescape(await (await room.specialist.post("/schedule/hours/days", data=day)).text())
    assert "01/12/2026" in page
    assert "19:00–20:00" in page
    for path in re.findall(r'action="(/schedule/[^"]+/remove)"', page):
        assert (await room.specialist.post(path)).status == 200
        assert (await room.specialist.post(path)).status == 404
    page = await (await room.specialist.get("/schedule/hours")).text()
    assert "/remove" not in page


@pytest.mark.parametrize(
    ("path", "data", "field"),
    [
        ("leave", {"first_day": "01/12/2026"}, "last_day"),
        ("leave", {"first_day": "02/12/2026", "last_day": "01/12/2026"}, "last_day"),
        ("leave", {"first_day": "x", "last_day": "01/12/2026"}, "first_day"),
        ("leave", {"first_day": "22/11/2026", "last_day": "01/12/2026"}, "first_day"),
        ("hours/days", {"day": "05/12/2026", "day_start": "9", "day_end": "10:00"}, "day_start"),
        ("hours/days", {"day": "05/12/2026", "day_start": "09:00", "day_end": "09:10"}, "day_end"),
        ("hours/days", {"day": "", "day_start": "09:00", "day_end": "10:00"}, "day"),
        (
            "hours/days",
            {"day": "05/12/2026", "day_start": "09:00", "day_end": "10:00", "day_slot": "7"},
            "day_slot",
        ),
    ],
)
async def test_what_is_wrong_with_a_day_is_said_beside_it_and_the_week_stays(
    room: Room, path: str, data: dict[str, str], field: str
) -> None:
    refused = await room.specialist.post(f"/schedule/{path}", data=data)
    page = await refused.text()
    assert refused.status == 422
    assert re.findall(r'<a href="#f-([a-z_]+)"', page) == [field]
    assert value_of(page, "start_0") == "08:00"
    for name, typed in data.items():
        if not name.endswith("slot"):
            assert value_of(page, name) == typed
