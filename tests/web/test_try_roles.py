"""A demo lets everybody on its own machine try a role; nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from telemed.accounts.models import Person
from telemed.accounts.permissions import Role
from telemed.accounts.service import Accounts, is_demo_open, sign_in_demo
from telemed.app import Overrides, create_app
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Missing
from tests.conftest import FROM_OUR_PAGES, make_settings
from tests.factories import Factory

Client = TestClient[web.Request, web.Application]
OPEN = {"demo": True, "host": "127.0.0.1"}
CLOSED = [
    {"demo": False},
    {"host": "0.0.0.0"},
    {"public_origin": "https://telemed.example"},
    {"host": "0.0.0.0", "public_origin": "http://localhost:8080"},
]


def settings_of(tmp_path: Path, url: str, **changes: Any) -> Settings:
    return make_settings(data_dir=tmp_path / "var", database_url=url, **(OPEN | changes))


@pytest.fixture
async def people(work: UnitOfWork, make: Factory) -> list[Person]:
    """A made-up doctor, and a real one who came first."""
    real = await make.person(Role.COMMUNE_DOCTOR, full_name="Người Thật")
    made_up = await make.person(Role.COMMUNE_DOCTOR, full_name="Người Mẫu", is_synthetic=True)
    await make.person(Role.SPECIALIST, full_name="Người Thật Khác")
    await work.commit()
    return [real, made_up]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_of(tmp_path, database_url)


@pytest.fixture
async def guest(settings: Settings, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Any]:
    """Opens browsers on servers of other settings."""
    opened: list[Client] = []

    async def open_guest(**changes: Any) -> Client:
        other = settings_of(tmp_path, settings.database_url, **changes)
        instead = Overrides(clock=clock, runs_jobs=False)
        app = await asyncio.to_thread(create_app, other, instead)
        client = TestClient(TestServer(app), headers=FROM_OUR_PAGES)
        await client.start_server()
        opened.append(client)
        return client

    yield open_guest
    for client in opened:
        await client.close()


@pytest.mark.usefixtures("people")
async def test_the_block_leads_inside_as_a_made_up_person(guest: Any) -> None:
    client = await guest()
    shown = await (await client.get("/sign-in")).text()
    assert 'action="/try/commune_doctor"' in shown

    tried = await client.post("/try/commune_doctor", allow_redirects=False)
    assert tried.headers["Location"] == "/home"
    assert "Người Mẫu" in await (await client.get("/account")).text()


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("changes", CLOSED)
async def test_nothing_else_than_a_demo_on_loopback_opens_it(
    guest: Any, changes: dict[str, Any]
) -> None:
    client = await guest(**changes)
    shown = await (await client.get("/sign-in")).text()
    assert "/try/" not in shown

    tried = await client.post("/try/commune_doctor", allow_redirects=False)
    assert tried.status == 404
    assert "Set-Cookie" not in tried.headers


@pytest.mark.usefixtures("people")
async def test_whoever_comes_through_a_proxy_is_not_on_this_machine(guest: Any) -> None:
    client = await guest(trusted_proxies=["127.0.0.1"])
    headers = {"X-Forwarded-For": "203.0.113.9"}
    assert "/try/" not in await (await client.get("/sign-in", headers=headers)).text()

    tried = await client.post("/try/commune_doctor", headers=headers, allow_redirects=False)
    assert tried.status == 404


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("role", ["specialist", "administrator", "nobody"])
async def test_real_people_administrators_and_unknown_roles_cannot_be_tried(
    guest: Any, role: str
) -> None:
    client = await guest()

    assert (await client.post(f"/try/{role}", allow_redirects=False)).status == 404


@pytest.mark.parametrize("changes", CLOSED)
def test_settings_close_the_demo(tmp_path: Path, changes: dict[str, Any]) -> None:
    url = "sqlite+aiosqlite:///unused"

    assert is_demo_open(settings_of(tmp_path, url))
    assert not is_demo_open(settings_of(tmp_path, url, **changes))


@pytest.mark.parametrize("changes", CLOSED)
async def test_the_service_refuses_by_itself(
    database: Database, settings: Settings, tmp_path: Path, changes: dict[str, Any]
) -> None:
    closed = settings_of(tmp_path, settings.database_url, **changes)
    accounts = await asyncio.to_thread(Accounts.open, closed, database)

    with pytest.raises(Denied):
        async with database.work() as work:
            await sign_in_demo(work, accounts, Role.COMMUNE_DOCTOR)
    accounts.close()


@pytest.mark.usefixtures("people")
async def test_the_service_takes_made_up_people_only(
    database: Database, accounts: Accounts
) -> None:
    async with database.work() as work:
        assert (await sign_in_demo(work, accounts, Role.COMMUNE_DOCTOR)).is_full
    with pytest.raises(Missing):
        async with database.work() as work:
            await sign_in_demo(work, accounts, Role.SPECIALIST)
