"""The worklist: list, preview, claim."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults import handling
from telemed.consults.clocks import in_minutes, response_limits
from telemed.consults.vitals.note import TriageNote, tell
from telemed.consults.worklist import service as worklist
from telemed.consults.worklist.rows import CaseRow, QueueRow
from telemed.consults.worklist.service import Lane, Preview, Scope, TriageCard, Worklist
from telemed.consults.worklist.steps import Side, step_of
from telemed.core.errors import N_, Conflict
from telemed.core.events import stream_of
from telemed.imaging.service import count_files
from telemed.keys import RENDERER, WORK, signed_in
from telemed.notices import service as notices
from telemed.scheduling.escalation.service import read_ladder
from telemed.web.parsing import Body, read_body, read_query
from telemed.web.rendering import add_notices, json_answer, page, saying, see_other, wants_json
from telemed.web.routing import Routes

routes = Routes()
add_notices({"case_claimed": N_("Bạn đã nhận ca")})


class WorklistQuery(Body):
    """What is looked at; `case` is shown beside the list."""

    lane: Lane = Lane.WAITING
    scope: Scope | None = None
    specialty: Annotated[str, Field(max_length=20)] = ""
    case: Annotated[str, Field(max_length=22)] = ""
    after: Annotated[str, Field(max_length=60)] = ""


class ClaimForm(Body):
    """Nothing to fill in; a form brings its key alone."""


@routes.get("/worklist", Action.WORKLIST)
async def show(request: web.Request) -> web.Response:
    """One page of the list, and one case beside it."""
    return await _page(request, read_query(request, WorklistQuery))


@routes.get("/worklist/waiting", Action.WORKLIST)
async def waiting(request: web.Request) -> web.Response:
    """Ids of what waits, for a page that was told that something changed."""
    found = await worklist.list_waiting(request[WORK], signed_in(request))
    cases = [{"uid": row.uid, "urgency": row.urgency.value} for row in found]
    return json_answer({"ok": True, "data": {"waiting": cases}})


@routes.post("/consults/{uid}/claim", Action.CONSULT_CLAIM)
async def claim(request: web.Request) -> web.Response:
    """Take a case; whoever comes second sees the list as it is now, and why."""
    await read_body(request, ClaimForm)
    uid = request.match_info["uid"]
    try:
        await handling.claim(request[WORK], signed_in(request), uid)
    except Conflict as conflict:
        if wants_json(request):
            raise
        return await _lost(request, conflict)
    return see_other(request, f"/consults/{uid}", notice="case_claimed")


async def _lost(request: web.Request, conflict: Conflict) -> web.Response:
    work = request[WORK]
    await work.rollback()
    words = request.app[RENDERER].text(request, conflict.message, **conflict.params)
    answer = await _page(request, WorklistQuery(), lost=words)
    # What the list has shown stays on record, though the answer is a refusal.
    await work.commit()
    answer.set_status(HTTPStatus.CONFLICT)
    return answer


async def _page(request: web.Request, query: WorklistQuery, *, lost: str = "") -> web.Response:
    work, actor = request[WORK], signed_in(request)
    found = await worklist.open_worklist(
        work,
        actor,
        scope=query.scope,
        lane=query.lane,
        specialty=query.specialty,
        after=query.after,
    )
    uid = query.case or (found.rows[0].uid if found.rows else "")
    preview = (
        await worklist.find_preview(work, actor, uid, query.scope, listed=found.rows)
        if uid
        else None
    )
    if query.case and preview:
        await notices.mark_read(work, actor, stream_of("consult", uid))
    ids = [row.id for row in found.rows] + [row.id for row in _rows_of(preview)]
    return page(
        request,
        "consults/worklist.html",
        found=found,
        list_url=_url(found),
        preview=preview,
        preview_kind=_kind(preview),
        triage=_triage(request, preview),
        is_gone=bool(query.case) and preview is None,
        is_chosen=bool(query.case),
        lost=lost,
        files=await count_files(work, ids) if found.scope is Scope.OWN and ids else {},
        ladder=await read_ladder(work, actor, uid) if _rises(preview) else None,
        limits=in_minutes(await response_limits(work)),
        step_of=lambda row: step_of(row.state, Side.SPECIALIST),
    )


def _rows_of(preview: Preview | None) -> list[Any]:
    if preview is None:
        return []
    return [preview.row if isinstance(preview, TriageCard) else preview]


def _triage(request: web.Request, preview: Preview | None) -> TriageNote | None:
    if not isinstance(preview, TriageCard) or preview.assessment is None:
        return None
    return tell(preview.assessment, preview.row.urgency, saying(request))


def _rises(preview: Preview | None) -> bool:
    """Whether it is one that climbs while nobody takes it."""
    return isinstance(preview, (TriageCard, QueueRow))


def _kind(preview: Preview | None) -> str:
    kinds = {TriageCard: "triage", QueueRow: "queue", CaseRow: "case"}
    return kinds.get(type(preview), "") if preview else ""


def _url(found: Worklist) -> str:
    """The address of this list, for the links of its rows and pages."""
    parts = [f"lane={found.lane.value}"]
    if found.specialty:
        parts.append(f"specialty={found.specialty}")
    if found.scope is Scope.ALL:
        parts.append("scope=all")
    return f"/worklist?{'&'.join(parts)}"
