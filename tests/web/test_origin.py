"""Which unsafe requests are believed to come from our own pages: the whole table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlmodel import col, select

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginSession, LoginStrength
from telemed.accounts.permissions import Role
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.web.cookies import login_cookie_name
from tests.conftest import Client, make_settings
from tests.factories import Factory

OWN, FOREIGN = "https://telemed.example", "https://evil.example"
ABSENT = None
SITES = (ABSENT, "same-origin", "none", "same-site", "cross-site", "", "Same-Origin")
ORIGINS = (ABSENT, OWN, f"{OWN}:8443", f"{OWN}.evil.example", FOREIGN, "null", "")
# What the browser says of itself decides; without that the origin; without both nobody's cookie.
BY_SITE = {(site, origin, True) for site, origin in product(("same-origin", "none"), ORIGINS)}
BY_ORIGIN = {(ABSENT, OWN, True)}
WITHOUT_COOKIE = {(site, origin, False) for site, origin, _ in BY_SITE | BY_ORIGIN}
ALLOWED = BY_SITE | BY_ORIGIN | WITHOUT_COOKIE | {(ABSENT, ABSENT, False)}
TABLE = [
    pytest.param(site, origin, has_cookie, id=f"{site}-{origin}-{has_cookie}")
    for site, origin, has_cookie in product(SITES, ORIGINS, (True, False))
]


@pytest.fixture
def settings(sqlite_url: str, tmp_path: object) -> Settings:
    """An installation behind TLS, which knows its own address."""
    return make_settings(data_dir=tmp_path, database_url=sqlite_url, public_origin=OWN)


@pytest.fixture
async def token(work: UnitOfWork, make: Factory, settings: Settings) -> str:
    person = await make.person(Role.COMMUNE_DOCTOR)
    assert person.id
    limits = LoginLimits.of(settings)
    token = await open_login(work, person.id, LoginStrength.FULL, limits, "Chromium")
    await work.commit()
    return token


@pytest.fixture
async def bare(server: TestServer) -> AsyncIterator[Client]:
    """Sends what the test says and nothing by itself."""
    async with TestClient(server, headers={"Accept": "application/json"}) as client:
        yield client


def headers_of(
    settings: Settings, token: str, site: str | None, origin: str | None, *, has_cookie: bool
) -> dict[str, str]:
    given = {
        "Sec-Fetch-Site": site,
        "Origin": origin,
        "Cookie": f"{login_cookie_name(settings)}={token}" if has_cookie else None,
    }
    return {name: value for name, value in given.items() if value is not None}


async def is_signed_in(database: Database) -> bool:
    async with database.read() as work:
        (revoked,) = (await work.session.exec(select(col(LoginSession.revoked_at)))).all()
    return revoked is None


@pytest.mark.parametrize(("site", "origin", "has_cookie"), TABLE)
async def test_only_our_pages_may_change_anything(
    bare: Client,
    database: Database,
    settings: Settings,
    token: str,
    site: str | None,
    origin: str | None,
    has_cookie: bool,
) -> None:
    headers = headers_of(settings, token, site, origin, has_cookie=has_cookie)
    answer = await bare.post("/sign-out", headers=headers)
    is_allowed = (site, origin, has_cookie) in ALLOWED
    assert ((await answer.json()).get("code") != "foreign_origin") == is_allowed
    assert await is_signed_in(database) == (not (is_allowed and has_cookie))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_every_method_that_may_change_anything_is_held_to_it(
    bare: Client, method: str
) -> None:
    answer = await bare.request(method, "/sign-out", headers={"Origin": FOREIGN})
    assert (await answer.json())["code"] == "foreign_origin"
    assert answer.status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_link_from_elsewhere_may_be_followed(
    bare: Client, settings: Settings, token: str, method: str
) -> None:
    headers = headers_of(settings, token, "cross-site", FOREIGN, has_cookie=True)
    answer = await bare.request(method, "/account", headers=headers)
    assert answer.status == 200


async def test_over_tls_browsers_are_told_to_stay_there(bare: Client) -> None:
    answer = await bare.get("/sign-in")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


async def test_on_loopback_both_names_of_this_machine_are_ours() -> None:
    settings = make_settings(port=8099)
    assert settings.origins == ("http://127.0.0.1:8099", "http://localhost:8099")
