"""Pages of transfer packages: register, form, one package, its print."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, may
from telemed.core.errors import N_, Conflict, Invalid
from telemed.facilities.service import list_stations
from telemed.keys import RENDERER, WORK, signed_in
from telemed.training.packages import service
from telemed.training.packages.rules import LEVELS, MOST_TECHNIQUES, PackageState, TypedTechnique
from telemed.training.packages.service import PackageInput, PackageRow
from telemed.web.formats import format_date, local
from telemed.web.parsing import (
    Body,
    Day,
    form_fields,
    read_form,
    read_query,
    refuse_unwritable,
    typed_values,
)
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "package_saved": N_("Đã lưu gói chuyển giao"),
        "package_ended": N_("Đã ghi chấm dứt gói"),
    }
)
STATE_NAMES: Mapping[PackageState, str] = {
    PackageState.RUNNING: N_("Đang chạy"),
    PackageState.TO_COME: N_("Chưa bắt đầu"),
    PackageState.OVER: N_("Đã hết"),
}
_LIST = "/training/packages"
_FORM = "packages/form.html"
_ONE = "packages/show.html"
_FEWEST_ROWS, _MORE_ROWS = 5, 5
_MOST_ROWS = MOST_TECHNIQUES + 10
_COLUMNS = ("code", "name", *LEVELS)
Text = Annotated[str, Field(max_length=2000)]
LongText = Annotated[str, Field(max_length=40_000)]
Column = Annotated[list[Text], Field(max_length=_MOST_ROWS)]
Codes = Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=500)]


class PackageForm(Body):
    """A package as typed; each column of its techniques is a list."""

    title: Text = ""
    number: Text = ""
    signed_on: Day
    starts_on: Day
    ends_on: Day
    provider: Text = ""
    provider_representative: Text = ""
    stations: Codes = Field(default_factory=list)
    receiver_representative: Text = ""
    survey: LongText = ""
    outline: LongText = ""
    code: Column = Field(default_factory=list)
    name: Column = Field(default_factory=list)
    observed: Column = Field(default_factory=list)
    assisted: Column = Field(default_factory=list)
    supervised: Column = Field(default_factory=list)
    performed: Column = Field(default_factory=list)
    revision: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    act: Literal["save", "more"] = "save"


class EndForm(Body):
    """The last day of a package that ends early, and why."""

    ended_on: Day
    reason: Text = ""


class ListQuery(Body):
    """Which packages are shown."""

    state: PackageState = PackageState.RUNNING


@routes.get(_LIST, Action.PACKAGE_READ)
async def show_list(request: web.Request) -> web.Response:
    """Packages of one state."""
    state, actor = read_query(request, ListQuery).state, signed_in(request)
    rows = await service.list_packages(request[WORK], actor)
    tabs = [
        (each.value, name, sum(row.state is each for row in rows))
        for each, name in STATE_NAMES.items()
    ]
    return page(
        request,
        "packages/list.html",
        rows=[row for row in rows if row.state is state],
        state=state,
        states=tabs,
        may_write=may(actor, Action.PACKAGE_WRITE),
    )


@routes.get(f"{_LIST}/new", Action.PACKAGE_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    return page(request, _FORM, errors={}, **await _context(request, {}))


async def _form_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _context(request, values)
    if context["package"] and any(item.field == "revision" for item in error.fields):
        # They have been told: saving again is meant.
        context["revision"] = context["package"].revision
    return invalid_page(request, _FORM, error, **context)


@routes.post(f"{_LIST}/new", Action.PACKAGE_WRITE, on_invalid=_form_again)
async def create(request: web.Request) -> web.Response:
    """Write a signed package down, or give more rows to write in."""
    if more := await _more_rows(request):
        return more
    form = await read_form(request, PackageForm)
    try:
        package = await service.create(request[WORK], signed_in(request), _given(form))
    except Conflict as conflict:
        return await _known_number(request, conflict)
    return see_other(request, f"{_LIST}/{package.uid}", notice="package_saved")


@routes.get(f"{_LIST}/{{uid}}", Action.PACKAGE_READ)
async def show(request: web.Request) -> web.Response:
    """One package, and its early end."""
    return page(request, _ONE, errors={}, **await _one(request, {}))


@routes.get(f"{_LIST}/{{uid}}/print", Action.PACKAGE_READ)
async def show_print(request: web.Request) -> web.Response:
    """One package as a sheet."""
    return page(request, "packages/print.html", **await _one(request, {}))


@routes.get(f"{_LIST}/{{uid}}/edit", Action.PACKAGE_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A package that no session refers to yet."""
    row = await _row(request)
    if not row.may_change:
        return see_other(request, f"{_LIST}/{row.package.uid}")
    return page(request, _FORM, errors={}, **await _context(request, _values(row)))


@routes.post(f"{_LIST}/{{uid}}/edit", Action.PACKAGE_WRITE, on_invalid=_form_again)
async def change(request: web.Request) -> web.Response:
    """Keep what was changed, or give more rows to write in."""
    if more := await _more_rows(request):
        return more
    form = await read_form(request, PackageForm)
    work, actor, uid = request[WORK], signed_in(request), request.match_info["uid"]
    try:
        await service.change(work, actor, uid, _given(form), revision=form.revision)
    except Conflict as conflict:
        return await _known_number(request, conflict)
    return see_other(request, f"{_LIST}/{uid}", notice="package_saved")


async def _end_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _ONE, error, **await _one(request, values))


@routes.post(f"{_LIST}/{{uid}}/end", Action.PACKAGE_WRITE, on_invalid=_end_again)
async def end(request: web.Request) -> web.Response:
    """End a package before its time."""
    form = await read_form(request, EndForm)
    uid = request.match_info["uid"]
    await service.end(request[WORK], signed_in(request), uid, form.ended_on, form.reason)
    return see_other(request, f"{_LIST}/{uid}", notice="package_ended")


def _given(form: PackageForm) -> PackageInput:
    columns = zip_longest(*(getattr(form, name) for name in _COLUMNS), fillvalue="")
    return PackageInput(
        title=form.title,
        number=form.number,
        signed_on=form.signed_on,
        starts_on=form.starts_on,
        ends_on=form.ends_on,
        provider=form.provider,
        provider_representative=form.provider_representative,
        receiver_representative=form.receiver_representative,
        stations=frozenset(form.stations),
        techniques=[TypedTechnique(*cells) for cells in columns],
        survey=form.survey,
        outline=form.outline,
    )


async def _more_rows(request: web.Request) -> web.Response | None:
    """The form as typed with more rows, where that was asked for; nothing is judged yet."""
    if request.content_type == "application/json":
        return None
    fields = await form_fields(request)
    if fields.get("act") != "more":
        return None
    refuse_unwritable(fields)
    context = await _context(request, typed_values(request), more=_MORE_ROWS)
    return page(request, _FORM, errors={}, **context)


async def _known_number(request: web.Request, conflict: Conflict) -> web.Response:
    """A number that somebody has used is said at its field."""
    if not conflict.fields or not request.app[RENDERER].wants_page(request):
        raise conflict
    await request[WORK].rollback()
    error = Invalid(conflict.code, conflict.message, fields=conflict.fields)
    answer = await _form_again(request, error, typed_values(request))
    answer.set_status(web.HTTPConflict.status_code)
    return answer


async def _row(request: web.Request) -> PackageRow:
    uid = request.match_info["uid"]
    return await service.get_package(request[WORK], signed_in(request), uid)


async def _context(request: web.Request, values: Values, *, more: int = 0) -> dict[str, Any]:
    work = request[WORK]
    row = await _row(request) if "uid" in request.match_info else None
    rows = _rows(values, more)
    return {
        "values": values,
        "rows": rows,
        "levels": LEVELS,
        "package": row.package if row else None,
        "revision": values.get("revision") or (row.package.revision if row else 0),
        "stations": [(each.code, each.name) for each in await list_stations(work)],
        "hospitals": [(each.code, each.name) for each in await service.list_hospitals(work)],
        "may_add": len(rows) < _MOST_ROWS,
    }


def _rows(values: Values, more: int) -> list[dict[str, str]]:
    """The rows of techniques as typed, never fewer than a handful."""
    columns = {name: _column(values.get(name)) for name in _COLUMNS}
    count = max(len(column) for column in columns.values()) + more
    return [
        {name: column[place] if place < len(column) else "" for name, column in columns.items()}
        for place in range(min(max(count, _FEWEST_ROWS), _MOST_ROWS))
    ]


def _column(typed: object) -> list[str]:
    if isinstance(typed, str):
        return [typed]
    return [str(each) for each in typed] if isinstance(typed, list) else []


def _values(row: PackageRow) -> dict[str, Any]:
    package = row.package
    days = ("signed_on", "starts_on", "ends_on")
    kept = set(PackageForm.model_fields) - {*days, "revision"}
    return {
        **package.model_dump(include=kept),
        **{name: format_date(getattr(package, name)) for name in days},
        "provider": row.provider.code,
        "stations": [each.code for each in row.stations],
        **{name: [str(getattr(each, name)) for each in row.techniques] for name in _COLUMNS},
    }


async def _one(request: web.Request, values: Values) -> dict[str, Any]:
    row = await _row(request)
    may_write = may(signed_in(request), Action.PACKAGE_WRITE)
    return {
        "row": row,
        "package": row.package,
        "states": STATE_NAMES,
        "values": values or {"ended_on": format_date(local(request[WORK].now()).date())},
        "may_change": may_write and row.may_change,
        "may_end": may_write and row.may_end,
        "may_teach": may(signed_in(request), Action.TRANSFER_WRITE),
    }
