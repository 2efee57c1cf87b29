"""Pages of the register of what patients ask for about their data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.audit.labels import TAG_LABELS
from telemed.accounts.permissions import Action, Actor
from telemed.consults.rights import copies, service
from telemed.consults.rights.models import RightsRequest
from telemed.consults.rights.rules import (
    KIND_NAMES,
    AskedBy,
    AskedHow,
    RightKind,
    RightState,
    answer_due,
    done_due,
)
from telemed.consults.rights.service import Asked
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.patients.retention import KIND_NAMES as RECORD_NAMES
from telemed.patients.service import get_patient_to_change
from telemed.web.formats import local
from telemed.web.parsing import Body, RowKey, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, saying, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "right_received": N_("Đã ghi yêu cầu. Máy nhắc trước hạn."),
        "right_accepted": N_("Đã trả lời người bệnh: sẽ làm"),
        "right_done": N_("Đã làm xong yêu cầu"),
        "right_refused": N_("Đã ghi từ chối, kèm lý do"),
        "right_lifted": N_("Đã bỏ hạn chế"),
    }
)
STATE_NAMES: Mapping[RightState, str] = {
    RightState.RECEIVED: N_("Chờ trả lời"),
    RightState.ACCEPTED: N_("Đang làm"),
    RightState.DONE: N_("Đã làm"),
    RightState.REFUSED: N_("Từ chối"),
    RightState.LIFTED: N_("Đã bỏ hạn chế"),
}
HOW_NAMES: Mapping[AskedHow, str] = {
    AskedHow.IN_PERSON: N_("Tại trạm"),
    AskedHow.PHONE: N_("Điện thoại"),
    AskedHow.LETTER: N_("Văn bản"),
}
_NEW = "rights/new.html"
_ONE = "rights/show.html"
Text = Annotated[str, Field(max_length=2000)]


class RegisterQuery(Body):
    """Where the page before ended."""

    before: RowKey | None = None


class AskForm(Body):
    """What somebody asks for."""

    kind: RightKind
    asked_by: AskedBy = AskedBy.PATIENT
    asker_name: Text = ""
    asked_how: AskedHow = AskedHow.IN_PERSON
    text: Text = ""


class ReplyForm(Body):
    """What the patient is told."""

    reply: Text = ""


Act = Callable[[UnitOfWork, Actor, str, str], Awaitable[RightsRequest]]


@routes.get("/rights", Action.RIGHTS_WRITE)
async def show_register(request: web.Request) -> web.Response:
    """The register of the own stations."""
    query = read_query(request, RegisterQuery)
    work = request[WORK]
    return page(
        request,
        "rights/list.html",
        found=await service.list_register(work, signed_in(request), before=query.before),
        is_first=query.before is None,
        **_names(request),
    )


@routes.get("/patients/{uid}/rights/new", Action.RIGHTS_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    return page(request, _NEW, errors={}, **await _new_context(request, {}))


async def _new_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _NEW, error, **await _new_context(request, values))


@routes.post("/patients/{uid}/rights/new", Action.RIGHTS_WRITE, on_invalid=_new_again)
async def receive(request: web.Request) -> web.Response:
    """Write a request down."""
    form = await read_body(request, AskForm)
    given = Asked(form.kind, form.asked_by, form.asker_name, form.asked_how, form.text)
    uid = request.match_info["uid"]
    made = await service.receive(request[WORK], signed_in(request), uid, given)
    return see_other(request, f"/rights/{made.uid}", notice="right_received")


@routes.get("/rights/{uid}", Action.RIGHTS_WRITE)
async def show(request: web.Request) -> web.Response:
    """One request: its clock, and what comes next."""
    return page(request, _ONE, errors={}, **await _context(request, {}))


@routes.get("/rights/{uid}/copy", Action.RIGHTS_WRITE)
async def copy(request: web.Request) -> web.Response:
    """Everything that is held about the patient, to be printed."""
    uid = request.match_info["uid"]
    held = await copies.make_copy(request[WORK], signed_in(request), uid)
    return page(request, "rights/copy.html", held=held, labels=TAG_LABELS, **_names(request))


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _ONE, error, **await _context(request, values))


def _doing(act: Act, notice: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def do(request: web.Request) -> web.Response:
        form = await read_body(request, ReplyForm)
        uid = request.match_info["uid"]
        await act(request[WORK], signed_in(request), uid, form.reply)
        return see_other(request, f"/rights/{uid}", notice=notice)

    return do


routes.post("/rights/{uid}/accept", Action.RIGHTS_WRITE, on_invalid=_again)(
    _doing(service.accept, "right_accepted")
)
routes.post("/rights/{uid}/complete", Action.RIGHTS_WRITE, on_invalid=_again)(
    _doing(service.complete, "right_done")
)
routes.post("/rights/{uid}/refuse", Action.RIGHTS_WRITE, on_invalid=_again)(
    _doing(service.refuse, "right_refused")
)
routes.post("/rights/{uid}/lift", Action.RIGHTS_WRITE, on_invalid=_again)(
    _doing(service.lift, "right_lifted")
)


async def _new_context(request: web.Request, values: Values) -> dict[str, Any]:
    uid = request.match_info["uid"]
    patient = await get_patient_to_change(request[WORK], signed_in(request), uid)
    return {"patient": patient, "values": values, **_names(request)}


async def _context(request: web.Request, values: Values) -> dict[str, Any]:
    uid = request.match_info["uid"]
    found = await service.get_request(request[WORK], signed_in(request), uid)
    asked = found.request
    return {
        "found": found,
        "asked": asked,
        "values": values,
        "answer_due": answer_due(asked.received_on),
        "done_due": done_due(asked.kind, asked.received_on),
        "kept": _kept_words(request, found),
        **_names(request),
    }


def _kept_words(request: web.Request, found: service.RequestFile) -> str:
    """Why nothing may be deleted, in the words that the patient is told."""
    if found.kept is None:
        return ""
    say = saying(request)
    kind = say(RECORD_NAMES[found.kept.kind])
    if found.kept.is_forever:
        message = N_("{kind} phải giữ vô thời hạn (Thông tư 33/2025).")
        return say(message, kind=kind)
    if found.kept.until is None:
        message = N_("{kind} còn đang mở, sau khi đóng phải giữ theo luật (Thông tư 33/2025).")
        return say(message, kind=kind)
    message = N_("{kind} phải giữ đến hết {day} (Thông tư 33/2025).")
    return say(message, kind=kind, day=f"{found.kept.until:%d/%m/%Y}")


def _names(request: web.Request) -> dict[str, Any]:
    return {
        "kinds": KIND_NAMES,
        "states": STATE_NAMES,
        "hows": HOW_NAMES,
        "today": local(request[WORK].now()).date(),
    }
