"""Pages that join the file of somebody without a number with the real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults.case import identity
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.patients.merging import service
from telemed.patients.merging.models import MergeBasis
from telemed.patients.merging.rules import Difference
from telemed.patients.merging.service import Grounds
from telemed.web.parsing import Body, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "patients_merged": N_("Đã gộp. Mọi ca, hình ảnh và giấy đồng ý nay ở hồ sơ này."),
        "patients_separated": N_("Đã tách lại hai hồ sơ"),
    }
)
BASIS_NAMES: Mapping[MergeBasis, str] = {
    MergeBasis.DOCUMENT: N_("Đã xem giấy tờ"),
    MergeBasis.FAMILY: N_("Người nhà xác nhận"),
    MergeBasis.STAFF: N_("Cán bộ trạm biết người này"),
}
_LONGEST = 2000


class SearchQuery(Body):
    """Who is looked for; nothing shows who resembles."""

    q: Annotated[str, Field(max_length=_LONGEST)] = ""


class MergeForm(Body):
    """Why both are one person; `accepted` names the contradictions that were looked at."""

    basis: MergeBasis
    note: Annotated[str, Field(max_length=_LONGEST)] = ""
    accepted: Annotated[str, Field(max_length=200)] = ""


class UndoForm(Body):
    """Why they are two people after all."""

    reason: Annotated[str, Field(max_length=_LONGEST)] = ""


@routes.get("/patients/{uid}/merge", Action.PATIENT_WRITE)
async def choose(request: web.Request) -> web.Response:
    """Files that this one may belong to."""
    query = read_query(request, SearchQuery)
    work, actor = request[WORK], signed_in(request)
    patient, found = await service.list_targets(work, actor, request.match_info["uid"], query.q)
    return page(request, "patients/merge_choose.html", patient=patient, found=found, q=query.q)


@routes.get("/patients/{uid}/merge/{target}", Action.PATIENT_WRITE)
async def compare(request: web.Request) -> web.Response:
    """Both files side by side."""
    return page(request, "patients/merge.html", errors={}, **await _context(request, {}))


async def _compare_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, "patients/merge.html", error, **await _context(request, values))


@routes.post("/patients/{uid}/merge/{target}", Action.PATIENT_WRITE, on_invalid=_compare_again)
async def merge(request: web.Request) -> web.Response:
    """Join them."""
    form = await read_body(request, MergeForm)
    source, target = request.match_info["uid"], request.match_info["target"]
    grounds = Grounds(form.basis, form.note, frozenset(form.accepted.split()))
    await identity.merge(request[WORK], signed_in(request), source, target, grounds)
    return see_other(request, f"/patients/{target}", notice="patients_merged")


@routes.get("/patients/{uid}/merges/{merge}/undo", Action.PATIENT_WRITE)
async def ask_undo(request: web.Request) -> web.Response:
    """Ask why, before two files are parted again."""
    return page(request, "patients/unmerge.html", errors={}, **await _line(request, {}))


async def _ask_undo_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, "patients/unmerge.html", error, **await _line(request, values))


@routes.post(
    "/patients/{uid}/merges/{merge}/undo", Action.PATIENT_WRITE, on_invalid=_ask_undo_again
)
async def undo(request: web.Request) -> web.Response:
    """Part them again."""
    form = await read_body(request, UndoForm)
    uid, key = request.match_info["uid"], request.match_info["merge"]
    await identity.undo(request[WORK], signed_in(request), uid, key, form.reason)
    return see_other(request, f"/patients/{uid}", notice="patients_separated")


async def _line(request: web.Request, values: Values) -> dict[str, Any]:
    uid, key = request.match_info["uid"], request.match_info["merge"]
    patient, line = await service.get_merge(request[WORK], signed_in(request), uid, key)
    return {"patient": patient, "line": line, "values": values}


async def _context(request: web.Request, values: Values) -> dict[str, Any]:
    source, target = request.match_info["uid"], request.match_info["target"]
    pair = await service.compare(request[WORK], signed_in(request), source, target)
    return {
        "pair": pair,
        "patient": pair.source,
        "values": values,
        "bases": BASIS_NAMES,
        "accepted": " ".join(sorted(each.value for each in pair.differences)),
        "differs": {each.value for each in Difference if each in pair.differences},
    }
