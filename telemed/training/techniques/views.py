"""Techniques of the national list, for whoever types one."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.keys import DATABASE, signed_in
from telemed.training.techniques import service
from telemed.web.parsing import Body, read_query
from telemed.web.rendering import json_answer
from telemed.web.routing import Routes

routes = Routes()
_LONGEST_SEARCH = 200


class TechniqueQuery(Body):
    """What is looked for."""

    q: Annotated[str, Field(max_length=_LONGEST_SEARCH)] = ""


@routes.get("/training/techniques", Action.TRANSFER_READ)
async def find(request: web.Request) -> web.Response:
    """Techniques whose code or name matches."""
    query = read_query(request, TechniqueQuery)
    async with request.app[DATABASE].read() as work:
        found = await service.search(work, signed_in(request), query.q)
    return json_answer({"techniques": found})
