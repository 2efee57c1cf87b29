"""One's own account: password, second factor, logins, language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from tests.factories import Factory
from tests.people import PASSWORD, Client, code_at, give_password, give_second_factor, hold

SignIn = Callable[[Actor], Awaitable[Client]]
NEW = "mưa rào trên mái tôn cũ"


@pytest.fixture
async def doctor(work: UnitOfWork, make: Factory, accounts: Accounts) -> Person:
    """A commune doctor with a password."""
    person = await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.ngan")
    await give_password(work, accounts, person)
    return person


@pytest.fixture
async def browser(doctor: Person, make: Factory, signed_in: SignIn) -> Client:
    """The doctor's browser."""
    return await signed_in(await make.actor_of(doctor))


@pytest.fixture
async def other(browser: Client, doctor: Person, make: Factory, signed_in: SignIn) -> Client:
    """The same doctor on another machine."""
    return await signed_in(await make.actor_of(doctor))


async def is_inside(client: Client) -> bool:
    """Whether the browser is signed in."""
    return (await client.get("/account", allow_redirects=False)).status == 200


def password_form(**changes: str) -> dict[str, str]:
    """A form for a new password."""
    return {"password": PASSWORD, "new_password": NEW, "repeated": NEW} | changes


async def test_account_page_says_who_and_where(browser: Client, doctor: Person) -> None:
    text = await (await browser.get("/account")).text()

    assert doctor.full_name in text
    assert "bs.ngan" in text
    assert "Máy này" in text
    assert "Bác sĩ trạm y tế" in text


async def test_changing_the_password_ends_the_other_logins_and_renews_this_one(
    browser: Client, other: Client
) -> None:
    before = browser.session.cookie_jar.filter_cookies(browser.make_url("/"))["telemed"].value
    response = await browser.post("/account/password", data=password_form(), allow_redirects=False)

    assert response.headers["Location"] == "/account"
    assert [await is_inside(browser), await is_inside(other)] == [True, False]
    hold(browser, before)
    assert not await is_inside(browser)
    signed = await other.post(
        "/sign-in", data={"name": "bs.ngan", "password": NEW}, allow_redirects=False
    )
    assert signed.status == 303


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "sai mật khẩu"}, "Mật khẩu không đúng"),
        ({"new_password": "ngắn quá", "repeated": "ngắn quá"}, "ít nhất 15 ký tự"),
        ({"repeated": NEW + "!"}, "khác nhau"),
        ({"new_password": PASSWORD, "repeated": PASSWORD}, "trùng mật khẩu đang dùng"),
        ({"new_password": "bs.ngan ở bản xa xôi", "repeated": "bs.ngan ở bản xa xôi"}, "dễ đoán"),
    ],
)
async def test_a_password_is_not_changed_without_the_old_one_or_for_a_bad_one(
    browser: Client, other: Client, changes: dict[str, str], sentence: str
) -> None:
    response = await browser.post("/account/password", data=password_form(**changes))

    assert response.status == 422
    assert sentence in await response.text()
    assert await is_inside(other)


async def test_guessing_the_own_password_is_slowed_down(browser: Client) -> None:
    form = password_form(password="sai mật khẩu")
    statuses = [(await browser.post("/account/password", data=form)).status for _ in range(6)]

    assert statuses == [422] * 5 + [429]


async def test_a_password_form_without_the_old_password_names_the_field(browser: Client) -> None:
    form = {"new_password": NEW, "repeated": NEW}
    response = await browser.post(
        "/account/password", json=form, headers={"Sec-Fetch-Mode": "cors"}
    )

    assert response.status == 422
    assert [item["field"] for item in (await response.json())["fields"]] == ["password"]


async def test_one_login_is_ended_from_another(browser: Client, other: Client) -> None:
    text = await (await browser.get("/account")).text()
    uid = text.split('action="/account/logins/')[-1].split("/end")[0]
    response = await browser.post(f"/account/logins/{uid}/end", allow_redirects=False)

    assert response.headers["Location"] == "/account"
    assert [await is_inside(browser), await is_inside(other)] == [True, False]


async def test_the_others_are_ended_at_once(browser: Client, other: Client) -> None:
    await browser.post("/account/logins/end-others", allow_redirects=False)

    assert [await is_inside(browser), await is_inside(other)] == [True, False]


async def test_somebody_elses_login_is_not_to_be_known_of(
    browser: Client, make: Factory, signed_in: SignIn
) -> None:
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    helper = await (await browser.get("/account")).text()
    assert "end-others" not in helper
    before = await stranger.post(f"/account/logins/{'x' * 22}/end")

    assert before.status == 404
    assert await is_inside(browser)


async def test_a_second_factor_is_set_up_by_choice(
    browser: Client, other: Client, clock: FakeClock
) -> None:
    refused = await browser.post("/account/second-factor", data={"password": "sai"})
    assert refused.status == 422
    begun = await browser.post(
        "/account/second-factor", data={"password": PASSWORD}, allow_redirects=False
    )
    hold(browser, begun.cookies["telemed"].value)
    assert begun.headers["Location"].startswith("/sign-in/second-factor")
    assert [await is_inside(browser), await is_inside(other)] == [False, False]

    text = await (await browser.get(begun.headers["Location"])).text()
    secret = text.split('<b class="num said">')[1].split("</b>")[0].replace(" ", "")
    form = {"code": code_at(secret, clock.now()), "next": "/account"}
    done = await browser.post("/sign-in/second-factor", data=form, allow_redirects=False)
    assert done.headers["Location"] == "/account"


async def test_another_authenticator_needs_a_code_of_the_present_one(
    browser: Client, doctor: Person, accounts: Accounts, clock: FakeClock
) -> None:
    async with accounts.database.work() as work:
        secret = await give_second_factor(work, accounts, doctor)
    page = await (await browser.get("/account/second-factor")).text()
    assert 'name="code"' in page

    without = await browser.post("/account/second-factor", data={"password": PASSWORD})
    assert without.status == 422
    form = {"password": PASSWORD, "code": code_at(secret, clock.now())}
    begun = await browser.post("/account/second-factor", data=form, allow_redirects=False)
    assert begun.status == 303


async def test_the_language_goes_with_the_person(
    browser: Client, doctor: Person, make: Factory, signed_in: SignIn
) -> None:
    text = await (await browser.post("/account/language", data={"locale": "en"})).text()
    again = await signed_in(await make.actor_of(doctor))

    assert 'lang="en"' in text
    assert 'lang="en"' in await (await again.get("/account")).text()
    assert (await browser.post("/account/language", data={"locale": "xx"})).status == 422


async def test_the_idle_time_shown_moves_with_use(browser: Client, clock: FakeClock) -> None:
    clock.advance(timedelta(minutes=5))
    await browser.get("/account")
    text = await (await browser.get("/account")).text()

    assert "dùng gần nhất 09:05 23/11/2026" in text
