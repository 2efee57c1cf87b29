"""Whether this process can serve: for load balancers, service managers and tests."""

from __future__ import annotations

from aiohttp import web
from sqlmodel import select

from telemed.accounts.permissions import Action
from telemed.core.audit import AuditHead
from telemed.keys import DATABASE
from telemed.web.rendering import json_answer
from telemed.web.routing import Routes

routes = Routes()


@routes.get("/health", Action.PUBLIC)
async def health(request: web.Request) -> web.Response:
    """200 when the database answers; says nothing else."""
    async with request.app[DATABASE].read() as work:
        await work.session.exec(select(AuditHead.sequence))
    return json_answer({"status": "ok"})
