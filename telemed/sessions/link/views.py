"""The check before a call, and what coordinators see of stations and their calls."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.accounts.throttle import Allowance
from telemed.core.errors import N_, TooLarge
from telemed.keys import ECHO, MEASURES, SIGNALING, WORK, signed_in
from telemed.media.echo.offers import OFFER_BYTES
from telemed.sessions.link import drill, service
from telemed.sessions.link.models import LinkSource
from telemed.sessions.link.service import Measured
from telemed.sessions.link.words import words_of
from telemed.sessions.quality.months import list_months
from telemed.web.parsing import Body, read_body, read_json, read_query
from telemed.web.rendering import add_notices, json_answer, page, see_other
from telemed.web.routing import Routes

routes = Routes()

MOST_DOWN = 192 * 1024
MOST_UP = 128 * 1024
# A check moves a handful of blocks; a button that is pressed again and again has to rest.
BLOCKS = Allowance(60, longest_wait=timedelta(minutes=1), forget_one_in=timedelta(seconds=5))
RESULTS = Allowance(10, longest_wait=timedelta(minutes=1), forget_one_in=timedelta(seconds=20))

# A synthetic call is a process of the server's; of a station, one page answers for all.
LOOPS = Allowance(6, longest_wait=timedelta(minutes=2), forget_one_in=timedelta(seconds=20))
DRILLS = Allowance(1, longest_wait=timedelta(seconds=30), forget_one_in=timedelta(seconds=30))
add_notices(
    {
        "drill_asked": N_(
            "Đã gọi trạm diễn tập. Nếu máy trạm đang mở trang, nửa phút nữa có kết quả."
        )
    }
)

Kbps = Annotated[int, Field(ge=0, le=10_000_000)]


class DownQuery(Body):
    """How much to send; `again` makes every address a new one."""

    bytes: Annotated[int, Field(ge=1, le=MOST_DOWN)]
    again: Annotated[str, Field(max_length=40)] = ""


class Result(Body):
    """What a check found; what could not be looked at is null."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,22}$")]
    is_drill: bool = False
    is_well: bool
    rtt_ms: Annotated[int, Field(ge=0, le=120_000)] | None = None
    up_kbps: Kbps | None = None
    down_kbps: Kbps | None = None
    loss_permille: Annotated[int, Field(ge=0, le=1000)] | None = None
    relay_udp: bool | None = None
    relay_tcp: bool | None = None
    relay_tls: bool | None = None


class LoopOffer(Body):
    """A browser's offer for a synthetic call."""

    offer: Annotated[str, Field(max_length=OFFER_BYTES)]
    is_drill: bool = False


class Nothing(Body):
    """A press of a button."""


class QualityQuery(Body):
    """Where the page before ended."""

    after: Annotated[str, Field(max_length=10)] = ""


@routes.get("/check", Action.LINK_CHECK)
async def check(request: web.Request) -> web.Response:
    """Camera, microphone, speaker, link: is everything ready for a call?"""
    work, actor = request[WORK], signed_in(request)
    profiles = await service.list_own(work, actor)
    return page(
        request,
        "check/show.html",
        ice_servers=_ice_servers(request, f"check-{actor.uid}"),
        is_saved=bool(actor.station_ids),
        links=[words_of(profile) for profile in profiles],
    )


@routes.get("/check/down", Action.LINK_CHECK)
async def send_block(request: web.Request) -> web.Response:
    """Bytes that nothing can make smaller, to time how long they take."""
    query = read_query(request, DownQuery)
    _pace(request)
    headers = {"Cache-Control": "no-store"}
    return web.Response(
        body=secrets.token_bytes(query.bytes),
        content_type="application/octet-stream",
        headers=headers,
    )


@routes.post("/check/up", Action.LINK_CHECK, body_limit=MOST_UP)
async def take_block(request: web.Request) -> web.Response:
    """Bytes to time how long they take; nothing of them is kept."""
    _pace(request)
    taken = 0
    async for chunk in request.content.iter_chunked(16 * 1024):
        taken += len(chunk)
        if taken > MOST_UP:
            raise TooLarge("body_too_large", N_("Nội dung gửi lên quá lớn"))
    return json_answer({"bytes": taken})


@routes.get("/check/ice", Action.LINK_CHECK)
async def list_ice_servers(request: web.Request) -> web.Response:
    """ICE servers for a drill, which begins on pages that know of none."""
    servers = _ice_servers(request, f"check-{signed_in(request).uid}")
    return json_answer({"ice_servers": servers})


@routes.post("/check/loop", Action.LINK_CHECK, body_limit=2 * OFFER_BYTES)
async def open_loop(request: web.Request) -> web.Response:
    """The server's end of a synthetic call: what the page sends comes back."""
    actor, now = signed_in(request), request[WORK].now()
    asked = await read_json(request, LoopOffer)
    limits = [(("loop", actor.uid), LOOPS)]
    if asked.is_drill:
        limits += [(("drill", str(each)), DRILLS) for each in actor.station_ids]
    request.app[MEASURES].admit(limits, now)
    servers = _ice_servers(request, "echo")
    return json_answer({"answer": await request.app[ECHO].answer(asked.offer, servers)})


@routes.post("/check/result", Action.LINK_CHECK, body_limit=4 * 1024)
async def save(request: web.Request) -> web.Response:
    """Keep what a check found in the link profile of the sender's station."""
    work, actor = request[WORK], signed_in(request)
    result = await read_json(request, Result)
    request.app[MEASURES].admit([(("result", actor.uid), RESULTS)], work.now())
    found = Measured(**result.model_dump(exclude={"key", "is_drill"}))
    source = LinkSource.DRILL if result.is_drill else LinkSource.CHECK
    await service.save_check(work, actor, source, result.key, found)
    return json_answer({"saved": bool(actor.station_ids)})


@routes.get("/quality", Action.QUALITY_READ)
async def quality(request: web.Request) -> web.Response:
    """Stations by how well they can be reached, and calls by month and station."""
    query = read_query(request, QualityQuery)
    work, actor = request[WORK], signed_in(request)
    stations, more = await service.list_stations(work, actor, query.after)
    months = await list_months(work, actor)
    return page(
        request,
        "review/quality.html",
        stations=[(each, words_of(each.profile) if each.profile else None) for each in stations],
        after=query.after,
        more=more,
        months=months,
    )


@routes.post("/quality/stations/{uid}/drill", Action.QUALITY_READ)
async def ask_for_drill(request: web.Request) -> web.StreamResponse:
    """Ask a station now whether a call to it would come about."""
    await read_body(request, Nothing)
    await drill.ask_now(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, "/quality", notice="drill_asked")


def _ice_servers(request: web.Request, who: str) -> list[dict[str, Any]]:
    return request.app[SIGNALING].ice.issue_briefly(who, request[WORK].now()).servers


def _pace(request: web.Request) -> None:
    key = ("block", signed_in(request).uid)
    request.app[MEASURES].admit([(key, BLOCKS)], request[WORK].now())
