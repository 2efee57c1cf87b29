"""Pages of entrustment: the matrix, a person's techniques, deciding, withdrawing."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.accounts.signing import SignForm, prove
from telemed.core.errors import N_, Invalid
from telemed.core.text import fold
from telemed.facilities.service import list_stations
from telemed.keys import WORK, signed_in
from telemed.training.entrustment import service
from telemed.training.entrustment.levels import Basis, Entrusted
from telemed.training.entrustment.matrix import MatrixFilter, read_matrix
from telemed.training.entrustment.service import DecisionInput
from telemed.training.repository import OFFICES
from telemed.training.techniques.rules import CHAPTERS
from telemed.web.formats import format_date
from telemed.web.parsing import Body, Day, RowKey, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"entrustment_signed": N_("Đã ký quyết định")})
add_notices({"entrustment_withdrawn": N_("Đã rút quyết định")})
_MOST_WORDS = 8
_DECIDE = "training/entrustment/decide.html"
_SHOW = "training/entrustment/decision.html"

Text = Annotated[str, Field(max_length=2000)]
Uid = Annotated[str, Field(max_length=22)]


class MatrixQuery(Body):
    """What the matrix is narrowed to."""

    q: Annotated[str, Field(max_length=100)] = ""
    station: RowKey | None = None
    chapter: Annotated[int, Field(ge=1, le=28)] | None = None


class BasingQuery(Body):
    """Which technique of a person."""

    technique: Annotated[str, Field(max_length=300)] = ""


class DecisionForm(SignForm):
    """A decision, signed."""

    technique: Annotated[str, Field(min_length=1, max_length=300)]
    level: Entrusted
    basis: Basis
    limits: Text = ""
    reason: Text = ""
    expires_on: Day
    evidence: list[Uid] = Field(default_factory=list, max_length=500)


class WithdrawForm(SignForm):
    """Why a decision is withdrawn, signed."""

    reason: Text = ""


@routes.get("/training/matrix", Action.ENTRUSTMENT_READ)
async def show_matrix(request: web.Request) -> web.Response:
    """Who may do what, where."""
    query = read_query(request, MatrixQuery)
    work, actor = request[WORK], signed_in(request)
    words = tuple(fold(query.q).split()[:_MOST_WORDS])
    wanted = MatrixFilter(query.station, query.chapter, words)
    is_office = actor.has(*OFFICES)
    return page(
        request,
        "training/entrustment/matrix.html",
        matrix=await read_matrix(work, actor, wanted),
        query=query,
        is_narrowed=bool(query.q or query.station or query.chapter),
        stations=[(each.id, each.name) for each in await list_stations(work)] if is_office else [],
        chapters=CHAPTERS,
    )


@routes.get("/training/people/{uid}", Action.ENTRUSTMENT_READ)
async def show_person(request: web.Request) -> web.Response:
    """Somebody's techniques: cases, and decisions of both kinds, never summed up."""
    uid = request.match_info["uid"]
    sheet = await service.open_sheet(request[WORK], signed_in(request), uid)
    return page(request, "training/entrustment/person.html", sheet=sheet)


async def _basing(request: web.Request, key: str) -> dict[str, Any]:
    uid = request.match_info["uid"]
    return {
        "basing": await service.open_basing(request[WORK], signed_in(request), uid, key),
        "key": key,
    }


@routes.get("/training/people/{uid}/decide", Action.ENTRUSTMENT_WRITE)
async def new(request: web.Request) -> web.Response:
    """A decision to be made; every confirmed case is chosen as evidence."""
    query = read_query(request, BasingQuery)
    context = await _basing(request, query.technique)
    today = service.today_of(request[WORK])
    values = {
        "basis": Basis.SUMMATIVE.value,
        "evidence": [row.uid for row in context["basing"].rows],
        "expires_on": format_date(today.replace(year=today.year + 1, day=min(today.day, 28))),
    }
    return page(request, _DECIDE, errors={}, values=values, **context)


async def _decide_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _basing(request, str(values.get("technique", "")))
    return invalid_page(request, _DECIDE, error, values=values, **context)


@routes.post("/training/people/{uid}/decide", Action.ENTRUSTMENT_WRITE, on_invalid=_decide_again)
async def decide(request: web.Request) -> web.Response:
    """Sign the decision."""
    form = await read_form(request, DecisionForm)
    work, actor = request[WORK], signed_in(request)
    given = DecisionInput(
        person_uid=request.match_info["uid"],
        technique_key=form.technique,
        level=form.level,
        basis=form.basis,
        limits=form.limits,
        reason=form.reason,
        expires_on=form.expires_on,
        evidence=form.evidence,
    )
    await service.check(work, actor, given)
    method = await prove(request, form.password, form.code)
    made = await service.decide(work, actor, given, method)
    return see_other(request, f"/training/entrustments/{made.uid}", notice="entrustment_signed")


async def _open(request: web.Request) -> dict[str, Any]:
    uid = request.match_info["uid"]
    return {"opened": await service.open_decision(request[WORK], signed_in(request), uid)}


@routes.get("/training/entrustments/{uid}", Action.ENTRUSTMENT_READ)
async def show(request: web.Request) -> web.Response:
    """One decision."""
    return page(request, _SHOW, errors={}, values={}, **await _open(request))


async def _show_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _SHOW, error, values=values, **await _open(request))


@routes.post(
    "/training/entrustments/{uid}/withdraw", Action.ENTRUSTMENT_WRITE, on_invalid=_show_again
)
async def withdraw(request: web.Request) -> web.Response:
    """Sign that the decision does not hold any more."""
    form = await read_form(request, WithdrawForm)
    uid = request.match_info["uid"]
    method = await prove(request, form.password, form.code)
    await service.withdraw(request[WORK], signed_in(request), uid, form.reason, method)
    return see_other(request, f"/training/entrustments/{uid}", notice="entrustment_withdrawn")
