"""Pages of the minutes: writing, signing, deciding, adding, printing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from aiohttp import web
from pydantic import ConfigDict, Field

from telemed.accounts.permissions import Action, Actor
from telemed.accounts.signing import prove
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.core.records import SignedRecord
from telemed.keys import DATABASE, WORK, signed_in
from telemed.sessions import minutes
from telemed.sessions.minutes import CasePapers
from telemed.sessions.minutes_form import (
    LONGEST_CONCLUSION,
    LONGEST_DISSENT,
    LONGEST_TEXT,
    MOST_QUESTIONS,
    conclusion_field,
)
from telemed.web.parsing import (
    LONGEST_SECRET,
    Body,
    Secret,
    read_body,
    read_form,
    read_json,
)
from telemed.web.rendering import (
    add_notices,
    invalid_page,
    json_answer,
    page,
    see_other,
)
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"minutes_signed": N_("Đã ký biên bản")})
add_notices({"decision_signed": N_("Đã ký quyết định của trạm. Ca kết thúc.")})
add_notices({"addendum_signed": N_("Đã ký bản bổ sung")})
add_notices({"minutes_saved": N_("Máy chủ đã nhận biên bản nháp")})

Code = Annotated[str, Field(max_length=10)]


class Typed(Body):
    """The minutes as they stand in the form; spaces are part of what was typed."""

    model_config = ConfigDict(str_strip_whitespace=False)

    findings: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    advice: Annotated[str, Field(max_length=LONGEST_TEXT)] = ""
    dissent: Annotated[str, Field(max_length=LONGEST_DISSENT)] = ""
    referral: Annotated[str, Field(max_length=20)] = ""
    follow_up_on: Annotated[str, Field(max_length=20)] = ""
    conclusion_1: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_2: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_3: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_4: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_5: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_6: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_7: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_8: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_9: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""
    conclusion_10: Annotated[str, Field(max_length=LONGEST_CONCLUSION)] = ""


assert conclusion_field(MOST_QUESTIONS) in Typed.model_fields


class DraftBody(Body):
    """An autosave: what is typed, over which revision."""

    revision: Annotated[int, Field(ge=0)]
    values: Typed


class SignForm(Typed):
    """The minutes and who signs them; `act` is `save` for keeping them without signing."""

    revision: Annotated[int, Field(ge=0)] = 0
    act: Annotated[str, Field(max_length=10)] = "sign"
    password: Annotated[str, Field(max_length=LONGEST_SECRET)] = ""
    code: Code = ""


class Verdict(StrEnum):
    """What the station does with the advice."""

    ACCEPTED = "accepted"
    MODIFIED = "modified"
    DECLINED = "declined"


class DecisionForm(Body):
    """The station's decision, signed."""

    verdict: Verdict
    reason: Annotated[str, Field(max_length=2000)] = ""
    password: Secret
    code: Code = ""


class AddendumForm(Body):
    """An addition to signed minutes, signed."""

    text: Annotated[str, Field(min_length=1, max_length=minutes.LONGEST_ADDENDUM)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    password: Secret
    code: Code = ""


def _uid(request: web.Request) -> str:
    return request.match_info["uid"]


def _typed(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(values[name]) for name in Typed.model_fields if values.get(name)}


async def _papers(request: web.Request) -> CasePapers:
    return await minutes.open_papers(request[WORK], signed_in(request), _uid(request))


def _context(papers: CasePapers, values: Values | None = None) -> dict[str, Any]:
    kept = papers.draft.content if papers.draft else {}
    return {
        "papers": papers,
        "consult": papers.consult,
        "patient": papers.patient,
        "values": kept if values is None else values,
        "revision": papers.draft.revision if papers.draft else 0,
    }


@routes.get("/consults/{uid}/minutes", Action.MINUTES_READ)
async def show(request: web.Request) -> web.Response:
    """The minutes: to be written, to be decided on, or as they were signed."""
    return page(request, "minutes/show.html", errors={}, **_context(await _papers(request)))


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = _context(await _papers(request), values)
    return invalid_page(request, "minutes/show.html", error, **context)


@routes.post("/consults/{uid}/minutes/draft", Action.MINUTES_WRITE)
async def save_draft(request: web.Request) -> web.Response:
    """Keep what is typed; answers the revision, or 409 with what the server has instead."""
    body = await read_json(request, DraftBody)
    work, actor = request[WORK], signed_in(request)
    typed = _typed(body.values.model_dump())
    try:
        record = await minutes.save_draft(work, actor, _uid(request), typed, revision=body.revision)
    except Conflict as conflict:
        await work.rollback()
        newer = await minutes.find_draft(work, actor, _uid(request))
        answer = _conflict(conflict, newer)
        # A refusal is rolled back, but whoever is shown the newer text stays on record.
        await work.commit()
        return answer
    return json_answer({"revision": record.revision})


def _conflict(conflict: Conflict, newer: SignedRecord | None) -> web.Response:
    current = {"revision": newer.revision, "values": newer.content} if newer else None
    return json_answer({"code": conflict.code, "current": current}, status=409)


@routes.post("/consults/{uid}/minutes/sign", Action.MINUTES_SIGN, on_invalid=_again)
async def sign(request: web.Request) -> web.Response:
    """Sign the minutes, or keep them without scripts."""
    form = await read_form(request, SignForm)
    work, actor, uid = request[WORK], signed_in(request), _uid(request)
    typed = _typed(form.model_dump())
    if form.act == "save":
        await _save(work, actor, uid, typed, form.revision)
        return see_other(request, f"/consults/{uid}/minutes", notice="minutes_saved")
    # Before a code is spent, and before the transaction that signs begins.
    async with request.app[DATABASE].read() as reading:
        await minutes.check_complete(reading, actor, uid, typed)
    method = await prove(request, form.password, form.code)
    await minutes.sign(work, actor, uid, typed, method)
    return see_other(request, f"/consults/{uid}", notice="minutes_signed")


async def _save(
    work: UnitOfWork, actor: Actor, uid: str, typed: Mapping[str, str], revision: int
) -> None:
    """Without scripts: what was typed is shown again beside the word that another is newer."""
    try:
        await minutes.save_draft(work, actor, uid, typed, revision=revision)
    except Conflict as conflict:
        if conflict.code != "draft_changed":
            raise
        text = N_("Bản nháp vừa được lưu ở nơi khác. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid(conflict.code, text, field="revision") from conflict


@routes.post("/consults/{uid}/minutes/decision", Action.DECISION_SIGN, on_invalid=_again)
async def decide(request: web.Request) -> web.Response:
    """Sign the station's decision."""
    form = await read_body(request, DecisionForm)
    actor, uid = signed_in(request), _uid(request)
    said = {"verdict": form.verdict.value, "reason": form.reason}
    async with request.app[DATABASE].read() as reading:
        await minutes.check_decision(reading, actor, uid, **said)
    method = await prove(request, form.password, form.code)
    await minutes.decide(request[WORK], actor, uid, method=method, **said)
    return see_other(request, f"/consults/{uid}", notice="decision_signed")


@routes.post("/consults/{uid}/minutes/addenda", Action.MINUTES_READ, on_invalid=_again)
async def add_addendum(request: web.Request) -> web.Response:
    """Sign an addition."""
    form = await read_body(request, AddendumForm)
    work, actor, uid = request[WORK], signed_in(request), _uid(request)
    method = await prove(request, form.password, form.code)
    await minutes.add_addendum(work, actor, uid, text=form.text, reason=form.reason, method=method)
    return see_other(request, f"/consults/{uid}/minutes", notice="addendum_signed")


def panel_context(papers: CasePapers) -> dict[str, Any]:
    """What `minutes/panel.html` needs beside a video."""
    return _context(papers) | {"errors": {}}
