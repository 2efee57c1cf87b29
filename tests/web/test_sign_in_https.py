"""Behind TLS the login cookie is locked to the host and to TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from telemed.accounts.permissions import Role
from telemed.accounts.service import Accounts
from telemed.app import Overrides, create_app
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import UnitOfWork
from tests.conftest import FROM_OUR_PAGES, make_settings
from tests.factories import Factory
from tests.people import PASSWORD, Client, give_password


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a site that browsers reach through TLS."""
    return make_settings(
        data_dir=tmp_path / "var",
        database_url=database_url,
        public_origin="https://telemed.example",
    )


@pytest.fixture
async def client(settings: Settings, clock: FakeClock) -> AsyncIterator[Client]:
    """A browser behind the proxy that ends TLS."""
    app = await asyncio.to_thread(create_app, settings, Overrides(clock=clock, runs_jobs=False))
    async with TestClient(TestServer(app), headers=FROM_OUR_PAGES) as client:
        yield client


async def test_the_login_cookie_is_locked_to_this_host_and_to_tls(
    client: Client, work: UnitOfWork, make: Factory, accounts: Accounts
) -> None:
    await give_password(work, accounts, await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.a"))
    await work.commit()
    form = {"name": "bs.a", "password": PASSWORD}
    response = await client.post("/sign-in", data=form, allow_redirects=False)

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-telemed=")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert flags == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
