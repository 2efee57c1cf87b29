"""Acts that need a reason: each has a page that asks for it, and works without scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Actor, may
from telemed.consults import handling
from telemed.consults.case.casefile import open_brief
from telemed.consults.lifecycle import ConsultEvent
from telemed.consults.models import Consult
from telemed.consults.service import facts_of
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.scheduling.service import release_bookings
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Handler, InvalidHandler, Routes, Values

routes = Routes()
add_notices(
    {
        "case_declined": N_("Đã từ chối ca. Trạm được báo ngay."),
        "info_asked": N_("Đã gửi câu hỏi tới trạm"),
        "case_passed_on": N_("Đã chuyển ca"),
        "case_released": N_("Đã trả ca về danh sách chờ"),
        "case_cancelled": N_("Đã hủy yêu cầu"),
        "case_resubmitted": N_("Máy chủ đã nhận yêu cầu gửi lại"),
    }
)
_PAGE = "consults/act.html"
LONGEST = 20_000


class ReasonForm(Body):
    """Why, and to whom where the act needs a target."""

    reason: Annotated[str, Field(max_length=LONGEST)] = ""
    to: Annotated[str, Field(max_length=60)] = ""


Act = Callable[[UnitOfWork, Actor, str, ReasonForm], Awaitable[Consult]]


@dataclass(frozen=True)
class ActPage:
    """One act: its address, its event, what does it, and what is said afterwards."""

    path: str
    event: ConsultEvent
    act: Act
    notice: str
    leaves_specialist: bool = False


_DECLINE = ActPage(
    "decline",
    ConsultEvent.DECLINE,
    lambda work, actor, uid, form: handling.decline(work, actor, uid, form.reason),
    "case_declined",
    leaves_specialist=True,
)
_ASK = ActPage(
    "ask",
    ConsultEvent.ASK_INFO,
    lambda work, actor, uid, form: handling.ask_info(work, actor, uid, form.reason),
    "info_asked",
)
_PASS_ON = ActPage(
    "pass-on",
    ConsultEvent.PASS_ON,
    lambda work, actor, uid, form: handling.pass_on(work, actor, uid, form.to, form.reason),
    "case_passed_on",
    leaves_specialist=True,
)
_RELEASE = ActPage(
    "release",
    ConsultEvent.RELEASE,
    lambda work, actor, uid, form: handling.release(work, actor, uid, form.reason),
    "case_released",
    leaves_specialist=True,
)
_CANCEL = ActPage(
    "cancel",
    ConsultEvent.CANCEL,
    lambda work, actor, uid, form: handling.cancel(work, actor, uid, form.reason),
    "case_cancelled",
    leaves_specialist=True,
)
_RESUBMIT = ActPage(
    "resubmit",
    ConsultEvent.SUBMIT,
    lambda work, actor, uid, form: handling.resubmit(work, actor, uid, form.to),
    "case_resubmitted",
)


def _asking(act: ActPage) -> Handler:
    async def ask(request: web.Request) -> web.Response:
        return await _act_page(request, act)

    return ask


def _asking_again(act: ActPage) -> InvalidHandler:
    async def ask_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
        return await _act_page(request, act, error=error, values=values)

    return ask_again


async def _act_page(
    request: web.Request,
    act: ActPage,
    *,
    error: Invalid | None = None,
    values: Values | None = None,
) -> web.Response:
    work, actor = request[WORK], signed_in(request)
    brief = await open_brief(work, actor, request.match_info["uid"], act.event)
    reads = may(actor, Action.CONSULT_READ, facts_of(brief.consult, work))
    context: dict[str, Any] = {
        "act": act.path,
        "brief": brief,
        "consult": brief.consult,
        "back_url": _case_url(brief.consult, is_reader=reads),
        "targets": await handling.list_targets(work) if act.path in _WITH_TARGET else [],
        "values": values or {},
    }
    if error is not None:
        return invalid_page(request, _PAGE, error, **context)
    return page(request, _PAGE, errors={}, **context)


_WITH_TARGET = frozenset({"pass-on", "resubmit"})


def _case_url(consult: Consult, *, is_reader: bool) -> str:
    return f"/consults/{consult.uid}" if is_reader else f"/worklist?case={consult.uid}"


def _doing(act: ActPage) -> Handler:
    async def do(request: web.Request) -> web.Response:
        form = await read_body(request, ReasonForm)
        work, actor = request[WORK], signed_in(request)
        consult = await act.act(work, actor, request.match_info["uid"], form)
        if act.leaves_specialist:
            await release_bookings(work, consult, form.reason)
        reads = may(actor, Action.CONSULT_READ, facts_of(consult, work))
        url = f"/consults/{consult.uid}" if reads else "/worklist"
        return see_other(request, url, notice=act.notice)

    return do


routes.get("/consults/{uid}/decline", Action.CONSULT_DECLINE)(_asking(_DECLINE))
routes.post("/consults/{uid}/decline", Action.CONSULT_DECLINE, on_invalid=_asking_again(_DECLINE))(
    _doing(_DECLINE)
)
routes.get("/consults/{uid}/ask", Action.CONSULT_ASK)(_asking(_ASK))
routes.post("/consults/{uid}/ask", Action.CONSULT_ASK, on_invalid=_asking_again(_ASK))(_doing(_ASK))
routes.get("/consults/{uid}/pass-on", Action.CONSULT_PASS_ON)(_asking(_PASS_ON))
routes.post("/consults/{uid}/pass-on", Action.CONSULT_PASS_ON, on_invalid=_asking_again(_PASS_ON))(
    _doing(_PASS_ON)
)
routes.get("/consults/{uid}/release", Action.CONSULT_RELEASE)(_asking(_RELEASE))
routes.post("/consults/{uid}/release", Action.CONSULT_RELEASE, on_invalid=_asking_again(_RELEASE))(
    _doing(_RELEASE)
)
routes.get("/consults/{uid}/cancel", Action.CONSULT_CANCEL)(_asking(_CANCEL))
routes.post("/consults/{uid}/cancel", Action.CONSULT_CANCEL, on_invalid=_asking_again(_CANCEL))(
    _doing(_CANCEL)
)
routes.get("/consults/{uid}/resubmit", Action.CONSULT_REQUEST)(_asking(_RESUBMIT))
routes.post(
    "/consults/{uid}/resubmit", Action.CONSULT_REQUEST, on_invalid=_asking_again(_RESUBMIT)
)(_doing(_RESUBMIT))
