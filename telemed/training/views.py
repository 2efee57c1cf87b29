"""Pages of the rotation register."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action, Role
from telemed.core.errors import N_, Invalid
from telemed.facilities.service import list_specialties, list_stations
from telemed.keys import WORK, signed_in
from telemed.training import rotations
from telemed.training.repository import get_rotation, list_people, list_rotations
from telemed.training.rotations import RotationInput
from telemed.web.formats import format_date
from telemed.web.parsing import Body, Day, RowKey, read_form
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"rotation_saved": N_("Đã lưu đợt luân phiên")})


class RotationForm(Body):
    """A secondment decision for one person at one station."""

    decision_number: Annotated[str, Field(min_length=1, max_length=40)]
    decision_date: Day
    person: RowKey
    station: RowKey
    specialty: RowKey | None = None
    starts_on: Day
    ends_on: Day
    tasks: Annotated[str, Field(max_length=2000)] = ""
    revision: Annotated[int, Field(ge=0)] = 0


def _given(form: RotationForm) -> RotationInput:
    return RotationInput(
        decision_number=form.decision_number,
        decision_date=form.decision_date,
        person_id=form.person,
        station_id=form.station,
        specialty_id=form.specialty,
        starts_on=form.starts_on,
        ends_on=form.ends_on,
        tasks=form.tasks,
    )


@routes.get("/training/rotations", Action.ROTATION_READ)
async def board(request: web.Request) -> web.Response:
    """Who is where today, and the register."""
    work = request[WORK]
    return page(
        request,
        "training/rotations.html",
        board=await rotations.board(work, signed_in(request)),
        rows=await list_rotations(work),
        may_write=Role.COORDINATOR in signed_in(request).roles,
    )


async def _choices(request: web.Request) -> dict[str, Any]:
    work = request[WORK]
    people = await list_people(work, rotations.SENT_ROLES)
    return {
        "people": [(person.id, f"{person.title} {person.full_name}".strip()) for person in people],
        "stations": [(station.id, station.name) for station in await list_stations(work)],
        "specialties": [(each.id, each.name) for each in await list_specialties(work)],
    }


async def _form_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    uid = request.match_info.get("uid")
    revision = (await get_rotation(request[WORK], uid)).revision if uid else 0
    context = {"values": values, "revision": revision, **await _choices(request)}
    return invalid_page(request, "training/rotation.html", error, **context)


@routes.get("/training/rotations/new", Action.ROTATION_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    values = {"station": request.query.get("station", "")}
    context = {"values": values, "errors": {}, "revision": 0, **await _choices(request)}
    return page(request, "training/rotation.html", **context)


@routes.post("/training/rotations/new", Action.ROTATION_WRITE, on_invalid=_form_again)
async def create(request: web.Request) -> web.Response:
    """Register a rotation."""
    form = await read_form(request, RotationForm)
    await rotations.save(request[WORK], signed_in(request), _given(form))
    return see_other(request, "/training/rotations", notice="rotation_saved")


@routes.get("/training/rotations/{uid}", Action.ROTATION_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A rotation to correct."""
    rotation = await get_rotation(request[WORK], request.match_info["uid"])
    values = {
        "decision_number": rotation.decision_number,
        "decision_date": format_date(rotation.decision_date),
        "person": rotation.person_id,
        "station": rotation.station_id,
        "specialty": rotation.specialty_id,
        "starts_on": format_date(rotation.starts_on),
        "ends_on": format_date(rotation.ends_on),
        "tasks": rotation.tasks,
    }
    context: dict[str, Any] = {"values": values, "errors": {}, "revision": rotation.revision}
    context |= await _choices(request)
    return page(request, "training/rotation.html", **context)


@routes.post("/training/rotations/{uid}", Action.ROTATION_WRITE, on_invalid=_form_again)
async def change(request: web.Request) -> web.Response:
    """Correct a rotation."""
    form = await read_form(request, RotationForm)
    uid = request.match_info["uid"]
    await rotations.save(
        request[WORK], signed_in(request), _given(form), uid=uid, revision=form.revision
    )
    return see_other(request, "/training/rotations", notice="rotation_saved")
