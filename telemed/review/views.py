"""Pages of the consult history."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Role
from telemed.consults.lifecycle import ConsultState
from telemed.facilities.service import list_specialties, list_stations
from telemed.keys import WORK, signed_in
from telemed.review import history
from telemed.review.history import HistoryFilter
from telemed.web.parsing import Body, Day, RowKey, read_query
from telemed.web.rendering import page
from telemed.web.routing import Routes

routes = Routes()


class HistoryQuery(Body):
    """What the search form sends."""

    q: Annotated[str, Field(max_length=200)] = ""
    station: RowKey | None = None
    specialty: RowKey | None = None
    code: Annotated[str, Field(max_length=7)] = ""
    state: ConsultState | None = None
    first: Day | None = None
    last: Day | None = None
    before: RowKey | None = None


@routes.get("/history", Action.HISTORY_SEARCH)
async def search(request: web.Request) -> web.Response:
    """Past consults, as far as the actor may know of them."""
    query = read_query(request, HistoryQuery)
    work, actor = request[WORK], signed_in(request)
    wanted = HistoryFilter(
        text=query.q,
        station_id=query.station,
        specialty_id=query.specialty,
        code=query.code,
        state=query.state,
        first=query.first,
        last=query.last,
        before=query.before,
    )
    rows, older = await history.search(work, actor, wanted)
    return page(
        request,
        "review/history.html",
        rows=rows,
        older=request.rel_url.update_query(before=older) if older else None,
        query=query,
        stations=[(each.id, each.name) for each in await list_stations(work)],
        specialties=[(each.id, each.name) for each in await list_specialties(work)],
        is_hidden=Role.TRAINER in actor.roles,
    )


@routes.get("/history/{uid}", Action.HISTORY_SEARCH)
async def lesson(request: web.Request) -> web.Response:
    """One consult to learn from, without who it was."""
    opened = await history.open_lesson(request[WORK], signed_in(request), request.match_info["uid"])
    return page(request, "review/lesson.html", lesson=opened, row=opened.row)
