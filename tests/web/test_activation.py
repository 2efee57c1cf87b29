"""From an administrator's code to a password that only its owner knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import ClientResponse

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from tests.factories import Factory
from tests.people import PASSWORD, Client, code_at, give_password, give_second_factor, hold

SignIn = Callable[[Actor], Awaitable[Client]]
NEW = "mưa rào trên mái tôn cũ"


@pytest.fixture
async def administrator(make: Factory, signed_in: SignIn) -> Client:
    """The browser of an administrator."""
    return await signed_in(await make.actor(Role.ADMINISTRATOR))


@pytest.fixture
async def station(make: Factory, work: UnitOfWork) -> Facility:
    """A station to work at."""
    station = await make.facility()
    await work.commit()
    return station


def code_in(text: str) -> str:
    """The activation code on a page."""
    return text.split('data-role="activation-code">')[1].split("<", maxsplit=1)[0]


async def create(administrator: Client, station: Facility, name: str = "bs.ngan") -> str:
    """Make an account; returns its activation code."""
    form = {
        "full_name": "Điêu Thị Ngân",
        "sign_in_name": name,
        "roles": "commune_doctor",
        "facility": station.uid,
    }
    response = await administrator.post("/admin/people", data=form)
    assert response.status == 200
    return code_in(await response.text())


async def activate(
    client: Client, code: str, password: str = NEW, repeated: str = ""
) -> ClientResponse:
    """Send the activation form."""
    form = {"code": code, "new_password": password, "repeated": repeated or password}
    return await client.post("/activate", data=form, allow_redirects=False)


async def sign_in(client: Client, name: str, password: str) -> ClientResponse:
    """Send the sign-in form."""
    form = {"name": name, "password": password}
    return await client.post("/sign-in", data=form, allow_redirects=False)


async def test_a_code_leads_inside_and_works_once(
    administrator: Client, client: Client, station: Facility
) -> None:
    code = await create(administrator, station)

    first = await activate(client, code)
    assert (first.status, first.headers["Location"]) == (303, "/home")
    assert (await client.get("/account", allow_redirects=False)).status == 200
    client.session.cookie_jar.clear()
    again = await activate(client, code, "gió lùa qua khe núi đá")
    assert again.status == 422
    assert "đã dùng" in await again.text()
    assert (await sign_in(client, "bs.ngan", NEW)).status == 303


async def test_a_code_is_read_as_people_type_it(
    administrator: Client, client: Client, station: Facility
) -> None:
    code = await create(administrator, station)
    typed = f"  {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "

    assert (await activate(client, typed)).status == 303


async def test_a_code_ends_after_its_time(
    administrator: Client, client: Client, station: Facility, clock: FakeClock
) -> None:
    code = await create(administrator, station)
    clock.advance(timedelta(hours=72))

    assert (await activate(client, code)).status == 422


async def test_a_password_that_is_not_taken_does_not_spend_the_code(
    administrator: Client, client: Client, station: Facility
) -> None:
    code = await create(administrator, station)

    for bad in ("ngắn quá", "Password123456789", "Điêu Thị Ngân ở đây", "telemed mưa rào"):
        refused = await activate(client, code, bad)
        assert refused.status == 422
    differs = await activate(client, code, NEW, NEW + "!")
    assert "khác nhau" in await differs.text()
    assert (await activate(client, code)).status == 303


async def test_guessing_codes_is_slowed_down(client: Client) -> None:
    statuses = [(await activate(client, f"{number:020}")).status for number in range(6)]

    assert statuses == [422] * 5 + [429]


async def test_a_new_code_voids_the_one_before(
    administrator: Client, client: Client, station: Facility
) -> None:
    before = await create(administrator, station)
    listed = await (await administrator.get("/admin/people?q=ngan")).text()
    uid = listed.split('href="/admin/people/')[-1].split('"')[0]
    issued = await administrator.post(f"/admin/people/{uid}/code")

    assert (await activate(client, before)).status == 422
    assert (await activate(client, code_in(await issued.text()))).status == 303


@pytest.fixture
async def specialist(work: UnitOfWork, make: Factory, accounts: Accounts) -> tuple[Person, str]:
    """A specialist with a password and an authenticator, and the secret of it."""
    person = await _specialist(work, make)
    await give_password(work, accounts, person)
    secret = await give_second_factor(work, accounts, person)
    await work.commit()
    return person, secret


async def test_a_reset_ends_the_old_password_and_every_login_but_keeps_the_second_factor(
    administrator: Client, client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    await sign_in(client, person.sign_in_name, PASSWORD)
    code = {"code": code_at(secret, clock.now())}
    inside = await client.post("/sign-in/second-factor", data=code, allow_redirects=False)
    issued = await administrator.post(f"/admin/people/{person.uid}/code")
    assert (await client.get("/account", allow_redirects=False)).status == 200

    reset = await activate(client, code_in(await issued.text()), "mưa rào vui")
    assert reset.headers["Location"].startswith("/sign-in/second-factor")
    assert "data:image/svg+xml" not in await (await client.get("/sign-in/second-factor")).text()
    hold(client, inside.cookies["telemed"].value)
    assert (await client.get("/account", allow_redirects=False)).status == 303
    assert (await sign_in(client, person.sign_in_name, PASSWORD)).status == 422


async def _specialist(work: UnitOfWork, make: Factory) -> Person:
    person = await make.person(Role.SPECIALIST, specialty=await make.specialty())
    await work.commit()
    return person


async def test_a_specialist_sets_up_the_second_factor_before_anything_opens(
    administrator: Client, client: Client, work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    person = await _specialist(work, make)
    issued = await administrator.post(f"/admin/people/{person.uid}/code")

    activated = await activate(client, code_in(await issued.text()), "mưa rào")
    assert activated.status == 422
    activated = await activate(client, code_in(await issued.text()), "mưa rào vui")
    assert activated.headers["Location"].startswith("/sign-in/second-factor")
    assert (await client.get("/account", allow_redirects=False)).status == 303
    text = await (await client.get(activated.headers["Location"])).text()
    secret = text.split('<b class="num said">')[1].split("</b>")[0].replace(" ", "")
    form = {"code": code_at(secret, clock.now())}
    await client.post("/sign-in/second-factor", data=form, allow_redirects=False)
    assert (await client.get("/account", allow_redirects=False)).status == 200


async def test_a_disabled_person_cannot_activate(
    administrator: Client, client: Client, station: Facility
) -> None:
    code = await create(administrator, station)
    listed = await (await administrator.get("/admin/people?q=ngan")).text()
    uid = listed.split('href="/admin/people/')[-1].split('"')[0]
    await administrator.post(f"/admin/people/{uid}/disable")

    assert (await activate(client, code)).status == 422
    assert (await administrator.post(f"/admin/people/{uid}/code")).status == 409
