"""The way in and out, as a browser sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonState
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from tests.factories import Factory
from tests.fakes import FakeAnnouncer
from tests.people import PASSWORD, Client, give_password, hold

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


@pytest.fixture
async def doctor(work: UnitOfWork, make: Factory, accounts: Accounts) -> Person:
    """A commune doctor with a password."""
    person = await make.person(
        Role.COMMUNE_DOCTOR, sign_in_name="bs.ngan", full_name="Điêu Thị Ngân"
    )
    await give_password(work, accounts, person)
    await work.commit()
    return person


async def sign_in(
    client: Client, name: str, password: str = PASSWORD, **more: str
) -> ClientResponse:
    """Send the first form."""
    data = {"name": name, "password": password, **more}
    return await client.post("/sign-in", data=data, allow_redirects=False)


async def status_inside(client: Client) -> int:
    """What the own account answers: 200 inside, 303 outside."""
    response = await client.get("/account", allow_redirects=False)
    return response.status


def token_of(client: Client) -> str:
    """The login that the browser holds."""
    return client.session.cookie_jar.filter_cookies(client.make_url("/"))["telemed"].value


async def tags(database: Database) -> list[AuditTag]:
    """What is on record, oldest first."""
    async with database.read() as work:
        query = select(col(AuditRecord.tag)).order_by(col(AuditRecord.sequence))
        return list((await work.session.exec(query)).all())


async def test_sign_in_page_says_what_to_type(client: Client) -> None:
    response = await client.get("/sign-in")

    text = await response.text()
    assert response.status == 200
    assert 'autocomplete="username"' in text
    assert 'autocomplete="current-password"' in text
    assert "/try/" not in text


@pytest.mark.usefixtures("doctor")
async def test_right_password_opens_the_home_page_with_a_guarded_cookie(client: Client) -> None:
    response = await sign_in(client, "bs.ngan")

    cookie = response.headers["Set-Cookie"]
    assert (response.status, response.headers["Location"]) == (303, "/home")
    assert cookie.startswith("telemed=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Max-Age" not in cookie
    assert "Domain" not in cookie
    assert len(token_of(client)) >= 43
    assert token_of(client) not in await response.text()
    assert await status_inside(client) == 200


@pytest.mark.usefixtures("doctor")
async def test_sign_in_name_ignores_case_and_blanks_around_it(client: Client) -> None:
    response = await sign_in(client, "  BS.Ngan ")

    assert response.status == 303


@pytest.mark.usefixtures("doctor")
async def test_wrong_password_and_unknown_name_get_the_same_answer(client: Client) -> None:
    wrong = await sign_in(client, "bs.ngan", "sai mật khẩu")
    unknown = await sign_in(client, "bs.ngax", "sai mật khẩu")

    assert wrong.status == unknown.status == 422
    texts = [await wrong.text(), await unknown.text()]
    assert texts[0].replace("bs.ngan", "") == texts[1].replace("bs.ngax", "")
    assert "sai mật khẩu" not in texts[0]
    assert "Set-Cookie" not in wrong.headers


async def test_disabled_and_invited_people_get_the_same_answer(
    client: Client, work: UnitOfWork, make: Factory, accounts: Accounts
) -> None:
    for state in (PersonState.DISABLED, PersonState.INVITED):
        person = await make.person(Role.COMMUNE_DOCTOR, state=state, sign_in_name=f"bs.{state}")
        await give_password(work, accounts, person)
    await work.commit()

    for state in (PersonState.DISABLED, PersonState.INVITED):
        response = await sign_in(client, f"bs.{state}")
        assert response.status == 422


@pytest.mark.usefixtures("doctor")
async def test_every_refusal_is_on_record(client: Client, database: Database) -> None:
    await sign_in(client, "bs.ngan", "sai mật khẩu")
    await sign_in(client, "nobody", "sai mật khẩu")

    assert await tags(database) == [AuditTag.SIGN_IN_REFUSED] * 2


@pytest.mark.usefixtures("doctor")
async def test_guessing_is_slowed_down_and_says_for_how_long(
    client: Client, clock: FakeClock
) -> None:
    for _ in range(5):
        await sign_in(client, "bs.ngan", "sai mật khẩu")

    slowed = await sign_in(client, "bs.ngan")
    assert slowed.status == 429
    assert slowed.headers["Retry-After"] == "1"
    clock.advance(timedelta(seconds=1))
    assert (await sign_in(client, "bs.ngan")).status == 303


@pytest.mark.usefixtures("doctor")
async def test_forged_forwarding_headers_are_no_way_around_the_wait(client: Client) -> None:
    for number in range(20):
        last = await client.post(
            "/sign-in",
            data={"name": "bs.ngan", "password": "sai mật khẩu"},
            headers={"X-Forwarded-For": f"10.1.2.{number}"},
        )

    assert last.status == 429


@pytest.mark.usefixtures("doctor")
async def test_signing_in_goes_on_to_where_one_was_sent_from(client: Client) -> None:
    sent = await client.get("/account", allow_redirects=False)
    location = sent.headers["Location"]
    shown = await (await client.get(location)).text()

    assert location == "/sign-in?next=/account"
    assert 'name="next" value="/account"' in shown
    response = await sign_in(client, "bs.ngan", next="/account?x=1")
    assert response.headers["Location"] == "/account?x=1"


@pytest.mark.usefixtures("doctor")
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "evil",
        "/ā",
        "/a b",
        "/sign-in",
    ],
)
async def test_signing_in_never_leads_to_another_site(client: Client, target: str) -> None:
    response = await sign_in(client, "bs.ngan", next=target)

    assert response.headers["Location"] == "/home"


@pytest.mark.usefixtures("doctor")
async def test_a_form_sent_by_another_site_is_refused(client: Client) -> None:
    response = await client.post(
        "/sign-in",
        data={"name": "bs.ngan", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert response.status == 403
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"password": "x"}, "name"),
        ({"name": "bs.ngan"}, "password"),
        ({"name": "x" * 41, "password": "x"}, "name"),
        ({"name": "bs.ngan", "password": "x" * 1001}, "password"),
        ({"name": "bs.ngan", "password": "x", "role": "administrator"}, "role"),
    ],
)
async def test_malformed_forms_name_the_field(
    client: Client, data: dict[str, str], field: str
) -> None:
    response = await client.post("/sign-in", json=data, headers=SCRIPT)

    assert response.status == 422
    assert [item["field"] for item in (await response.json())["fields"]] == [field]


async def test_signing_out_kills_the_login_at_the_server(
    signed_in: SignIn, make: Factory, announcer: FakeAnnouncer
) -> None:
    actor = await make.actor(Role.COMMUNE_DOCTOR)
    browser = await signed_in(actor)
    token = token_of(browser)

    left = await browser.post("/sign-out", allow_redirects=False)
    assert left.headers["Location"] == "/sign-in"
    assert any(
        cookie.startswith('telemed="";') and "Max-Age=0" in cookie
        for cookie in left.headers.getall("Set-Cookie")
    )
    hold(browser, token)
    assert await status_inside(browser) == 303
    assert announcer.events(f"person:{actor.uid}") == ["login_revoked"]


async def test_an_idle_login_ends(
    signed_in: SignIn, make: Factory, clock: FakeClock, settings: Settings
) -> None:
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    clock.advance(timedelta(minutes=settings.login_idle_minutes - 1))
    assert await status_inside(browser) == 200

    clock.advance(timedelta(minutes=settings.login_idle_minutes))
    assert await status_inside(browser) == 303


async def test_what_a_page_does_by_itself_keeps_nobody_alive(
    signed_in: SignIn, make: Factory, clock: FakeClock, settings: Settings
) -> None:
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    clock.advance(timedelta(minutes=settings.login_idle_minutes - 1))
    polled = await browser.get("/account", headers={"X-By-Itself": "1"})
    assert polled.status == 200

    clock.advance(timedelta(minutes=1))
    assert await status_inside(browser) == 303


async def test_a_login_ends_in_any_case(
    signed_in: SignIn, make: Factory, clock: FakeClock, settings: Settings
) -> None:
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    step = timedelta(minutes=30)
    steps = timedelta(hours=settings.login_absolute_hours) // step
    statuses = []
    for _ in range(steps):
        clock.advance(step)
        statuses.append(await status_inside(browser))

    assert statuses == [200] * (steps - 1) + [303]


async def test_signing_in_over_somebody_ends_their_login(
    signed_in: SignIn, make: Factory, doctor: Person
) -> None:
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    before = token_of(browser)
    await sign_in(browser, doctor.sign_in_name)

    hold(browser, before)
    assert await status_inside(browser) == 303


async def test_sign_in_page_sends_those_inside_on(signed_in: SignIn, make: Factory) -> None:
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))

    response = await browser.get("/sign-in?next=/account", allow_redirects=False)
    assert response.headers["Location"] == "/account"


async def test_another_language_is_kept_by_the_browser(client: Client) -> None:
    response = await client.get("/language/en?next=/sign-in")

    assert response.url.path == "/sign-in"
    assert 'lang="en"' in await response.text()
    assert (await client.get("/language/xx")).status == 404
