"""Pages of those who keep places and specialties in order."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Invalid
from telemed.facilities.models import Facility, FacilityKind
from telemed.facilities.service import (
    add_department,
    add_specialty,
    change_facility,
    get_facility_by_uid,
    list_departments,
    list_facilities,
    list_specialties,
    rename_department,
    rename_specialty,
)
from telemed.keys import WORK, signed_in
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "facility_saved": N_("Máy chủ đã lưu cơ sở"),
        "department_saved": N_("Máy chủ đã lưu khoa, phòng"),
        "specialty_saved": N_("Máy chủ đã lưu chuyên khoa"),
    }
)
_LIST = "/admin/facilities"
_SPECIALTIES = "/admin/specialties"
_ONE = "admin/facility.html"
_SPECIALTY_PAGE = "admin/specialties.html"
LARGEST_KEY = 2**31 - 1
MOST_ROOMS = 9
Name = Annotated[str, Field(max_length=200)]


class FacilityForm(Body):
    """What may be corrected about a facility."""

    name: Name = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    is_active: bool = False
    rooms: Annotated[int, Field(ge=1, le=MOST_ROOMS)] | None = None


class DepartmentForm(Body):
    """A department, new or known."""

    department_name: Name = ""
    department: Annotated[int, Field(ge=1, le=LARGEST_KEY)] | None = None


class SpecialtyForm(Body):
    """A specialty by its code."""

    code: Annotated[str, Field(max_length=20)] = ""
    name: Name = ""


@routes.get(_LIST, Action.FACILITY_WRITE)
async def show_list(request: web.Request) -> web.Response:
    """Every facility, the closed ones too."""
    places = await list_facilities(request[WORK], with_closed=True)
    return page(
        request,
        "admin/facilities.html",
        stations=[place for place in places if place.kind is FacilityKind.STATION],
        others=[place for place in places if place.kind is not FacilityKind.STATION],
    )


async def _context(request: web.Request) -> dict[str, Any]:
    facility = await get_facility_by_uid(request[WORK], request.match_info["uid"])
    return {
        "facility": facility,
        "departments": await list_departments(request[WORK], facility.id),
    }


@routes.get(f"{_LIST}/{{uid}}", Action.FACILITY_WRITE)
async def show(request: web.Request) -> web.Response:
    """One facility with its departments."""
    context = await _context(request)
    return page(request, _ONE, errors={}, values=_known(context["facility"]), **context)


def _known(place: Facility) -> dict[str, Any]:
    return place.model_dump(include={"name", "phone", "is_active", "rooms"})


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _context(request)
    known = _known(context["facility"])
    # The form of the departments does not carry what the form above it shows.
    shown = known if "department_name" in values else {"name": "", "phone": "", **values}
    shown.setdefault("is_active", False)
    return invalid_page(request, _ONE, error, values=shown, **context)


@routes.post(f"{_LIST}/{{uid}}", Action.FACILITY_WRITE, on_invalid=_again)
async def change(request: web.Request) -> web.Response:
    """Correct a facility."""
    form = await read_body(request, FacilityForm)
    uid = request.match_info["uid"]
    await change_facility(
        request[WORK],
        signed_in(request),
        uid,
        name=form.name,
        phone=form.phone,
        is_active=form.is_active,
        rooms=form.rooms,
    )
    return see_other(request, _LIST, notice="facility_saved")


@routes.post(f"{_LIST}/{{uid}}/departments", Action.FACILITY_WRITE, on_invalid=_again)
async def save_department(request: web.Request) -> web.Response:
    """A new department, or another name for one."""
    form = await read_body(request, DepartmentForm)
    work, actor, uid = request[WORK], signed_in(request), request.match_info["uid"]
    if form.department is None:
        await add_department(work, actor, uid, form.department_name)
    else:
        await rename_department(work, actor, uid, form.department, form.department_name)
    return see_other(request, f"{_LIST}/{uid}", notice="department_saved")


@routes.get(_SPECIALTIES, Action.FACILITY_WRITE)
async def show_specialties(request: web.Request) -> web.Response:
    """The specialties that a station may ask."""
    specialties = await list_specialties(request[WORK])
    return page(request, _SPECIALTY_PAGE, errors={}, values={}, specialties=specialties)


async def _specialties_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    specialties = await list_specialties(request[WORK])
    return invalid_page(request, _SPECIALTY_PAGE, error, values=values, specialties=specialties)


@routes.post(_SPECIALTIES, Action.FACILITY_WRITE, on_invalid=_specialties_again)
async def create_specialty(request: web.Request) -> web.Response:
    """One more specialty, at the end of the list."""
    form = await read_body(request, SpecialtyForm)
    await add_specialty(request[WORK], signed_in(request), code=form.code, name=form.name)
    return see_other(request, _SPECIALTIES, notice="specialty_saved")


@routes.post(f"{_SPECIALTIES}/rename", Action.FACILITY_WRITE, on_invalid=_specialties_again)
async def change_specialty(request: web.Request) -> web.Response:
    """Another name for a specialty."""
    form = await read_body(request, SpecialtyForm)
    await rename_specialty(request[WORK], signed_in(request), form.code, form.name)
    return see_other(request, _SPECIALTIES, notice="specialty_saved")
