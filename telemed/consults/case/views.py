"""The page of a case, its conversation and its log."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Actor, may
from telemed.consults import handling, retention
from telemed.consults.case import casefile, conversation
from telemed.consults.case.casefile import CaseFile
from telemed.consults.clocks import in_minutes, response_limits
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.consults.outcomes import service as outcomes
from telemed.consults.outcomes.service import CaseLoop
from telemed.consults.outcomes.views import STATUS_NAMES
from telemed.consults.request.sheet import read_sheet
from telemed.consults.service import facts_of
from telemed.consults.vitals.note import tell
from telemed.consults.worklist.service import find_preview
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid, Missing
from telemed.core.events import stream_of
from telemed.imaging import service as imaging
from telemed.keys import WORK, signed_in
from telemed.notices import service as notices
from telemed.patients.retention import KIND_NAMES, RetentionKind
from telemed.scheduling import service as scheduling
from telemed.scheduling.escalation.service import read_ladder
from telemed.scheduling.service import by_day
from telemed.sessions import minutes
from telemed.sessions.link import service as links
from telemed.sessions.link.words import words_of
from telemed.sessions.opening import CALLABLE
from telemed.web.parsing import Body, read_body, read_query
from telemed.web.rendering import (
    add_notices,
    invalid_page,
    json_answer,
    page,
    saying,
    see_other,
    wants_json,
)
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "message_received": N_("Máy chủ đã nhận tin nhắn"),
        "record_kind_set": N_("Đã ghi loại hồ sơ lưu"),
        "info_answered": N_("Máy chủ đã nhận câu trả lời. Ca trở lại danh sách chờ."),
    }
)
# What a number may be in a script.
LARGEST_NUMBER = 2**53 - 1
_PAGE = "consults/show.html"
_HAS_MINUTES = frozenset({ConsultState.ANSWERED, ConsultState.CLOSED})


class View(StrEnum):
    """What stands in the middle of the page."""

    ALL = "all"
    FILES = "files"
    REQUEST = "request"


class CaseQuery(Body):
    """Which part is looked at, and how far back."""

    view: View = View.ALL
    before: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)] | None = None


class EventsQuery(Body):
    """The number of the last event that the page has."""

    after: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] = 0


class MessageForm(Body):
    """A message."""

    text: Annotated[str, Field(max_length=20_000)] = ""


class ReadForm(Body):
    """How far the conversation was seen."""

    up_to: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]


class AnswerForm(Body):
    """What the station answers."""

    reason: Annotated[str, Field(max_length=20_000)] = ""


def _uid(request: web.Request) -> str:
    return request.match_info["uid"]


@routes.get("/consults/{uid}", Action.CONSULT_READ)
async def show(request: web.Request) -> web.Response:
    """The case; a specialist who may only judge its urgency is shown it beside the worklist."""
    query = read_query(request, CaseQuery)
    work, actor, uid = request[WORK], signed_in(request), _uid(request)
    try:
        case = await casefile.open_case(work, actor, uid, before=query.before)
    except Missing:
        if may(actor, Action.WORKLIST) and await find_preview(work, actor, uid):
            return see_other(request, f"/worklist?case={uid}")
        raise
    await notices.mark_read(work, actor, stream_of("consult", uid))
    return page(request, _PAGE, **await _context(request, case, query.view))


class KindForm(Body):
    """What sort of record it is; nothing leaves it to the facts of the case."""

    record_kind: RetentionKind | Literal[""] = ""


@routes.post("/consults/{uid}/record-kind", Action.OUTCOME_WRITE)
async def set_record_kind(request: web.Request) -> web.Response:
    """Say what the facts of the case do not, such as an accident."""
    form = await read_body(request, KindForm)
    uid = _uid(request)
    await retention.set_kind(request[WORK], signed_in(request), uid, form.record_kind or None)
    return see_other(request, f"/consults/{uid}", notice="record_kind_set")


async def _context(request: web.Request, case: CaseFile, view: View = View.ALL) -> dict[str, Any]:
    work, actor, consult = request[WORK], signed_in(request), case.consult
    facts = facts_of(consult, work)
    has_schedule = may(actor, Action.SCHEDULE_READ, facts)
    schedule = await scheduling.schedule_of(work, actor, consult) if has_schedule else None
    has_minutes = consult.state in _HAS_MINUTES
    # The station has it on its first page.
    is_called = consult.station_id not in actor.station_ids and consult.state in CALLABLE
    link = await links.find_profile(work, consult.station_id) if is_called else None
    tell_it = partial(tell, chosen=consult.urgency, say=saying(request))
    return {
        "link": words_of(link) if link else None,
        "case": case,
        "triage": tell_it(case.assessment) if case.assessment else None,
        "tell": tell_it,
        "consult": consult,
        "view": view.value,
        "files": await imaging.list_files(work, actor, consult),
        "may_attach": may(actor, Action.FILE_WRITE, facts),
        "may_talk": may(actor, Action.CONSULT_MESSAGE, facts)
        and consult.state not in conversation.SILENT,
        "schedule": schedule,
        "slot_days": by_day(schedule.slots) if schedule else {},
        "papers": await minutes.open_papers(work, actor, consult.uid) if has_minutes else None,
        "sheet": await read_sheet(work, consult) if view is View.REQUEST else None,
        "ladder": await read_ladder(work, actor, consult.uid),
        "limits": in_minutes(await response_limits(work)),
        "keeping": await retention.retention_of(work, consult),
        "record_kinds": KIND_NAMES,
        # Jinja keeps the name `loop` for itself.
        "loop_": await _loop_of(work, actor, consult),
        "statuses": STATUS_NAMES,
        "values": {},
        "errors": {},
    }


async def _loop_of(work: UnitOfWork, actor: Actor, consult: Consult) -> CaseLoop | None:
    is_closed = consult.state is ConsultState.CLOSED
    return await outcomes.read_loop(work, actor, consult) if is_closed else None


@routes.get("/consults/{uid}/events", Action.CONSULT_READ)
async def events(request: web.Request) -> web.Response:
    """The numbered log after a number, for whoever missed a hint."""
    query = read_query(request, EventsQuery)
    log = await casefile.list_log(request[WORK], signed_in(request), _uid(request), query.after)
    data = {"events": log.events, "last_event": log.last_event, "more": log.more}
    return json_answer({"ok": True, "data": data})


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    case = await casefile.open_case(request[WORK], signed_in(request), _uid(request))
    context = await _context(request, case)
    return invalid_page(request, _PAGE, error, **{**context, "values": values})


@routes.post("/consults/{uid}/messages", Action.CONSULT_MESSAGE, on_invalid=_again)
async def post_message(request: web.Request) -> web.Response:
    """Say something in the conversation."""
    form = await read_body(request, MessageForm)
    uid = _uid(request)
    message = await conversation.post(request[WORK], signed_in(request), uid, form.text)
    if wants_json(request):
        return json_answer({"message": message.uid, "number": message.id}, status=201)
    return see_other(request, f"/consults/{uid}#tin", notice="message_received")


@routes.get("/consults/{uid}/messages", Action.CONSULT_MESSAGE)
async def list_messages(request: web.Request) -> web.Response:
    """The conversation alone."""
    case = await casefile.open_case(request[WORK], signed_in(request), _uid(request))
    return page(request, "consults/messages.html", case=case, consult=case.consult)


@routes.post("/consults/{uid}/read", Action.CONSULT_MESSAGE)
async def mark_read(request: web.Request) -> web.Response:
    """Everything down to a message was seen."""
    form = await read_body(request, ReadForm)
    uid = _uid(request)
    await conversation.mark_read(request[WORK], signed_in(request), uid, form.up_to)
    return see_other(request, f"/consults/{uid}#tin")


@routes.post("/consults/{uid}/answer-info", Action.CONSULT_ANSWER_INFO, on_invalid=_again)
async def answer_info(request: web.Request) -> web.Response:
    """Give what a specialist asked for."""
    form = await read_body(request, AnswerForm)
    uid = _uid(request)
    await handling.answer_info(request[WORK], signed_in(request), uid, form.reason)
    return see_other(request, f"/consults/{uid}", notice="info_answered")
