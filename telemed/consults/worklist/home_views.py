"""The first page, by role."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, may
from telemed.consults.clocks import in_minutes, response_limits
from telemed.consults.outcomes.service import count_due
from telemed.consults.worklist.homes import Shelf, open_home
from telemed.consults.worklist.steps import Side
from telemed.keys import ACTOR, WORK, signed_in
from telemed.scheduling import service as scheduling
from telemed.scheduling.duty.board import open_board
from telemed.sessions.link import service as links
from telemed.sessions.link.words import words_of
from telemed.web.formats import local
from telemed.web.parsing import Body, read_query
from telemed.web.rendering import page, see_other
from telemed.web.routing import Routes

routes = Routes()


class HomeQuery(Body):
    """Which cases are listed, and where the page before ended."""

    shelf: Shelf = Shelf.OPEN
    side: Side = Side.STATION
    after: Annotated[str, Field(max_length=60)] = ""


@routes.get("/", Action.PUBLIC)
async def entrance(request: web.Request) -> web.Response:
    """The way in: to the first page, or to the sign-in."""
    return see_other(request, "/home" if request[ACTOR] else "/sign-in")


@routes.get("/home", Action.HOME)
async def home(request: web.Request) -> web.Response:
    """What waits for this person."""
    query = read_query(request, HomeQuery)
    work, actor = request[WORK], signed_in(request)
    found = await open_home(work, actor, shelf=query.shelf, side=query.side, after=query.after)
    has_schedule = may(actor, Action.SCHEDULE_READ)
    return page(
        request,
        "home/show.html",
        home=found,
        given_name=actor.name.split()[-1],
        now_at=work.now(),
        weekday=local(work.now()).weekday(),
        turned=query.side if found.station else Side.SPECIALIST,
        after=query.after,
        bookings=await scheduling.list_today(work, actor) if has_schedule else [],
        has_schedule=has_schedule,
        duty=await open_board(work) if has_schedule else None,
        links=[words_of(profile) for profile in await links.list_own(work, actor)],
        is_drill_due=await links.is_drill_due(work, actor),
        limits=in_minutes(await response_limits(work)),
        due_outcomes=await count_due(work, actor),
    )
