"""The second step of signing in, and setting it up."""

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
from tests.factories import Factory
from tests.people import PASSWORD, Client, code_at, give_password, give_second_factor, hold

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


@pytest.fixture
async def specialist(work: UnitOfWork, make: Factory, accounts: Accounts) -> tuple[Person, str]:
    """A specialist with password and authenticator, and the secret of it."""
    person = await make.person(
        Role.SPECIALIST, specialty=await make.specialty(), sign_in_name="bs.ha"
    )
    await give_password(work, accounts, person)
    secret = await give_second_factor(work, accounts, person)
    await work.commit()
    return person, secret


async def sign_in(
    client: Client, name: str, password: str = PASSWORD, **more: str
) -> ClientResponse:
    """Send the first form."""
    data = {"name": name, "password": password, **more}
    return await client.post("/sign-in", data=data, allow_redirects=False)


async def send_code(client: Client, code: str) -> ClientResponse:
    """Send the second form."""
    return await client.post("/sign-in/second-factor", data={"code": code}, allow_redirects=False)


async def status_inside(client: Client) -> int:
    """What the own account answers: 200 inside, 303 outside."""
    response = await client.get("/account", allow_redirects=False)
    return response.status


def token_of(client: Client) -> str:
    """The login that the browser holds."""
    return client.session.cookie_jar.filter_cookies(client.make_url("/"))["telemed"].value


async def test_second_factor_comes_before_everything_else(
    client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    first = await sign_in(client, person.sign_in_name)
    before = token_of(client)

    assert first.headers["Location"].startswith("/sign-in/second-factor")
    assert await status_inside(client) == 303
    second = await send_code(client, code_at(secret, clock.now()))
    assert (second.status, second.headers["Location"]) == (303, "/home")
    assert await status_inside(client) == 200
    assert token_of(client) != before


async def test_the_token_before_the_second_factor_is_dead_after_it(
    client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    await sign_in(client, person.sign_in_name)
    before = token_of(client)
    await send_code(client, code_at(secret, clock.now()))

    hold(client, before)
    assert await status_inside(client) == 303
    again = await client.get("/sign-in/second-factor", allow_redirects=False)
    assert again.headers["Location"] == "/sign-in"


async def test_a_code_works_once(
    client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    code = code_at(secret, clock.now())
    await sign_in(client, person.sign_in_name)
    await send_code(client, code)
    await sign_in(client, person.sign_in_name)

    replayed = await send_code(client, code)
    assert replayed.status == 422
    assert "Mã này đã dùng" in await replayed.text()
    clock.advance(timedelta(seconds=30))
    assert (await send_code(client, code_at(secret, clock.now()))).status == 303


async def test_wrong_codes_are_slowed_down(
    client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    await sign_in(client, person.sign_in_name)
    wrong = code_at(secret, clock.now() + timedelta(hours=1))
    statuses = [(await send_code(client, wrong)).status for _ in range(6)]

    assert statuses == [422] * 5 + [429]


async def test_a_half_done_sign_in_ends_after_ten_minutes(
    client: Client, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    await sign_in(client, person.sign_in_name)
    clock.advance(timedelta(minutes=10))

    response = await send_code(client, code_at(secret, clock.now()))
    assert response.headers["Location"] == "/sign-in"


async def test_setting_up_an_authenticator_opens_the_rest(
    client: Client, work: UnitOfWork, make: Factory, accounts: Accounts, clock: FakeClock
) -> None:
    person = await make.person(Role.TRAINER, sign_in_name="bs.tuan")
    await give_password(work, accounts, person)
    await work.commit()

    await sign_in(client, "bs.tuan")
    text = await (await client.get("/sign-in/second-factor")).text()
    assert 'src="data:image/svg+xml' in text
    shown = text.split('<b class="num said">')[1].split("</b>")[0]
    response = await send_code(client, code_at(shown.replace(" ", ""), clock.now()))
    assert response.headers["Location"] == "/home"
    assert await status_inside(client) == 200

    await sign_in(client, "bs.tuan")
    again = await (await client.get("/sign-in/second-factor")).text()
    assert "data:image/svg+xml" not in again


async def test_a_wrong_code_at_set_up_shows_the_same_secret_again(
    client: Client, work: UnitOfWork, make: Factory, accounts: Accounts
) -> None:
    person = await make.person(Role.TRAINER, sign_in_name="bs.tuan")
    await give_password(work, accounts, person)
    await work.commit()
    await sign_in(client, "bs.tuan")
    before = await (await client.get("/sign-in/second-factor")).text()

    refused = await send_code(client, "abc")
    secret = before.split('<b class="num said">')[1].split("</b>")[0]
    assert refused.status == 422
    assert secret in await refused.text()


async def test_second_factor_page_without_a_first_step_goes_back_to_it(client: Client) -> None:
    shown = await client.get("/sign-in/second-factor", allow_redirects=False)
    sent = await send_code(client, "123456")

    assert shown.headers["Location"] == sent.headers["Location"] == "/sign-in"
