"""Pages of acceptance and of the re-checks after it."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.accounts.signing import SignForm, prove
from telemed.core.errors import N_, Invalid
from telemed.facilities.service import list_stations
from telemed.keys import WORK, signed_in
from telemed.training.entrustment import acceptance, rechecks
from telemed.training.entrustment.acceptance import AcceptanceInput
from telemed.training.entrustment.levels import Verdict
from telemed.training.entrustment.rechecks import AnswerInput
from telemed.training.entrustment.service import today_of
from telemed.training.packages.service import list_running
from telemed.training.repository import OFFICES
from telemed.web.parsing import Body, Day, RowKey, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"acceptance_signed": N_("Đã ký nghiệm thu")})
add_notices({"acceptance_approved": N_("Đã ghi quyết định phê duyệt")})
add_notices({"recheck_answered": N_("Máy chủ đã nhận trả lời")})
_LIST = "/training/acceptances"
_FORM = "training/entrustment/accept.html"
_SHOW = "training/entrustment/acceptance.html"

Text = Annotated[str, Field(max_length=2000)]


class ListQuery(Body):
    """What the list is narrowed to."""

    station: RowKey | None = None
    before: RowKey | None = None


class BasingQuery(Body):
    """Which technique at which station."""

    station: RowKey | None = None
    technique: Annotated[str, Field(max_length=300)] = ""


class AcceptanceForm(SignForm):
    """An acceptance, signed."""

    station: RowKey
    technique: Annotated[str, Field(min_length=1, max_length=300)]
    verdict: Verdict
    findings: Text = ""
    conditions: Text = ""
    package: RowKey | None = None


class ApprovalForm(Body):
    """The decision of approval."""

    number: Annotated[str, Field(max_length=200)] = ""
    approved_on: Day


class AnswerForm(Body):
    """The answer of a station."""

    recheck: Annotated[str, Field(max_length=22)]
    is_still_done: bool
    times: Annotated[int, Field(ge=-1, le=1_000_000)] = 0
    result: Text = ""
    reason: Text = ""


@routes.get(_LIST, Action.ENTRUSTMENT_READ)
async def show_list(request: web.Request) -> web.Response:
    """Acceptances, newest first."""
    query = read_query(request, ListQuery)
    work, actor = request[WORK], signed_in(request)
    rows, older = await acceptance.list_acceptances(
        work, actor, station_id=query.station, before=query.before
    )
    is_office = actor.has(*OFFICES)
    return page(
        request,
        "training/entrustment/acceptances.html",
        rows=rows,
        older=request.rel_url.update_query(before=older) if older else None,
        query=query,
        stations=[(each.id, each.name) for each in await list_stations(work)] if is_office else [],
        today=today_of(work),
    )


async def _context(request: web.Request, station_id: int | None, key: str) -> dict[str, Any]:
    work, actor = request[WORK], signed_in(request)
    context: dict[str, Any] = {
        "stations": [(each.id, each.name) for each in await list_stations(work)],
        "station_id": station_id,
        "techniques": [],
        "key": key,
        "basing": None,
        "packages": [],
    }
    if station_id is None:
        return context
    context["techniques"] = await acceptance.list_choices(work, actor, station_id)
    running = await list_running(work, station_id, today_of(work))
    context["packages"] = [(each.id, f"{each.number} – {each.title}") for each in running]
    if key:
        context["basing"] = await acceptance.open_basing(work, actor, station_id, key)
    return context


@routes.get("/training/acceptances/new", Action.ACCEPTANCE_WRITE)
async def new(request: web.Request) -> web.Response:
    """Which technique where; then what is known of it, and the verdict."""
    query = read_query(request, BasingQuery)
    context = await _context(request, query.station, query.technique)
    return page(request, _FORM, errors={}, values={}, **context)


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    query = read_query(request, BasingQuery)
    context = await _context(request, query.station, query.technique)
    return invalid_page(request, _FORM, error, values=values, **context)


@routes.post("/training/acceptances/new", Action.ACCEPTANCE_WRITE, on_invalid=_again)
async def create(request: web.Request) -> web.Response:
    """Sign the acceptance."""
    form = await read_form(request, AcceptanceForm)
    work, actor = request[WORK], signed_in(request)
    given = AcceptanceInput(
        station_id=form.station,
        technique_key=form.technique,
        verdict=form.verdict,
        findings=form.findings,
        conditions=form.conditions,
        package_id=form.package,
    )
    await acceptance.check(work, actor, given)
    method = await prove(request, form.password, form.code)
    made = await acceptance.accept(work, actor, given, method)
    return see_other(request, f"{_LIST}/{made.uid}", notice="acceptance_signed")


async def _open(request: web.Request) -> dict[str, Any]:
    work, actor, uid = request[WORK], signed_in(request), request.match_info["uid"]
    opened = await acceptance.open_acceptance(work, actor, uid)
    return {"opened": opened, "made": opened.row.acceptance, "today": today_of(work)}


@routes.get("/training/acceptances/{uid}", Action.ENTRUSTMENT_READ)
async def show(request: web.Request) -> web.Response:
    """One acceptance, and what was answered since."""
    return page(request, _SHOW, errors={}, values={}, **await _open(request))


async def _show_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _SHOW, error, values=values, **await _open(request))


@routes.post(
    "/training/acceptances/{uid}/approval", Action.ACCEPTANCE_APPROVE, on_invalid=_show_again
)
async def approve(request: web.Request) -> web.Response:
    """Write down the decision of approval."""
    form = await read_form(request, ApprovalForm)
    uid = request.match_info["uid"]
    await acceptance.approve(request[WORK], signed_in(request), uid, form.number, form.approved_on)
    return see_other(request, f"{_LIST}/{uid}", notice="acceptance_approved")


@routes.post("/training/acceptances/{uid}/answer", Action.RECHECK_WRITE, on_invalid=_show_again)
async def answer(request: web.Request) -> web.Response:
    """The station says whether it is still done."""
    form = await read_form(request, AnswerForm)
    given = AnswerInput(form.is_still_done, form.times, form.result, form.reason)
    made = await rechecks.answer(request[WORK], signed_in(request), form.recheck, given)
    return see_other(request, f"{_LIST}/{made.uid}", notice="recheck_answered")
