"""Pages of the support contracts between hospital and stations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults import cover
from telemed.core.errors import N_, Conflict, Invalid
from telemed.facilities.contracts import service
from telemed.facilities.contracts.rules import ContractState
from telemed.facilities.contracts.service import ContractInput
from telemed.facilities.service import list_specialties, list_stations
from telemed.keys import RENDERER, WORK, signed_in
from telemed.web.formats import local
from telemed.web.parsing import Body, Day, read_body, typed_values
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "contract_recorded": N_("Đã ghi hợp đồng"),
        "contract_ended": N_("Đã ghi chấm dứt hợp đồng"),
    }
)
STATE_NAMES: Mapping[ContractState, str] = {
    ContractState.TO_COME: N_("Chưa bắt đầu"),
    ContractState.IN_FORCE: N_("Còn hạn"),
    ContractState.ENDS_SOON: N_("Sắp hết hạn"),
    ContractState.OVER: N_("Hết hạn"),
}
_LIST = "/admin/contracts"
_FORM = "contracts/form.html"
_ONE = "contracts/show.html"
_LONGEST = 2000
Text = Annotated[str, Field(max_length=_LONGEST)]
Codes = Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=500)]


class ContractForm(Body):
    """A signed contract."""

    number: Text = ""
    signed_on: Day
    starts_on: Day
    ends_on: Day
    all_stations: bool = False
    stations: Codes = Field(default_factory=list)
    specialties: Codes = Field(default_factory=list)
    scope: Text = ""


class EndForm(Body):
    """The last day of a contract that ends early, and why."""

    ended_on: Day
    reason: Text = ""


@routes.get(_LIST, Action.CONTRACT_WRITE)
async def show_list(request: web.Request) -> web.Response:
    """Every contract."""
    work = request[WORK]
    return page(
        request,
        "contracts/list.html",
        rows=await service.list_contracts(work, signed_in(request)),
        states=STATE_NAMES,
        outside=await cover.count_outside(work),
    )


@routes.get(f"{_LIST}/new", Action.CONTRACT_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    return page(request, _FORM, errors={}, **await _choices(request, {"all_stations": "on"}))


async def _new_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _FORM, error, **await _choices(request, values))


@routes.post(f"{_LIST}/new", Action.CONTRACT_WRITE, on_invalid=_new_again)
async def record(request: web.Request) -> web.Response:
    """Write a contract down."""
    form = await read_body(request, ContractForm)
    given = ContractInput(
        form.number,
        form.signed_on,
        form.starts_on,
        form.ends_on,
        frozenset(form.stations),
        frozenset(form.specialties),
        all_stations=form.all_stations,
        scope=form.scope,
    )
    try:
        contract = await service.record(request[WORK], signed_in(request), given)
    except Conflict as conflict:
        if not conflict.fields or not request.app[RENDERER].wants_page(request):
            raise
        await request[WORK].rollback()
        error = Invalid(conflict.code, conflict.message, fields=conflict.fields)
        answer = await _new_again(request, error, typed_values(request))
        answer.set_status(web.HTTPConflict.status_code)
        return answer
    return see_other(request, f"{_LIST}/{contract.uid}", notice="contract_recorded")


@routes.get(f"{_LIST}/{{uid}}", Action.CONTRACT_WRITE)
async def show(request: web.Request) -> web.Response:
    """One contract, what it carried, and its early end."""
    return page(request, _ONE, errors={}, **await _one(request, {}))


async def _show_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _ONE, error, **await _one(request, values))


@routes.post(f"{_LIST}/{{uid}}/end", Action.CONTRACT_WRITE, on_invalid=_show_again)
async def end(request: web.Request) -> web.Response:
    """End a contract before its time."""
    form = await read_body(request, EndForm)
    uid = request.match_info["uid"]
    await service.end(request[WORK], signed_in(request), uid, form.ended_on, form.reason)
    return see_other(request, f"{_LIST}/{uid}", notice="contract_ended")


async def _choices(request: web.Request, values: Values) -> dict[str, Any]:
    work = request[WORK]
    return {
        "values": values,
        "stations": [(each.code, each.name) for each in await list_stations(work)],
        "specialties": [(each.code, each.name) for each in await list_specialties(work)],
    }


async def _one(request: web.Request, values: Values) -> dict[str, Any]:
    work = request[WORK]
    row = await service.get_contract(work, signed_in(request), request.match_info["uid"])
    today = local(work.now()).date()
    return {
        "row": row,
        "states": STATE_NAMES,
        "counts": await cover.count_by_year(work, row.contract.number),
        "values": values or {"ended_on": f"{today:%d/%m/%Y}"},
        "may_end": row.contract.ended_on is None and row.state is not ContractState.OVER,
    }
