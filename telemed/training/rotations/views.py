"""Pages of the rotation register: the stations, the people, the months, and the form."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Role
from telemed.core.errors import N_, Invalid
from telemed.facilities.service import list_specialties, list_stations
from telemed.keys import WORK, signed_in
from telemed.training.rotations import board as boards
from telemed.training.rotations import service
from telemed.training.rotations.models import RotationKind
from telemed.training.rotations.repository import get_row, list_rotations
from telemed.training.rotations.service import RotationInput
from telemed.web.formats import format_date
from telemed.web.parsing import Body, Day, RowKey, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"rotation_saved": N_("Đã lưu đợt luân phiên")})


class RotationForm(Body):
    """A secondment decision for one person at one station."""

    decision_number: Annotated[str, Field(min_length=1, max_length=40)]
    decision_date: Day
    issuing_body: Annotated[str, Field(max_length=120)] = ""
    kind: RotationKind = RotationKind.CLINICAL
    person: RowKey
    station: RowKey
    specialty: RowKey | None = None
    starts_on: Day
    ends_on: Day
    tasks: Annotated[str, Field(max_length=2000)] = ""
    revision: Annotated[int, Field(ge=0)] = 0


class MonthsQuery(Body):
    """Which months are shown: the first, as YYYY-MM."""

    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


def _given(form: RotationForm) -> RotationInput:
    return RotationInput(
        decision_number=form.decision_number,
        decision_date=form.decision_date,
        issuing_body=form.issuing_body,
        kind=form.kind,
        person_id=form.person,
        station_id=form.station,
        specialty_id=form.specialty,
        starts_on=form.starts_on,
        ends_on=form.ends_on,
        tasks=form.tasks,
    )


def _may_write(request: web.Request) -> bool:
    return Role.COORDINATOR in signed_in(request).roles


@routes.get("/training/rotations", Action.ROTATION_READ)
async def board(request: web.Request) -> web.Response:
    """Who is where today, station by station."""
    found = await boards.board(request[WORK], signed_in(request))
    return page(
        request, "training/rotations/board.html", board=found, may_write=_may_write(request)
    )


@routes.get("/training/rotations/people", Action.ROTATION_READ)
async def register(request: web.Request) -> web.Response:
    """Everybody who was or is to be sent."""
    return page(
        request,
        "training/rotations/people.html",
        rows=await list_rotations(request[WORK]),
        today=await boards.today_of(request[WORK]),
        may_write=_may_write(request),
    )


@routes.get("/training/rotations/months", Action.ROTATION_READ)
async def months(request: web.Request) -> web.Response:
    """The stations over twelve months, with what is missing."""
    chosen = read_query(request, MonthsQuery).month
    first = date(int(chosen[:4]), int(chosen[5:]), 1) if chosen else None
    timeline = await boards.timeline(request[WORK], signed_in(request), first)
    return page(
        request,
        "training/rotations/months.html",
        timeline=timeline,
        earlier=boards.month_from(timeline.span.first, -boards.MONTHS),
        later=boards.month_from(timeline.span.first, boards.MONTHS),
        today=await boards.today_of(request[WORK]),
        may_write=_may_write(request),
    )


async def _choices(request: web.Request, values: Values) -> dict[str, Any]:
    work = request[WORK]
    kind = RotationKind.PREVENTIVE if values.get("kind") == "preventive" else RotationKind.CLINICAL
    people = [
        (label, [(each.id, f"{each.title} {each.full_name}".strip()) for each in listed])
        for label, listed in (await service.people_by_kind(work)).items()
    ]
    return {
        "values": {**values, "kind": kind.value},
        "people": people,
        "stations": [(station.id, station.name) for station in await list_stations(work)],
        "specialties": [(each.id, each.name) for each in await list_specialties(work)],
        "bodies": await service.list_issuing_bodies(work),
    }


async def _form_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    uid = request.match_info.get("uid")
    revision = (await get_row(request[WORK], uid)).rotation.revision if uid else 0
    context = {"revision": revision, "uid": uid, **await _choices(request, values)}
    return invalid_page(request, "training/rotations/form.html", error, **context)


@routes.get("/training/rotations/new", Action.ROTATION_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    values = {"station": request.query.get("station", "")}
    context = {"errors": {}, "revision": 0, "uid": None, **await _choices(request, values)}
    return page(request, "training/rotations/form.html", **context)


@routes.post("/training/rotations/new", Action.ROTATION_WRITE, on_invalid=_form_again)
async def create(request: web.Request) -> web.Response:
    """Register a rotation."""
    form = await read_form(request, RotationForm)
    rotation = await service.save(request[WORK], signed_in(request), _given(form))
    return see_other(request, f"/training/rotations/{rotation.uid}", notice="rotation_saved")


@routes.get("/training/rotations/{uid}/edit", Action.ROTATION_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A rotation to correct."""
    row = await get_row(request[WORK], request.match_info["uid"])
    rotation = row.rotation
    values = {
        "decision_number": row.decision.number,
        "decision_date": format_date(row.decision.signed_on),
        "issuing_body": row.decision.issuing_body,
        "kind": rotation.kind.value,
        "person": rotation.person_id,
        "station": rotation.station_id,
        "specialty": rotation.specialty_id,
        "starts_on": format_date(rotation.starts_on),
        "ends_on": format_date(rotation.ends_on),
        "tasks": rotation.tasks,
    }
    context: dict[str, Any] = {"errors": {}, "revision": rotation.revision, "uid": rotation.uid}
    context |= await _choices(request, values)
    return page(request, "training/rotations/form.html", **context)


@routes.post("/training/rotations/{uid}/edit", Action.ROTATION_WRITE, on_invalid=_form_again)
async def change(request: web.Request) -> web.Response:
    """Correct a rotation."""
    form = await read_form(request, RotationForm)
    uid = request.match_info["uid"]
    await service.save(
        request[WORK], signed_in(request), _given(form), uid=uid, revision=form.revision
    )
    return see_other(request, f"/training/rotations/{uid}", notice="rotation_saved")
