"""Every piece of the look in every state, for whoever builds pages; in a demo only."""

from __future__ import annotations

from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.core.errors import Missing
from telemed.keys import SETTINGS
from telemed.web.rendering import page
from telemed.web.routing import Routes

routes = Routes()


@routes.get("/components", Action.PUBLIC)
async def show(request: web.Request) -> web.Response:
    """The showcase."""
    if not request.app[SETTINGS].demo:
        raise Missing
    return page(request, "components.html")
