"""Pages of the roster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field, create_model

from telemed.accounts.permissions import Action, may
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.scheduling.duty import roster
from telemed.scheduling.duty.days import HANDED_OVER_AT, WEEK, duty_day, week_of
from telemed.scheduling.duty.models import DutyRank
from telemed.scheduling.duty.roster import Line, Roster, field_of
from telemed.web.parsing import Body, Day, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"duty_saved": N_("Đã lưu lịch trực")})
_EDIT = "scheduling/duty_line.html"


class WeekQuery(Body):
    """Any day of the week to show; what the form begins with."""

    day: Day | None = None
    like: Literal["", "before"] = ""


_CELLS: dict[str, Any] = {
    field_of(rank, number): (Annotated[str, Field(max_length=22)], "")
    for rank in DutyRank
    for number in range(WEEK)
}
LineForm = create_model(
    "LineForm", __base__=Body, seen=(Annotated[str, Field(max_length=16)], ""), **_CELLS
)


@routes.get("/duty", Action.SCHEDULE_READ)
async def duty(request: web.Request) -> web.Response:
    """The roster of a week."""
    work, actor = request[WORK], signed_in(request)
    today = duty_day(work.now())
    days = week_of(read_query(request, WeekQuery).day or today)
    found = await roster.read_roster(work, actor, days)
    may_write = may(actor, Action.DUTY_WRITE)
    return page(
        request,
        "scheduling/duty.html",
        roster=found,
        today=today,
        earlier=days[0] - timedelta(days=WEEK),
        later=days[0] + timedelta(days=WEEK),
        hand_over=HANDED_OVER_AT,
        may_write=may_write,
        gaps=_gaps(found, today) if may_write else {},
    )


def _gaps(found: Roster, today: date) -> Mapping[str, int]:
    """How many shifts from today on nobody has, by the line of the roster that lacks some."""
    ahead = [day for day in found.days if day >= today]
    lacking = {
        line.code: sum(
            found.who(day, line, rank) is None for day in ahead for rank in line.ranks[:1]
        )
        for line in found.lines
    }
    return {code: count for code, count in lacking.items() if count}


@routes.get("/duty/{code}", Action.DUTY_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A week of one line, to be filled."""
    query = read_query(request, WeekQuery)
    work, actor = request[WORK], signed_in(request)
    line, days = await _asked(request, query)
    here = (await roster.read_roster(work, actor, days)).of(line)
    shown = here
    if query.like == "before":
        earlier = [day - timedelta(days=WEEK) for day in days]
        shown = (await roster.read_roster(work, actor, earlier)).of(line)
    cells = _chosen(shown, line) | {"seen": here.mark}
    return page(request, _EDIT, errors={}, **await _context(request, line, days, cells))


async def _edit_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    line, days = await _asked(request, read_query(request, WeekQuery))
    context = await _context(request, line, days, values)
    return invalid_page(request, _EDIT, error, **context)


@routes.post("/duty/{code}", Action.DUTY_WRITE, on_invalid=_edit_again)
async def save(request: web.Request) -> web.Response:
    """Replace a week of one line."""
    line, days = await _asked(request, read_query(request, WeekQuery))
    form = (await read_form(request, LineForm)).model_dump()
    await roster.set_line(request[WORK], signed_in(request), line, days, form)
    return see_other(request, f"/duty?day={days[0].isoformat()}", notice="duty_saved")


async def _asked(request: web.Request, query: WeekQuery) -> tuple[Line, Sequence[date]]:
    work = request[WORK]
    line = await roster.find_line(work, request.match_info["code"])
    return line, week_of(query.day or duty_day(work.now()))


def _chosen(shown: Roster, line: Line) -> dict[str, str]:
    return {
        field_of(rank, number): who.uid
        for number, day in enumerate(shown.days)
        for rank in line.ranks
        if (who := shown.planned(day, line, rank))
    }


async def _context(
    request: web.Request, line: Line, days: Sequence[date], cells: Values
) -> dict[str, Any]:
    people = await roster.list_candidates(request[WORK], line)
    return {
        "line": line,
        "days": days,
        "cells": cells,
        "people": [(person.uid, person.full_title) for person in people],
        "field_of": field_of,
    }
