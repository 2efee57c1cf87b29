"""Pages of what became of patients: the open loops, one case's, feedback, and how content people were."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Role
from telemed.consults.outcomes import satisfaction, service
from telemed.consults.outcomes.models import Asked
from telemed.consults.outcomes.rules import LONGEST_NOTE, PatientStatus, TransferResult
from telemed.consults.service import get_case
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.web.formats import local
from telemed.web.parsing import Body, Day, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "outcome_recorded": N_("Đã ghi kết quả. Bác sĩ chuyên khoa được báo."),
        "mark_given": N_("Đã ghi. Cảm ơn bạn."),
    }
)
STATUS_NAMES: Mapping[PatientStatus, str] = {
    PatientStatus.RECOVERED: N_("Khỏi"),
    PatientStatus.IMPROVED: N_("Đỡ"),
    PatientStatus.UNCHANGED: N_("Không đổi"),
    PatientStatus.WORSE: N_("Nặng hơn"),
    PatientStatus.TRANSFERRED: N_("Đã chuyển viện"),
    PatientStatus.DIED: N_("Tử vong"),
    PatientStatus.LOST: N_("Mất liên lạc"),
}
TRANSFER_NAMES: Mapping[TransferResult, str] = {
    TransferResult.NOT_NEEDED: N_("Không đặt ra"),
    TransferResult.AVOIDED: N_("Nhờ hội chẩn nên không phải chuyển"),
    TransferResult.MADE: N_("Đã chuyển"),
}
_CASE = "outcomes/case.html"
_ASK = "outcomes/satisfaction.html"
Mark = Annotated[int, Field(ge=satisfaction.MARKS.start, le=satisfaction.MARKS.stop - 1)]


class Tab(StrEnum):
    """What is looked at."""

    OPEN = "open"
    FEEDBACK = "feedback"
    SCORES = "scores"


class LoopsQuery(Body):
    """Which tab, and where the page before ended."""

    tab: Tab = Tab.OPEN
    after: Annotated[str, Field(max_length=40)] = ""
    month: Annotated[str, Field(pattern=r"^(20\d\d-(0[1-9]|1[0-2]))?$")] = ""


class OutcomeForm(Body):
    """What became of the patient."""

    status: PatientStatus
    transfer: TransferResult
    observed_on: Day
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] = ""


class PatientMarks(Body):
    """Marks of a patient; whatever was left out stays out."""

    explained: Mark | None = None
    respected: Mark | None = None
    overall: Mark | None = None


class RequesterMarks(Body):
    """Marks of whoever asked for the consult."""

    useful: Mark | None = None
    timely: Mark | None = None
    line: Mark | None = None


def _uid(request: web.Request) -> str:
    return request.match_info["uid"]


@routes.get("/outcomes", Action.OUTCOME_LIST)
async def show(request: web.Request) -> web.Response:
    """What is still open, what specialists learn, how content people were."""
    query = read_query(request, LoopsQuery)
    work, actor = request[WORK], signed_in(request)
    month = query.month or f"{local(work.now()):%Y-%m}"
    is_open, is_scores = query.tab is Tab.OPEN, query.tab is Tab.SCORES
    is_feedback = query.tab is Tab.FEEDBACK
    return page(
        request,
        "outcomes/list.html",
        tab=query.tab.value,
        today=local(work.now()).date(),
        month=month,
        open=await service.list_open(work, actor, after=query.after) if is_open else None,
        is_first=not query.after,
        stations=await service.list_stations(work, actor) if is_open else [],
        feedback=await service.read_feedback(work, actor) if is_feedback else [],
        scores=await satisfaction.list_scores(work, actor, month) if is_scores else [],
        is_specialist=actor.has(Role.SPECIALIST),
        statuses=STATUS_NAMES,
        transfers=TRANSFER_NAMES,
    )


@routes.get("/consults/{uid}/outcome", Action.CONSULT_READ)
async def show_case(request: web.Request) -> web.Response:
    """What is due in a case, what was told, and the form for more."""
    return page(request, _CASE, errors={}, **await _context(request, {}))


async def _context(request: web.Request, typed: Values) -> dict[str, Any]:
    work = request[WORK]
    loop = await service.open_loop(work, signed_in(request), _uid(request))
    today = local(work.now()).date()
    return {
        # Jinja keeps the name `loop` for itself.
        "loop_": loop,
        "consult": loop.consult,
        "patient": loop.patient,
        "today": today,
        "values": typed or {"observed_on": f"{today:%d/%m/%Y}"},
        "statuses": STATUS_NAMES,
        "transfers": TRANSFER_NAMES,
    }


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _CASE, error, **await _context(request, values))


@routes.post("/consults/{uid}/outcome", Action.OUTCOME_WRITE, on_invalid=_again)
async def record(request: web.Request) -> web.Response:
    """Tell what became of the patient."""
    form = await read_body(request, OutcomeForm)
    uid = _uid(request)
    await service.record(
        request[WORK],
        signed_in(request),
        uid,
        status=form.status,
        transfer=form.transfer,
        observed_on=form.observed_on,
        note=form.note,
    )
    return see_other(request, f"/consults/{uid}/outcome", notice="outcome_recorded")


async def _ask_page(request: web.Request, asked: Asked, **more: Any) -> dict[str, Any]:
    work, actor, uid = request[WORK], signed_in(request), _uid(request)
    consult = await get_case(work, actor, uid, Action.OUTCOME_WRITE)
    is_open = await satisfaction.ask(work, actor, uid, asked)
    questions = satisfaction.QUESTIONS[asked]
    return {
        "asked": asked.value,
        "is_open": is_open,
        "questions": questions,
        "uid": consult.uid,
        **more,
    }


@routes.get("/consults/{uid}/satisfaction/{asked:patient|requester}", Action.OUTCOME_WRITE)
async def ask(request: web.Request) -> web.Response:
    """One to three questions; the patient's page says nothing of the case."""
    asked = Asked(request.match_info["asked"])
    return page(request, _ASK, errors={}, values={}, **await _ask_page(request, asked))


async def _asked_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _ask_page(request, Asked(request.match_info["asked"]), values=values)
    return invalid_page(request, _ASK, error, **context)


@routes.post(
    "/consults/{uid}/satisfaction/{asked:patient|requester}",
    Action.OUTCOME_WRITE,
    on_invalid=_asked_again,
)
async def answer(request: web.Request) -> web.Response:
    """Marks of whoever was asked."""
    asked, uid = Asked(request.match_info["asked"]), _uid(request)
    model = PatientMarks if asked is Asked.PATIENT else RequesterMarks
    form = await read_body(request, model)
    marks = {name: mark for name, mark in form.model_dump().items() if mark is not None}
    await satisfaction.answer(request[WORK], signed_in(request), uid, asked, marks)
    done = f"/consults/{uid}/satisfaction/{asked.value}"
    if asked is Asked.REQUESTER:
        done = f"/consults/{uid}/outcome"
    return see_other(request, done, notice="mark_given")
