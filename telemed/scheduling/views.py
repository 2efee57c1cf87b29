"""Pages of the schedule."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from aiohttp import ETag, web
from pydantic import AwareDatetime, Field
from yarl import URL

from telemed.accounts.permissions import Action, Role
from telemed.core.errors import N_
from telemed.keys import LOCALE, SETTINGS, WORK, signed_in
from telemed.scheduling import feeds, service
from telemed.scheduling.calendar import Entry, to_ics
from telemed.scheduling.models import BookingState
from telemed.web.parsing import Body, Day, read_body, read_query
from telemed.web.rendering import add_notices, page, saying, see_other
from telemed.web.routing import Routes

routes = Routes()
ICS = "text/calendar"
LONGEST_VIEW = 14
add_notices(
    {
        "booked": N_("Đã đặt lịch"),
        "held": N_("Đã giữ giờ này. Hỏi lại rồi đặt lịch."),
        "hold_dropped": N_("Đã bỏ giữ giờ"),
        "moved": N_("Đã dời lịch. Bên kia được báo ngay."),
        "booking_cancelled": N_("Đã hủy lịch"),
        "feed_revoked": N_("Địa chỉ lịch đã hủy. Máy nào còn giữ cũng không đọc được nữa."),
    }
)


class ScheduleQuery(Body):
    """Which days to show."""

    day: Day | None = None
    days: Annotated[int, Field(ge=1, le=LONGEST_VIEW)] = 7


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
        first=first,
        today=service.today_of(work.now()),
        earlier=first - timedelta(days=query.days),
        later=first + timedelta(days=query.days),
        has_hours=Role.SPECIALIST in actor.roles,
    )


@routes.post("/consults/{uid}/bookings", Action.BOOKING_WRITE)
async def book(request: web.Request) -> web.Response:
    """Take a free slot for a case."""
    uid = request.match_info["uid"]
    form = await read_body(request, BookForm)
    await service.book(request[WORK], signed_in(request), uid, form.start)
    return see_other(request, f"/consults/{uid}", notice="booked")


@routes.post("/consults/{uid}/holds", Action.BOOKING_WRITE)
async def hold(request: web.Request) -> web.Response:
    """Keep a free slot for a case while somebody asks whether it suits."""
    uid = request.match_info["uid"]
    form = await read_body(request, BookForm)
    await service.hold(request[WORK], signed_in(request), uid, form.start)
    return see_other(request, f"/consults/{uid}", notice="held")


@routes.post("/bookings/{uid}/confirm", Action.BOOKING_WRITE)
async def confirm(request: web.Request) -> web.Response:
    """Book what is held."""
    uid = request.match_info["uid"]
    consult = await service.confirm(request[WORK], signed_in(request), uid)
    return see_other(request, f"/consults/{consult.uid}", notice="booked")


@routes.post("/bookings/{uid}/let-go", Action.BOOKING_WRITE)
async def let_go(request: web.Request) -> web.Response:
    """Hold a slot no longer."""
    uid = request.match_info["uid"]
    consult = await service.let_go(request[WORK], signed_in(request), uid)
    return see_other(request, f"/consults/{consult.uid}", notice="hold_dropped")


@routes.post("/bookings/{uid}/move", Action.BOOKING_WRITE)
async def move(request: web.Request) -> web.Response:
    """Another time for an appointment."""
    form = await read_body(request, BookForm)
    uid = request.match_info["uid"]
    consult = await service.move(request[WORK], signed_in(request), uid, form.start)
    return see_other(request, f"/consults/{consult.uid}", notice="moved")


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
            changed_at=row.booking.changed_at or row.booking.created_at,
            changes=row.booking.moves + (row.booking.state is BookingState.CANCELLED),
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
