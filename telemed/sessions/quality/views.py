"""Where pages in a call tell what they measured."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.accounts.throttle import Allowance
from telemed.keys import MEASURES, WORK, signed_in
from telemed.sessions.quality import service
from telemed.sessions.quality.summary import Summary
from telemed.web.parsing import read_json
from telemed.web.rendering import json_answer
from telemed.web.routing import Routes

routes = Routes()

BODY_LIMIT = 16 * 1024
# A page tells three times a minute, and once more when it goes.
PACE = Allowance(30, longest_wait=timedelta(minutes=1), forget_one_in=timedelta(seconds=5))


@routes.post("/sessions/{uid}/quality", Action.SESSION_JOIN, body_limit=BODY_LIMIT)
async def record(request: web.Request) -> web.Response:
    """Keep a summary of the sender's own page; an old one changes nothing."""
    actor, work = signed_in(request), request[WORK]
    summary = await read_json(request, Summary)
    request.app[MEASURES].admit([(("quality", actor.uid), PACE)], work.now())
    is_kept = await service.record(work, actor, request.match_info["uid"], summary)
    return json_answer({"kept": is_kept})
