"""Fixtures for every suite: settings, both database engines, clock, unit of work, application."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web, web_app
from aiohttp.test_utils import TestClient, TestServer
from blockbuster import blockbuster_ctx
from sqlmodel.main import default_registry
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor
from telemed.accounts.service import Accounts
from telemed.app import Overrides, create_app
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database, UnitOfWork
from telemed.sessions import opening
from telemed.sessions import service as sessions
from telemed.sessions.models import LiveSession
from telemed.web.cookies import login_cookie_name
from tests.factories import Case, Factory
from tests.fakes import FakeAnnouncer
from tests.schema import make_schema
from tests.servers import Postgres, Redis, fast_directory

Client = TestClient[web.Request, web.Application]

# What a browser says of a page that one of our own pages leads to.
FROM_OUR_PAGES = {
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Accept": "text/html",
}
# A Monday, 09:00 in Điện Biên.
MONDAY_MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


# Folders whose tests start whole servers and browsers: each is one queue, after everything quick.
# The browser comes last: it keeps the thread's event loop to itself.
SLOW_SUITES = ("faults", "browser")
# Files whose tests look at one thing that takes long to make.
WHOLE_FILES = ("tests/test_architecture.py", "tests/unit/test_demo.py")


class OneQueueForEachSlowSuite(LoadScopeScheduling):
    """Hands out quick tests one by one, a slow suite and some files as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        whole = (*(f"tests/{suite}/" for suite in SLOW_SUITES), *WHOLE_FILES)
        return next((scope for scope in whole if scope in nodeid), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How workers share the tests (`pytest -n 2`)."""
    config.option.loadscopereorder = False
    return OneQueueForEachSlowSuite(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow suites by their folder, and put them last.

    Parameters taken from a set come in another order in every worker; line and name do not.
    """
    for item, suite in product(items, SLOW_SUITES):
        if f"tests/{suite}/" in item.nodeid:
            item.add_marker(suite)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, Path, int, str]:
    suites = [f"tests/{suite}/" in item.nodeid for suite in SLOW_SUITES]
    turn = suites.index(True) + 1 if any(suites) else 0
    return turn, item.path, item.location[1] or 0, item.name


# Short looks at the disk: before anybody is served, once a connection, once a template.
MAY_BLOCK = [
    ("telemed/core/db.py", "_sqlite_writer"),
    ("telemed/migrations/__init__.py", {"is_current", "bring_to", "<lambda>"}),
    ("jinja2/loaders.py", "get_source"),
    ("asyncpg/connect_utils.py", "_parse_connect_arguments"),
]


@pytest.fixture(autouse=True)
def blocking_calls_fail() -> Iterator[None]:
    """Whatever of ours blocks the event loop fails the test that ran it."""
    with blockbuster_ctx("telemed") as detector:
        for call, (file, function) in product(detector.functions.values(), MAY_BLOCK):
            call.can_block_in(file, function)
        yield


@pytest.fixture(autouse=True)
def what_a_test_had_is_forgotten() -> Iterator[None]:
    """aiohttp keeps a thousand applications, mappers keep statements of engines that are gone.

    Collecting garbage among millions of objects would stop the process for seconds at a time.
    """
    yield
    web_app._cached_build_middleware.cache_clear()
    for mapper in default_registry.mappers:
        mapper._compiled_cache.clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A quick cluster for rules; nothing in it outlives a power cut."""
    cluster = Postgres(durable=False).start()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[Postgres]:
    """A cluster that keeps what it acknowledged, for the suites that pull the plug."""
    cluster = Postgres(durable=True).start()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis of our own."""
    server = Redis().start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgresql_template(postgres: Postgres) -> str:
    """The name of an empty database of this version; databases of tests are copies of it."""
    name = asyncio.run(postgres.create())
    make_schema(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty database of this version."""
    path = tmp_path_factory.mktemp("template") / "telemed.sqlite3"
    make_schema(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path) -> Iterator[str]:
    """A fresh SQLite file, in memory where the machine allows it."""
    with TemporaryDirectory(prefix="telemed-", dir=fast_directory()) as folder:
        shutil.copy(sqlite_template, folder)
        yield f"sqlite+aiosqlite:///{folder}/{sqlite_template.name}"


@pytest.fixture
async def postgresql_url(postgres: Postgres, postgresql_template: str) -> AsyncIterator[str]:
    """A fresh PostgreSQL database."""
    name = await postgres.create(template=postgresql_template)
    yield postgres.url(name)
    await postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database; the test runs once on each engine."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def clock() -> FakeClock:
    """The time, which stands still until the test moves it."""
    return FakeClock(MONDAY_MORNING)


@pytest.fixture
def announcer() -> FakeAnnouncer:
    """Collects the hints that were sent."""
    return FakeAnnouncer()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation that lives for one test; hashing is as cheap as it goes."""
    return make_settings(data_dir=tmp_path / "var", database_url=database_url)


@pytest.fixture
async def database(
    settings: Settings, clock: FakeClock, announcer: FakeAnnouncer
) -> AsyncIterator[Database]:
    """An open database on each engine."""
    database = Database(settings.database, clock=clock, announcer=announcer, settings=settings)
    yield database
    await database.close()


@pytest.fixture
async def work(database: Database) -> AsyncIterator[UnitOfWork]:
    """One transaction, committed when the test ends.

    SQLite has one writer: commit before another unit of work or a request wants to write.
    """
    async with database.work() as work:
        yield work


@pytest.fixture
def make(work: UnitOfWork) -> Factory:
    """Builders of rows in `work`."""
    return Factory(work)


@pytest.fixture
async def case(make: Factory) -> Case:
    """A case that a specialist has taken."""
    return await make.case(ConsultState.ACCEPTED)


@pytest.fixture
async def live(work: UnitOfWork, case: Case) -> LiveSession:
    """A session of `case`, rung for by the specialist; nobody is inside yet."""
    return await opening.open_for_consult(work, case.specialist, case.consult.uid)


@pytest.fixture
async def both_inside(work: UnitOfWork, case: Case, live: LiveSession) -> None:
    """The two sides of `case` have come into `live`."""
    for actor in (case.specialist, case.doctor):
        await sessions.enter(work, actor, live.uid, resumes=False)


@pytest.fixture
def accounts(settings: Settings, database: Database) -> Iterator[Accounts]:
    """What sign-in needs beyond a transaction."""
    accounts = Accounts.open(settings, database)
    yield accounts
    accounts.close()


@pytest.fixture
def app(settings: Settings, clock: FakeClock, announcer: FakeAnnouncer) -> web.Application:
    """The whole application; due jobs run when the test says so."""
    return create_app(settings, Overrides(clock=clock, announcer=announcer, runs_jobs=False))


@pytest.fixture
async def server(
    app: web.Application, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[TestServer]:
    """The application on a loopback port; the test fails for whatever it logs as an error."""
    server = ServerAsServed(app)
    async with server:
        yield server
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert errors == []


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Client]:
    """A browser that nobody has signed in with."""
    async with TestClient(server, headers=FROM_OUR_PAGES) as client:
        yield client


@pytest.fixture
async def signed_in(
    server: TestServer, work: UnitOfWork, settings: Settings
) -> AsyncIterator[Callable[[Actor], Awaitable[Client]]]:
    """Browsers of people who have signed in; what `work` holds becomes fact first."""
    async with AsyncExitStack() as opened:

        async def open_browser(actor: Actor) -> Client:
            token = await open_login(
                work, actor.id, LoginStrength.FULL, LoginLimits.of(settings), "Chromium"
            )
            await work.commit()
            cookies = {login_cookie_name(settings): token}
            return await opened.enter_async_context(
                TestClient(server, headers=FROM_OUR_PAGES, cookies=cookies)
            )

        yield open_browser


class ServerAsServed(TestServer):
    """Like production: a handler runs to its end when the browser goes away."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return web.AppRunner(self.app, **(options | {"handler_cancellation": False}))


def make_settings(**changes: Any) -> Settings:
    """Settings for tests, with what the test wants otherwise."""
    defaults = {
        "secret_key": "a-secret-for-tests-that-is-long-enough",
        "password_hash_memory_kib": 8,
    }
    return load_settings(**(defaults | changes))
