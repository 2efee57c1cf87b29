"""Pages of the schedule."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aiohttp import ETag, web
from pydantic import AwareDatetime, Field, create_model
from yarl import URL

from telemed.accounts.permissions import Action, Role
from telemed.core.errors import N_, FieldError, Invalid
from telemed.keys import LOCALE, SETTINGS, WORK, signed_in
from telemed.scheduling import feeds, service
from telemed.scheduling.availability import SLOT_CHOICES, Hours, format_clock, parse_clock
from telemed.scheduling.calendar import Entry, to_ics
from telemed.scheduling.models import BookingState
from telemed.web.parsing import Body, Day, read_body, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, saying, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
ICS = "text/calendar"
ROWS = 10
LONGEST_VIEW = 14
add_notices({"hours_saved": N_("Đã lưu giờ nhận hẹn"), "booked": N_("Đã đặt lịch")})
add_notices({"booking_cancelled": N_("Đã hủy lịch")})
add_notices({"feed_revoked": N_("Địa chỉ lịch đã hủy. Máy nào còn giữ cũng không đọc được nữa.")})


class ScheduleQuery(Body):
    """Which days to show."""

    day: Day | None = None
    days: Annotated[int, Field(ge=1, le=LONGEST_VIEW)] = 7


_CELLS = {"weekday": 1, "start": 5, "end": 5, "slot": 3}
_HOURS_FIELDS: dict[str, Any] = {
    f"{name}_{row}": (Annotated[str, Field(max_length=length)], "")
    for row in range(ROWS)
    for name, length in _CELLS.items()
}
HoursForm = create_model("HoursForm", __base__=Body, **_HOURS_FIELDS)


class BookForm(Body):
    """A chosen slot."""

    start: AwareDatetime


class CancelForm(Body):
    """Why a booked time is given back."""

    reason: Annotated[str, Field(min_length=1, max_length=300)]


@routes.get("/schedule", Action.SCHEDULE_READ)
async def schedule(request: web.Request) -> web.Response:
    """Booked times by day."""
    query = read_query(request, ScheduleQuery)
    work, actor = request[WORK], signed_in(request)
    first = query.day or service.today_of(work.now())
    days = await service.list_days(work, actor, first, query.days)
    return page(
        request,
        "scheduling/schedule.html",
        days=days,
        today=service.today_of(work.now()),
        earlier=first - timedelta(days=query.days),
        later=first + timedelta(days=query.days),
        has_hours=Role.SPECIALIST in actor.roles,
    )


def _typed(hours: Sequence[Hours]) -> dict[str, str]:
    cells = {}
    for row, span in enumerate(hours):
        cells[f"weekday_{row}"] = str(span.weekday)
        cells[f"start_{row}"] = format_clock(span.start_minute)
        cells[f"end_{row}"] = format_clock(span.end_minute)
        cells[f"slot_{row}"] = str(span.slot_minutes)
    return cells


def _hours_context(cells: Values) -> dict[str, Any]:
    slots = [(str(minutes), str(minutes)) for minutes in SLOT_CHOICES]
    return {"cells": cells, "slots": slots, "row_count": ROWS}


@routes.get("/schedule/hours", Action.HOURS_WRITE)
async def edit_hours(request: web.Request) -> web.Response:
    """The weekly hours of whoever is signed in."""
    hours = await service.weekly_hours(request[WORK], signed_in(request).id)
    return page(request, "scheduling/hours.html", errors={}, **_hours_context(_typed(hours)))


async def _hours_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, "scheduling/hours.html", error, **_hours_context(values))


@routes.post("/schedule/hours", Action.HOURS_WRITE, on_invalid=_hours_again)
async def save_hours(request: web.Request) -> web.Response:
    """Replace the weekly hours."""
    cells = (await read_form(request, HoursForm)).model_dump()
    await service.set_hours(request[WORK], signed_in(request), _read_hours(cells))
    return see_other(request, "/schedule", notice="hours_saved")


def _read_hours(cells: Values) -> list[Hours]:
    """The rows that are not empty. Raises Invalid naming every time that is none."""
    hours, faults = list[Hours](), list[FieldError]()
    for row in range(ROWS):
        start, end = f"start_{row}", f"end_{row}"
        if not (cells[start] or cells[end]):
            continue
        times = []
        for name in (start, end):
            try:
                times.append(parse_clock(cells[name], name))
            except Invalid as error:
                faults += error.fields
        if len(times) == 2:
            weekday, slot = _whole(cells[f"weekday_{row}"]), _whole(cells[f"slot_{row}"] or "30")
            hours.append(Hours(weekday, times[0], times[1], slot, row))
    if faults:
        raise Invalid.of(faults)
    return hours


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


@routes.post("/consults/{uid}/bookings", Action.BOOKING_WRITE)
async def book(request: web.Request) -> web.Response:
    """Take a free slot for a case."""
    uid = request.match_info["uid"]
    form = await read_body(request, BookForm)
    await service.book(request[WORK], signed_in(request), uid, form.start)
    return see_other(request, f"/consults/{uid}", notice="booked")


@routes.post("/bookings/{uid}/cancel", Action.BOOKING_WRITE)
async def cancel(request: web.Request) -> web.Response:
    """Give a booked time back."""
    form = await read_body(request, CancelForm)
    uid = request.match_info["uid"]
    consult = await service.cancel(request[WORK], signed_in(request), uid, form.reason)
    return see_other(request, f"/consults/{consult.uid}", notice="booking_cancelled")


@routes.get("/schedule/feed", Action.SCHEDULE_READ)
async def show_feed(request: web.Request) -> web.Response:
    """Whether there is a secret address of one's own calendar, and how to have one."""
    feed = await feeds.find_feed(request[WORK], signed_in(request))
    return page(request, "scheduling/feed.html", feed=feed, address="")


@routes.post("/schedule/feed", Action.SCHEDULE_READ)
async def renew_feed(request: web.Request) -> web.Response:
    """A new address, shown this once; the one before is dead."""
    work, actor = request[WORK], signed_in(request)
    token = await feeds.renew_feed(work, actor)
    feed = await feeds.find_feed(work, actor)
    address = f"{request.app[SETTINGS].origin}/calendar/{token}.ics"
    return page(request, "scheduling/feed.html", feed=feed, address=address)


@routes.post("/schedule/feed/revoke", Action.SCHEDULE_READ)
async def revoke_feed(request: web.Request) -> web.Response:
    """Take the address back."""
    await feeds.revoke_feed(request[WORK], signed_in(request))
    return see_other(request, "/schedule/feed", notice="feed_revoked")


@routes.get("/calendar/{token}.ics", Action.PUBLIC)
async def calendar(request: web.Request) -> web.Response:
    """For calendar programs, which cannot sign in: whoever has the address is its owner."""
    feed = await feeds.read_feed(request[WORK], request.match_info["token"])
    origin = URL(request.app[SETTINGS].origin)
    request[LOCALE] = feed.owner.locale
    say = saying(request)
    entries = [
        Entry(
            uid=row.booking.uid,
            url=str(origin.with_path(f"/consults/{row.consult_uid}")),
            start=row.booking.start_at,
            end=row.booking.end_at,
            made_at=row.booking.created_at,
            is_cancelled=row.booking.state is BookingState.CANCELLED,
            words=say(N_("Hội chẩn từ xa")),
            place=f"{row.station} · {row.specialist}",
        )
        for row in feed.rows
    ]
    # A long calendar takes a while, and the first one reads the time zones of the machine.
    name, host = say(N_("Lịch hẹn Telemed")), origin.host or "telemed"
    body = await asyncio.to_thread(to_ics, name, entries, host)
    tag = ETag(hashlib.sha256(body).hexdigest()[:32])
    is_known = tag in (request.if_none_match or ())
    response = web.Response(status=HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK)
    response.etag = tag
    if not is_known:
        response.body, response.content_type, response.charset = body, ICS, "utf-8"
    return response
