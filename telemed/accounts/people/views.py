"""Pages of those who look after accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.models import Person
from telemed.accounts.people.details import PersonDetails
from telemed.accounts.people.repository import PersonCard, get_person_card, list_people
from telemed.accounts.people.service import (
    change_person,
    create_person,
    disable_person,
    enable_person,
    end_logins,
    issue_activation_code,
    reset_second_factor,
)
from telemed.accounts.permissions import Action, Role
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.facilities.service import list_departments, list_facilities, list_specialties
from telemed.keys import ACCOUNTS, WORK, signed_in
from telemed.web.menu import ROLE_TITLES
from telemed.web.parsing import Body, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "person_saved": N_("Máy chủ đã lưu tài khoản"),
        "person_disabled": N_("Tài khoản đã khóa, mọi máy đã bị đăng xuất"),
        "person_enabled": N_("Tài khoản đã mở lại"),
        "factor_reset": N_("Xác thực đã đặt lại. Lần đăng nhập tới sẽ cài lại từ đầu."),
        "person_signed_out": N_("Đã đăng xuất người này khỏi mọi máy"),
    }
)
_LIST = "/admin/people"
_FORM = "admin/person_form.html"
LARGEST_KEY = 2**31 - 1


class ListQuery(Body):
    """What is looked for, and where the page before ended."""

    q: Annotated[str, Field(max_length=80)] = ""
    role: Role | None = None
    after: Annotated[str, Field(max_length=22)] | None = None


class PersonForm(Body):
    """An account as it is filled in; never a password."""

    full_name: Annotated[str, Field(max_length=200)] = ""
    roles: tuple[Role, ...] = ()
    facility: Annotated[str, Field(max_length=22)] = ""
    department: Annotated[int, Field(ge=1, le=LARGEST_KEY)] | None = None
    specialties: tuple[Annotated[str, Field(max_length=20)], ...] = ()
    title: Annotated[str, Field(max_length=200)] = ""
    licence_number: Annotated[str, Field(max_length=200)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""

    def details(self) -> PersonDetails:
        """What the rules take."""
        return PersonDetails(
            full_name=self.full_name,
            roles=frozenset(self.roles),
            facility_uid=self.facility,
            department_id=self.department,
            specialty_codes=frozenset(self.specialties),
            title=self.title,
            licence_number=self.licence_number,
            phone=self.phone,
        )


class NewPersonForm(PersonForm):
    """The same with the name to sign in with."""

    sign_in_name: Annotated[str, Field(max_length=80)] = ""


class ChangedPersonForm(PersonForm):
    """The same with the revision that was shown."""

    revision: Annotated[int, Field(ge=1, le=LARGEST_KEY)]


@routes.get(_LIST, Action.PEOPLE_READ)
async def show_list(request: web.Request) -> web.Response:
    """Accounts by given name."""
    query = read_query(request, ListQuery)
    found = await list_people(
        request[WORK], signed_in(request), search=query.q, role=query.role, after=query.after
    )
    return page(
        request,
        "admin/people.html",
        found=found,
        q=query.q,
        role=query.role,
        role_titles=ROLE_TITLES,
        is_first=query.after is None,
    )


async def _choices(work: UnitOfWork) -> dict[str, Any]:
    """What the selects of the form offer."""
    facilities = await list_facilities(work)
    departments = await list_departments(work)
    return {
        "role_titles": ROLE_TITLES,
        "facilities": facilities,
        "departments": [
            (place.name, [(row.id, row.name) for row in departments if row.facility_id == place.id])
            for place in facilities
            if any(row.facility_id == place.id for row in departments)
        ],
        "specialties": await list_specialties(work),
    }


@routes.get(f"{_LIST}/new", Action.PEOPLE_WRITE)
async def show_new(request: web.Request) -> web.Response:
    """An empty form."""
    choices = await _choices(request[WORK])
    return page(request, _FORM, person=None, values={}, errors={}, **choices)


async def _new_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    choices = await _choices(request[WORK])
    return invalid_page(request, _FORM, error, person=None, values=values, **choices)


@routes.post(_LIST, Action.PEOPLE_WRITE, on_invalid=_new_again)
async def create(request: web.Request) -> web.Response:
    """A new account; its activation code is shown on this answer and never again."""
    form = await read_body(request, NewPersonForm)
    person, code = await create_person(
        request[WORK],
        signed_in(request),
        sign_in_name=form.sign_in_name,
        details=form.details(),
        lasts=request.app[ACCOUNTS].activation_lasts,
    )
    return _code_page(request, person, code)


def _code_page(request: web.Request, person: Person, code: str) -> web.Response:
    hours = request.app[ACCOUNTS].settings.activation_hours
    return page(request, "admin/code.html", person=person, code=code, hours=hours)


@routes.get(f"{_LIST}/{{uid}}", Action.PEOPLE_READ)
async def show(request: web.Request) -> web.Response:
    """One account, and what can be done about it."""
    card = await _card(request)
    is_own = card.person.id == signed_in(request).id
    return page(request, "admin/person.html", card=card, role_titles=ROLE_TITLES, is_own=is_own)


@routes.get(f"{_LIST}/{{uid}}/edit", Action.PEOPLE_WRITE)
async def show_edit(request: web.Request) -> web.Response:
    """The form with what is known."""
    card, choices = await _card(request), await _choices(request[WORK])
    values = _values_of(card)
    return page(request, _FORM, person=card.person, values=values, errors={}, **choices)


async def _card(request: web.Request) -> PersonCard:
    return await get_person_card(request[WORK], signed_in(request), request.match_info["uid"])


def _values_of(card: PersonCard) -> Mapping[str, Any]:
    person = card.person
    return {
        "full_name": person.full_name,
        "roles": [role.value for role in card.roles],
        "facility": card.facility.uid if card.facility else "",
        "department": person.department_id,
        "specialties": [specialty.code for specialty in card.specialties],
        "title": person.title,
        "licence_number": person.licence_number,
        "phone": person.phone,
        "revision": person.revision,
    }


async def _edit_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    card, choices = await _card(request), await _choices(request[WORK])
    return invalid_page(request, _FORM, error, person=card.person, values=values, **choices)


@routes.post(f"{_LIST}/{{uid}}/edit", Action.PEOPLE_WRITE, on_invalid=_edit_again)
async def change(request: web.Request) -> web.Response:
    """Correct an account."""
    form = await read_body(request, ChangedPersonForm)
    uid = request.match_info["uid"]
    await change_person(
        request[WORK], signed_in(request), uid, form.details(), revision=form.revision
    )
    return see_other(request, f"{_LIST}/{uid}", notice="person_saved")


@routes.post(f"{_LIST}/{{uid}}/code", Action.PEOPLE_WRITE)
async def issue(request: web.Request) -> web.Response:
    """A new activation code, shown on this answer and never again."""
    person, code = await issue_activation_code(
        request[WORK],
        signed_in(request),
        request.match_info["uid"],
        lasts=request.app[ACCOUNTS].activation_lasts,
    )
    return _code_page(request, person, code)


@routes.post(f"{_LIST}/{{uid}}/disable", Action.PEOPLE_WRITE)
async def disable(request: web.Request) -> web.Response:
    """Shut an account at once."""
    person = await disable_person(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, f"{_LIST}/{person.uid}", notice="person_disabled")


@routes.post(f"{_LIST}/{{uid}}/enable", Action.PEOPLE_WRITE)
async def enable(request: web.Request) -> web.Response:
    """Open an account again."""
    person = await enable_person(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, f"{_LIST}/{person.uid}", notice="person_enabled")


@routes.post(f"{_LIST}/{{uid}}/second-factor/reset", Action.PEOPLE_WRITE)
async def reset_factor(request: web.Request) -> web.Response:
    """The authenticator is lost: the next sign-in sets up another one."""
    box = request.app[ACCOUNTS].box
    uid = request.match_info["uid"]
    await reset_second_factor(request[WORK], signed_in(request), box, uid)
    return see_other(request, f"{_LIST}/{uid}", notice="factor_reset")


@routes.post(f"{_LIST}/{{uid}}/logins/end", Action.PEOPLE_WRITE)
async def sign_out_everywhere(request: web.Request) -> web.Response:
    """End every login of a person."""
    person = await end_logins(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, f"{_LIST}/{person.uid}", notice="person_signed_out")
