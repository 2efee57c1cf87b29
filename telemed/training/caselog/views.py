"""Pages of the case log: write a case, confirm cases, and what is reached of a package's targets."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Conflict, Invalid
from telemed.core.i18n import DEFAULT_LOCALE
from telemed.keys import PRINTER, RENDERER, WORK, signed_in
from telemed.training.caselog import service
from telemed.training.caselog.rules import Level, RowEvent
from telemed.training.caselog.service import RowInput
from telemed.training.caselog.summary import Summary, look
from telemed.training.caselog.summary_sheet import make_sheet
from telemed.training.packages.service import list_running
from telemed.web.formats import format_date
from telemed.web.parsing import Body, Day, RowKey, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"case_saved": N_("Máy chủ đã nhận ca, chờ người dạy xác nhận")})
add_notices({"case_removed": N_("Đã bỏ ca")})
add_notices({"cases_confirmed": N_("Đã xác nhận")})
add_notices({"cases_refused": N_("Đã trả lại kèm lý do")})
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class CaseForm(Body):
    """One case as typed."""

    technique_name: Annotated[str, Field(max_length=400)] = ""
    technique_code: Annotated[str, Field(max_length=20)] = ""
    performed_on: Day
    level: Level
    reference: Annotated[str, Field(max_length=100)] = ""
    trainer: RowKey
    package: RowKey | None = None
    icd_code: Annotated[str, Field(max_length=20)] = ""
    note: Annotated[str, Field(max_length=400)] = ""
    revision: Annotated[int, Field(ge=0)] = 0


class DecideForm(Body):
    """Which rows, and what becomes of them."""

    rows: list[Annotated[str, Field(max_length=22)]] = Field(default_factory=list, max_length=200)
    act: RowEvent
    reason: Annotated[str, Field(max_length=400)] = ""


class ListQuery(Body):
    """Where a page begins."""

    before: RowKey | None = None


class SummaryQuery(Body):
    """Which package, and whose cases."""

    package: Annotated[str, Field(max_length=22)] = ""
    trainee: Annotated[str, Field(max_length=22)] = ""


def _given(form: CaseForm) -> RowInput:
    return RowInput(
        technique_name=form.technique_name,
        technique_code=form.technique_code,
        performed_on=form.performed_on,
        level=form.level,
        reference=form.reference,
        trainer_id=form.trainer,
        package_id=form.package,
        icd_code=form.icd_code,
        note=form.note,
    )


async def _lists(request: web.Request, before: int | None = None) -> dict[str, Any]:
    work, actor = request[WORK], signed_in(request)
    rows, older = await service.list_rows(work, actor, before=before)
    waiting, more = await service.list_rows(work, actor, waiting=True)
    return {
        "rows": rows,
        "older": request.rel_url.with_query(before=older) if older else None,
        "waiting": waiting,
        "has_more_waiting": more is not None,
    }


@routes.get("/training/cases", Action.CASELOG_READ)
async def show(request: web.Request) -> web.Response:
    """What waits for me as who taught, and the rows that concern me."""
    query = read_query(request, ListQuery)
    context = await _lists(request, query.before)
    return page(request, "training/cases/list.html", values={}, errors={}, **context)


async def _list_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _lists(request)
    return invalid_page(request, "training/cases/list.html", error, values=values, **context)


@routes.post("/training/cases/decide", Action.CASELOG_CONFIRM, on_invalid=_list_again)
async def decide(request: web.Request) -> web.Response:
    """Confirm or refuse rows."""
    form = await read_form(request, DecideForm)
    if form.act not in {RowEvent.CONFIRM, RowEvent.REFUSE}:
        raise Invalid("act_unknown", N_("Chọn một trong các giá trị có sẵn"), field="act")
    await service.decide(request[WORK], signed_in(request), form.rows, form.act, form.reason)
    done = "cases_confirmed" if form.act is RowEvent.CONFIRM else "cases_refused"
    return see_other(request, "/training/cases", notice=done)


async def _choices(request: web.Request) -> dict[str, Any]:
    work, actor = request[WORK], signed_in(request)
    today = work.now().date()
    packages = await list_running(work, actor.facility_id or 0, today)
    trainers = await service.list_trainers(work, actor)
    return {
        "trainers": [(each.id, f"{each.title} {each.full_name}".strip()) for each in trainers],
        "packages": [(package.id, package.title) for package in packages],
        "uid": request.match_info.get("uid"),
    }


async def _form_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    uid, revision = request.match_info.get("uid"), 0
    if uid:
        revision = (await service.get_own(request[WORK], signed_in(request), uid)).revision
    context = {"values": values, "revision": revision, **await _choices(request)}
    return invalid_page(request, "training/cases/form.html", error, **context)


@routes.get("/training/cases/new", Action.CASELOG_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty row; who taught last is chosen already."""
    work, actor = request[WORK], signed_in(request)
    values = {
        "performed_on": format_date(work.now()),
        "trainer": await service.last_trainer(work, actor),
    }
    context = {"values": values, "errors": {}, "revision": 0, **await _choices(request)}
    return page(request, "training/cases/form.html", **context)


@routes.post("/training/cases/new", Action.CASELOG_WRITE, on_invalid=_form_again)
async def create(request: web.Request) -> web.Response:
    """Keep a new row."""
    form = await read_form(request, CaseForm)
    await service.write(request[WORK], signed_in(request), _given(form))
    return see_other(request, "/training/cases", notice="case_saved")


@routes.get("/training/cases/{uid}/edit", Action.CASELOG_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A row that is not confirmed."""
    row = await service.get_own(request[WORK], signed_in(request), request.match_info["uid"])
    values = row.model_dump(include=set(CaseForm.model_fields)) | {
        "performed_on": format_date(row.performed_on),
        "level": row.level.value,
        "trainer": row.trainer_id,
        "package": row.package_id,
    }
    context: dict[str, Any] = {"values": values, "errors": {}, "revision": row.revision}
    context |= await _choices(request)
    return page(request, "training/cases/form.html", **context)


@routes.post("/training/cases/{uid}/edit", Action.CASELOG_WRITE, on_invalid=_form_again)
async def change(request: web.Request) -> web.Response:
    """Keep what was changed."""
    form = await read_form(request, CaseForm)
    await service.change(
        request[WORK],
        signed_in(request),
        request.match_info["uid"],
        _given(form),
        revision=form.revision,
    )
    return see_other(request, "/training/cases", notice="case_saved")


@routes.post("/training/cases/{uid}/remove", Action.CASELOG_WRITE)
async def remove(request: web.Request) -> web.Response:
    """It was a mistake."""
    await service.remove(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, "/training/cases", notice="case_removed")


@routes.get("/training/cases/summary", Action.CASELOG_READ)
async def summary(request: web.Request) -> web.Response:
    """What is reached of a package's targets."""
    query = read_query(request, SummaryQuery)
    choice = await look(request[WORK], signed_in(request), query.package, query.trainee)
    return page(request, "training/cases/summary.html", choice=choice, query=query)


async def _chosen(request: web.Request) -> Summary:
    query = read_query(request, SummaryQuery)
    choice = await look(request[WORK], signed_in(request), query.package, query.trainee)
    if choice.summary is None:
        raise Conflict("nothing_chosen", N_("Chọn gói và người học"))
    return choice.summary


@routes.get("/training/cases/summary.xlsx", Action.CASELOG_READ)
async def summary_sheet(request: web.Request) -> web.Response:
    """The same as a spreadsheet."""
    body = await asyncio.to_thread(make_sheet, await _chosen(request))
    headers = {"Content-Disposition": 'attachment; filename="chi-tieu-thuc-hanh.xlsx"'}
    return web.Response(body=body, content_type=XLSX, headers=headers)


@routes.get("/training/cases/summary.pdf", Action.CASELOG_READ)
async def summary_paper(request: web.Request) -> web.Response:
    """The same as a paper, to be signed by hand."""
    context = {"summary": await _chosen(request), "at": request[WORK].now()}
    html = request.app[RENDERER].html(
        request, "training/cases/paper.html", context, locale=DEFAULT_LOCALE
    )
    body = await request.app[PRINTER].make(html)
    headers = {"Content-Disposition": 'inline; filename="chi-tieu-thuc-hanh.pdf"'}
    return web.Response(body=body, content_type="application/pdf", headers=headers)
