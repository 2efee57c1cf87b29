"""The page on which the audit trail is read."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.audit.labels import TAG_LABELS
from telemed.accounts.audit.service import AuditFilter, list_audit
from telemed.accounts.permissions import Action
from telemed.core.audit import AuditTag
from telemed.keys import WORK, signed_in
from telemed.web.parsing import Body, read_query
from telemed.web.rendering import page
from telemed.web.routing import Routes

routes = Routes()
LARGEST_KEY = 2**31 - 1


class AuditQuery(Body):
    """What is looked for, and where the page before ended."""

    person: Annotated[str, Field(max_length=40)] = ""
    patient: Annotated[str, Field(max_length=22)] = ""
    tag: AuditTag | None = None
    before: Annotated[int, Field(ge=1, le=LARGEST_KEY)] | None = None


@routes.get("/admin/audit", Action.AUDIT_READ)
async def show(request: web.Request) -> web.Response:
    """Acts, newest first."""
    query = read_query(request, AuditQuery)
    wanted = AuditFilter(query.person, query.patient, query.tag)
    found = await list_audit(request[WORK], signed_in(request), wanted, before=query.before)
    return page(
        request,
        "admin/audit.html",
        found=found,
        wanted=wanted,
        labels=TAG_LABELS,
        is_first=query.before is None,
    )
