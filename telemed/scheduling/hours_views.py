"""The page on which a specialist says when they can be booked, and its forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, create_model

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, FieldError, Invalid
from telemed.keys import WORK, signed_in
from telemed.scheduling import working_hours
from telemed.scheduling.availability import SLOT_CHOICES, Hours, format_clock, parse_clock
from telemed.web.parsing import Body, Day, read_body, read_form
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
_PAGE = "scheduling/hours.html"
_HERE = "/schedule/hours"
ROWS = 28
SPARE_ROWS = 3
LEAST_ROWS = 8
add_notices(
    {
        "hours_saved": N_("Đã lưu giờ nhận hẹn"),
        "day_added": N_("Đã ghi giờ riêng của ngày này"),
        "day_removed": N_("Đã bỏ giờ riêng"),
        "leave_added": N_("Đã ghi nghỉ. Hẹn đã đặt vẫn giữ: xem lịch để dời."),
        "leave_removed": N_("Đã bỏ dòng nghỉ"),
    }
)

_CELLS = {"weekday": 1, "start": 5, "end": 5, "slot": 3}
_HOURS_FIELDS: dict[str, Any] = {
    f"{name}_{row}": (Annotated[str, Field(max_length=length)], "")
    for row in range(ROWS)
    for name, length in _CELLS.items()
}
HoursForm = create_model("HoursForm", __base__=Body, **_HOURS_FIELDS)
Clock = Annotated[str, Field(max_length=5)]


class DayForm(Body):
    """A span of one day."""

    day: Day
    day_start: Clock = ""
    day_end: Clock = ""
    day_slot: Annotated[str, Field(max_length=3)] = "30"


class LeaveForm(Body):
    """From the first day to the last."""

    first_day: Day
    last_day: Day


@routes.get(_HERE, Action.HOURS_WRITE)
async def edit_hours(request: web.Request) -> web.Response:
    """The weekly hours of whoever is signed in, other days, and leave."""
    return page(request, _PAGE, errors={}, **await _context(request, {}))


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _PAGE, error, **await _context(request, values))


async def _context(request: web.Request, typed: Values) -> dict[str, Any]:
    """What is stored, and over it what was typed into one of the forms."""
    work, actor = request[WORK], signed_in(request)
    is_week = any(name in typed for name in _HOURS_FIELDS)
    stored = {} if is_week else _cells(await working_hours.weekly_hours(work, actor.id))
    cells = stored | dict(typed)
    return {
        "cells": cells,
        "slots": [(str(minutes), str(minutes)) for minutes in SLOT_CHOICES],
        "row_count": min(ROWS, max(LEAST_ROWS, _last_row(cells) + SPARE_ROWS)),
        "exceptions": await working_hours.list_exceptions(work, actor),
        "clock": format_clock,
    }


def _last_row(cells: Values) -> int:
    """How many rows there are down to the last that holds something."""
    filled = [row for row in range(ROWS) if cells.get(f"start_{row}") or cells.get(f"end_{row}")]
    return max(filled, default=-1) + 1


def _cells(hours: Sequence[Hours]) -> dict[str, str]:
    cells = {}
    for row, span in enumerate(hours):
        cells[f"weekday_{row}"] = str(span.weekday)
        cells[f"start_{row}"] = format_clock(span.start_minute)
        cells[f"end_{row}"] = format_clock(span.end_minute)
        cells[f"slot_{row}"] = str(span.slot_minutes)
    return cells


@routes.post(_HERE, Action.HOURS_WRITE, on_invalid=_again)
async def save_hours(request: web.Request) -> web.Response:
    """Replace the weekly hours."""
    cells = (await read_form(request, HoursForm)).model_dump()
    await working_hours.set_hours(request[WORK], signed_in(request), _read_hours(cells))
    return see_other(request, "/schedule", notice="hours_saved")


def _read_hours(cells: Values) -> list[Hours]:
    """The rows that are not empty. Raises Invalid naming every time that is none."""
    hours, faults = list[Hours](), list[FieldError]()
    for row in range(ROWS):
        start, end = f"start_{row}", f"end_{row}"
        if not (cells[start] or cells[end]):
            continue
        times = _times(cells, (start, end), faults)
        if len(times) == 2:
            weekday, slot = _whole(cells[f"weekday_{row}"]), _whole(cells[f"slot_{row}"] or "30")
            hours.append(Hours(weekday, times[0], times[1], slot, row))
    if faults:
        raise Invalid.of(faults)
    return hours


def _times(cells: Values, names: Sequence[str], faults: list[FieldError]) -> list[int]:
    times = []
    for name in names:
        try:
            times.append(parse_clock(cells[name], name))
        except Invalid as error:
            faults += error.fields
    return times


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


@routes.post(f"{_HERE}/days", Action.HOURS_WRITE, on_invalid=_again)
async def add_day(request: web.Request) -> web.Response:
    """Other hours on one day."""
    form = await read_body(request, DayForm)
    faults = list[FieldError]()
    times = _times(form.model_dump(), ("day_start", "day_end"), faults)
    if faults:
        raise Invalid.of(faults)
    hours = Hours(form.day.weekday(), times[0], times[1], _whole(form.day_slot))
    await working_hours.add_day(request[WORK], signed_in(request), form.day, hours)
    return see_other(request, _HERE, notice="day_added")


@routes.post(f"{_HERE}/days/{{uid}}/remove", Action.HOURS_WRITE)
async def remove_day(request: web.Request) -> web.Response:
    """Without its last span the day is one like any other of its weekday."""
    uid = request.match_info["uid"]
    await working_hours.remove_day(request[WORK], signed_in(request), uid)
    return see_other(request, _HERE, notice="day_removed")


@routes.post("/schedule/leave", Action.HOURS_WRITE, on_invalid=_again)
async def add_leave(request: web.Request) -> web.Response:
    """Days on which one is not there."""
    form = await read_body(request, LeaveForm)
    work, actor = request[WORK], signed_in(request)
    await working_hours.add_leave(work, actor, form.first_day, form.last_day)
    return see_other(request, f"/schedule?day={form.first_day.isoformat()}", notice="leave_added")


@routes.post("/schedule/leave/{uid}/remove", Action.HOURS_WRITE)
async def remove_leave(request: web.Request) -> web.Response:
    """One is there after all."""
    uid = request.match_info["uid"]
    await working_hours.remove_leave(request[WORK], signed_in(request), uid)
    return see_other(request, _HERE, notice="leave_removed")
