"""The form of a request: begun from a patient, kept as it is typed, sent when it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, create_model

from telemed.accounts.permissions import Action
from telemed.consults import icd
from telemed.consults.clocks import in_minutes, response_limits
from telemed.consults.lifecycle import ConsultState
from telemed.consults.request import page as request_page
from telemed.consults.request import service as request
from telemed.consults.request.fields import (
    FIELDS,
    LABELS,
    PURPOSES,
    QUESTION_LIST,
    QUESTIONS,
    bounded_fields,
    from_values,
    to_values,
    with_icd_choice,
    with_question,
)
from telemed.consults.request.page import RequestPage
from telemed.consults.request.service import DraftConflict
from telemed.consults.triage.danger_signs import LABELS as SIGN_LABELS
from telemed.consults.triage.danger_signs import level_of
from telemed.consults.vitals.note import tell
from telemed.core.errors import N_, Conflict, Invalid, TooLarge
from telemed.imaging.service import list_files
from telemed.keys import DATABASE, RENDERER, WORK, signed_in
from telemed.patients.consent_texts import CURRENT
from telemed.patients.languages import LANGUAGES
from telemed.patients.service import get_patient
from telemed.scheduling.duty.board import open_board
from telemed.sessions.link import service as links
from telemed.sessions.link.words import words_of
from telemed.web.parsing import Body, read_form, read_json, read_query
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
        "draft_kept": N_("Đã lưu phiếu. Mở lại ở trang đầu lúc nào cũng được."),
        "request_sent": N_("Máy chủ đã nhận yêu cầu"),
    }
)
_FORM = "consults/request.html"
_LONGEST_SEARCH = 100
_BODY_LIMIT = 512 * 1024


class NewQuery(Body):
    """For whom a request is to be written."""

    patient: Annotated[str, Field(max_length=22)] = ""


class NewForm(Body):
    """The same, on its way."""

    patient: Annotated[str, Field(max_length=22)]


class RequestQuery(Body):
    """What was looked for among the codes, where there are no scripts."""

    icd: Annotated[str, Field(max_length=_LONGEST_SEARCH)] = ""


class IcdQuery(Body):
    """What is looked for among the codes."""

    q: Annotated[str, Field(max_length=_LONGEST_SEARCH)] = ""


class SavedDraft(BaseModel):
    """What a script has to keep: everything that was typed, and over which revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Annotated[int, Field(ge=0, le=2**31 - 1)]
    values: dict[str, str | list[str]]


class _TypedForm(BaseModel):
    """A form keeps what was typed to the letter, so nothing is trimmed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    act: Literal["save", "later", "add_question", "find_icd", "files"] = "save"
    question: list[str] = []


_ONE_BY_ONE: dict[str, Any] = {name: (str, "") for name in FIELDS if name not in QUESTIONS}
TypedForm = create_model("TypedForm", __base__=_TypedForm, **_ONE_BY_ONE)


@routes.get("/consults/new", Action.CONSULT_REQUEST)
async def new(req: web.Request) -> web.StreamResponse:
    """For whom; what was begun for this patient can be taken up."""
    work, actor = req[WORK], signed_in(req)
    query = read_query(req, NewQuery)
    if not query.patient:
        return see_other(req, "/patients")
    patient = await get_patient(work, actor, query.patient)
    drafts = await request.list_drafts(work, actor, patient_id=patient.id)
    return page(req, "consults/request_new.html", patient=patient, drafts=drafts)


@routes.post("/consults/new", Action.CONSULT_REQUEST)
async def create(req: web.Request) -> web.StreamResponse:
    """Begin a request."""
    form = await read_form(req, NewForm)
    consult = await request.create_draft(req[WORK], signed_in(req), form.patient)
    return see_other(req, f"/consults/{consult.uid}/request")


@routes.get("/consults/{uid}/request", Action.CONSULT_REQUEST)
async def show(req: web.Request) -> web.StreamResponse:
    """The form as it was left; once it was sent, the case."""
    uid = _uid(req)
    query = read_query(req, RequestQuery)
    form = await request_page.open_page(req[WORK], signed_in(req), uid, searched=query.icd or None)
    if form.consult.state is not ConsultState.DRAFT:
        return see_other(req, f"/consults/{uid}")
    return page(req, _FORM, errors={}, **await _context(req, form, searched=query.icd))


async def _kept_again(req: web.Request, error: Invalid, values: Values) -> web.StreamResponse:
    return await _form_again(req, error, values, is_sent=False)


@routes.post(
    "/consults/{uid}/draft",
    Action.CONSULT_REQUEST,
    on_invalid=_kept_again,
    body_limit=_BODY_LIMIT,
)
async def save(req: web.Request) -> web.StreamResponse:
    """Keep what was typed: a script asks for no more, a form goes on to what its button says."""
    if req.content_type == "application/json":
        return await _autosave(req)
    form = await read_form(req, TypedForm)
    fields = with_icd_choice(_fields_of(form))
    if form.act == "add_question":
        fields = with_question(fields)
    try:
        await request.save_draft(req[WORK], signed_in(req), _uid(req), form.revision, fields)
    except DraftConflict as conflict:
        return await _conflict_page(req, conflict, fields)
    return _go_on(req, form.act, fields)


async def _autosave(req: web.Request) -> web.StreamResponse:
    body = await read_json(req, SavedDraft)
    work, actor = req[WORK], signed_in(req)
    fields = from_values(body.values)
    try:
        draft = await request.save_draft(work, actor, _uid(req), body.revision, fields)
    except DraftConflict as conflict:
        return await _conflict_answer(req, conflict)
    review = await request_page.review_draft(work, draft)
    note = tell(review.assessment, review.urgency, saying(req))
    return json_answer(
        {
            "revision": draft.revision,
            "sections": [{"id": s.id, "state": s.state.value} for s in review.sections],
            "triage": asdict(note) if note else None,
        }
    )


async def _sent_again(req: web.Request, error: Invalid, values: Values) -> web.StreamResponse:
    return await _form_again(req, error, values, is_sent=True)


@routes.post(
    "/consults/{uid}/submit",
    Action.CONSULT_REQUEST,
    on_invalid=_sent_again,
    body_limit=_BODY_LIMIT,
)
async def submit(req: web.Request) -> web.StreamResponse:
    """Send the request; what is wrong is said, and what was typed stays."""
    form = await read_form(req, TypedForm)
    fields = with_icd_choice(_fields_of(form))
    try:
        await request.submit(req[WORK], signed_in(req), _uid(req), form.revision, fields)
    except DraftConflict as conflict:
        return await _conflict_page(req, conflict, fields)
    return see_other(req, f"/consults/{_uid(req)}", notice="request_sent")


@routes.get("/consults/{uid}/request/files", Action.FILE_WRITE)
async def files(req: web.Request) -> web.StreamResponse:
    """Pictures and files on a page of their own, where there are no scripts."""
    work, actor = req[WORK], signed_in(req)
    form = await request_page.open_page(work, actor, _uid(req))
    found = await list_files(work, actor, form.consult)
    return page(
        req,
        "consults/request_files.html",
        consult=form.consult,
        patient=form.patient,
        files=found,
        may_attach=True,
        attach_back="request",
    )


@routes.get("/icd", Action.CONSULT_READ)
async def find_codes(req: web.Request) -> web.StreamResponse:
    """Codes whose title or beginning matches, with the list that they are from."""
    query = read_query(req, IcdQuery)
    async with req.app[DATABASE].read() as work:
        return json_answer(await icd.search(work, query.q))


def _uid(req: web.Request) -> str:
    return req.match_info["uid"]


def _fields_of(form: _TypedForm) -> dict[str, str]:
    typed = form.model_dump(exclude={"revision", "act"})
    return bounded_fields(from_values(typed))


def _go_on(req: web.Request, act: str, fields: Mapping[str, str]) -> web.StreamResponse:
    here = req.rel_url.with_path(f"/consults/{_uid(req)}/request")
    match act:
        case "later":
            return see_other(req, "/home", notice="draft_kept")
        case "files":
            return see_other(req, f"{here.path}/files")
        case "find_icd":
            searched = fields.get("icd", "")[:_LONGEST_SEARCH]
            return see_other(req, str(here.with_query(icd=searched).with_fragment("f-icd")))
        case "add_question":
            last = max(name for name in QUESTIONS if name in fields)
            return see_other(req, str(here.with_fragment(f"f-{last}")))
    return see_other(req, here.path)


async def _form_again(
    req: web.Request, error: Invalid, values: Values, *, is_sent: bool
) -> web.StreamResponse:
    """What was typed is kept before it is judged, as far as it can be."""
    work, actor, uid = req[WORK], signed_in(req), _uid(req)
    fields = with_icd_choice(_readable(values))
    conflict: Conflict | TooLarge | None = None
    try:
        await request.save_draft(work, actor, uid, _revision(values), fields)
    except (Conflict, TooLarge) as refusal:
        conflict = refusal
    form = await request_page.reopen_page(work, actor, uid, fields, is_sent=is_sent)
    return invalid_page(req, _FORM, error, **await _context(req, form, conflict=conflict))


def _readable(values: Values) -> dict[str, str]:
    """What of a refused body belongs into the form; the refusal itself says what does not."""
    known = {name: values[name] for name in (*FIELDS, QUESTION_LIST) if name in values}
    fields = from_values({n: v for n, v in known.items() if isinstance(v, (str, list))})
    return {name: text for name, text in fields.items() if name in FIELDS}


def _revision(values: Values) -> int:
    given = str(values.get("revision", ""))
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else -1


async def _conflict_page(
    req: web.Request, conflict: DraftConflict, fields: Mapping[str, str]
) -> web.StreamResponse:
    """Both texts on one page: what was typed in the form, what is kept beside it."""
    work, actor = req[WORK], signed_in(req)
    if wants_json(req):
        return await _conflict_answer(req, conflict)
    await work.rollback()
    form = await request_page.reopen_page(work, actor, _uid(req), fields, is_sent=False)
    answer = page(req, _FORM, errors={}, **await _context(req, form, conflict=conflict))
    # A refusal is rolled back, but whoever read this page stays on record.
    await work.commit()
    answer.set_status(HTTPStatus.CONFLICT)
    return answer


async def _conflict_answer(req: web.Request, conflict: DraftConflict) -> web.StreamResponse:
    work, draft = req[WORK], conflict.draft
    body = {
        "code": conflict.code,
        "message": req.app[RENDERER].text(req, conflict.message),
        "current": {"revision": draft.revision, "values": to_values(draft.fields)},
    }
    await work.rollback()
    await request.note_read(work, signed_in(req), _uid(req))
    await work.commit()
    return json_answer(body, status=HTTPStatus.CONFLICT)


async def _context(
    req: web.Request,
    form: RequestPage,
    *,
    searched: str = "",
    conflict: Conflict | TooLarge | None = None,
) -> dict[str, Any]:
    text = req.app[RENDERER].text
    link = await links.find_profile(req[WORK], form.consult.station_id)
    return {
        "form": form,
        "triage": tell(form.assessment, form.urgency, saying(req)),
        "sign_labels": SIGN_LABELS,
        "level_of": level_of,
        "link": words_of(link) if link else None,
        "consult": form.consult,
        "labels": LABELS,
        "purposes": [(name, CURRENT[purpose]) for name, purpose in PURPOSES.items()],
        "languages": [(code, text(req, words)) for code, words in LANGUAGES.items()],
        "desks": {desk.specialty.code: desk for desk in (await open_board(req[WORK])).desks},
        "limits": in_minutes(await response_limits(req[WORK])),
        "files": await list_files(req[WORK], signed_in(req), form.consult),
        "searched": searched,
        "conflict": conflict,
    }
