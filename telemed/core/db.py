"""Two engines behind one door: SQLite (one writing connection) and PostgreSQL."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import URL, Dialect, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel.ext.asyncio.session import AsyncSession

from telemed.core.audit import AuditTag, PendingRecord, write_chain
from telemed.core.clock import Clock, SystemClock
from telemed.core.config import Settings
from telemed.core.errors import N_, Conflict, Unavailable
from telemed.core.sqlite import visit_once

log = logging.getLogger(__name__)

WRITE_WAIT_SECONDS = 30
READ_CONNECTIONS = 4
SERVER_CONNECTIONS = 10
# PostgreSQL ends one of those who wait for each other, or who saw the same rows change.
_LOST_RACE = frozenset({"40P01", "40001"})


class HasId(Protocol):
    """Whoever acts; only the key of the person goes into the audit chain."""

    @property
    def id(self) -> int: ...


@dataclass(frozen=True)
class Announcement:
    """A hint that something is at event `number`; readers fetch what they lack."""

    channel: str
    event: str
    number: int = 0


class Announcer(Protocol):
    """Carries hints to whoever listens; every hint may be lost without loss of fact."""

    async def announce(self, hints: list[Announcement]) -> None:
        """Send after a commit."""
        ...


class SilentAnnouncer:
    """Nobody listens: commands and tests of rules."""

    async def announce(self, hints: list[Announcement]) -> None:
        """Drop the hints."""


AfterCommit = Callable[[], Awaitable[None] | None]


class UnitOfWork:
    """One transaction: rows, audit records and hints stand or fall together.

    Services add to it; only edges commit. The connection is taken at the first statement.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        announcer: Announcer,
        settings: Settings,
        request_id: str = "",
    ) -> None:
        self.session = AsyncSession(engine, expire_on_commit=False)
        self.settings = settings
        self.request_id = request_id
        self._clock = clock
        self._announcer = announcer
        self._audit: list[PendingRecord] = []
        self._refusals: list[PendingRecord] = []
        self._hints: dict[Announcement, None] = {}
        self._after: list[AfterCommit] = []

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.session.get_bind().dialect.name

    def now(self) -> datetime:
        """Aware UTC time from the injected clock."""
        return self._clock.now()

    def audit(
        self,
        tag: AuditTag,
        actor: HasId | None,
        subject: str,
        *,
        patient_id: int | None = None,
        **detail: Any,
    ) -> None:
        """Note an act; it is chained and written with the commit."""
        self._audit.append(self._record(tag, actor, subject, patient_id, detail))

    def audit_refusal(
        self, tag: AuditTag, actor: HasId | None, subject: str, **detail: Any
    ) -> None:
        """Note a refused act; it is on record even though the transaction is undone."""
        self._refusals.append(self._record(tag, actor, subject, None, detail))

    def _record(
        self,
        tag: AuditTag,
        actor: HasId | None,
        subject: str,
        patient_id: int | None,
        detail: dict[str, Any],
    ) -> PendingRecord:
        person_id = actor.id if actor else None
        return PendingRecord(
            self.now(), person_id, tag, subject, patient_id, self.request_id, detail
        )

    def announce(self, channel: str, event: str, number: int = 0) -> None:
        """Hint to listeners, once, after the commit only."""
        self._hints[Announcement(channel, event, number)] = None

    def after_commit(self, call: AfterCommit) -> None:
        """Run something once the transaction has become fact."""
        self._after.append(call)

    async def commit(self) -> None:
        """Make everything fact, then tell; what fails in the telling takes nothing back."""
        await self.session.flush()
        if self._audit or self._refusals:
            await write_chain(self.session, self._audit + self._refusals)
        await self.session.commit()
        self._audit.clear()
        self._refusals.clear()
        after, hints = self._after, list(self._hints)
        self._after, self._hints = [], {}
        for call in after:
            await _told(call)
        if hints:
            await _told(lambda: self._announcer.announce(hints))

    async def rollback(self) -> None:
        """Undo everything, including what was to be told; what was refused stays on record."""
        await self.session.rollback()
        self._audit.clear()
        self._hints.clear()
        self._after.clear()
        refusals, self._refusals = self._refusals, []
        if refusals:
            await write_chain(self.session, refusals)
            await self.session.commit()

    async def close(self) -> None:
        """Give the connection back."""
        await self.session.close()


async def _told(call: AfterCommit) -> None:
    try:
        pending = call()
        if inspect.isawaitable(pending):
            await pending
    except Exception as error:  # the change is fact, whatever becomes of the news of it
        log.exception("after a commit: %s", type(error).__name__)


class Database:
    """Owner of the engines of one installation."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        announcer: Announcer | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.url = url
        self.settings = settings or Settings()
        self.clock: Clock = clock or SystemClock()
        self.announcer: Announcer = announcer or SilentAnnouncer()
        self.is_sqlite = url.startswith("sqlite")
        self._writer = _sqlite_writer(url) if self.is_sqlite else _server_engine(url)
        self._reader = _sqlite_reader(url) if self.is_sqlite else self._writer

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes (and migrates)."""
        return self._writer

    @property
    def reading_engine(self) -> AsyncEngine:
        """The engine that only reads; on a server the same one."""
        return self._reader

    @asynccontextmanager
    async def work(self, request_id: str = "") -> AsyncIterator[UnitOfWork]:
        """A unit of work that commits on a clean exit and rolls back on an error."""
        work = UnitOfWork(self._writer, self.clock, self.announcer, self.settings, request_id)
        async with _translated(), _closing(work):
            yield work
            await work.commit()

    @asynccontextmanager
    async def open(self, request_id: str = "") -> AsyncIterator[UnitOfWork]:
        """A unit of work whose commit is left to the caller (an edge)."""
        work = UnitOfWork(self._writer, self.clock, self.announcer, self.settings, request_id)
        async with _translated(), _closing(work):
            yield work

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that cannot write; for what needs no audit record."""
        work = UnitOfWork(self._reader, self.clock, self.announcer, self.settings)
        async with _translated(), _closing(work):
            yield work

    async def close(self) -> None:
        """Dispose of every connection; the writing one last, as it makes the checkpoint."""
        if self._reader is not self._writer:
            await self._reader.dispose()
        await self._writer.dispose()


@asynccontextmanager
async def _closing(work: UnitOfWork) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await work.rollback()
        raise
    finally:
        await work.close()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """What a database says when it is away or when somebody was faster, as a refusal."""
    try:
        yield
    except StaleDataError as error:
        raise _changed() from error
    except (PoolTimeoutError, OperationalError) as error:
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from error
        if getattr(error.orig, "sqlstate", None) in _LOST_RACE:
            raise _changed() from error
        raise


def _changed() -> Conflict:
    return Conflict(
        "changed_meanwhile", N_("Nội dung vừa được người khác đổi. Tải lại để xem bản mới.")
    )


def _unavailable(error: Exception) -> Unavailable:
    log.error("database unavailable: %s", getattr(error, "orig", type(error).__name__))
    return Unavailable("database_unavailable", N_("Máy chủ đang bận. Thử lại sau ít giây."))


def _sqlite_path(url: str) -> Path:
    path = make_url(url).database
    if not path:
        raise ValueError("an SQLite database needs a file")
    return Path(path)


def _sqlite_writer(url: str) -> AsyncEngine:
    # SQLite before 3.51.3 can corrupt the WAL when two connections write or checkpoint
    # (fixed upstream in 3.51.3), so exactly one connection may do either.
    _sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=WRITE_WAIT_SECONDS)
    visit_once(engine)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=5000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _sqlite_reader(url: str) -> AsyncEngine:
    place = URL.create(
        "sqlite+aiosqlite",
        database=f"file:{quote(str(_sqlite_path(url)))}",
        query={"mode": "ro", "uri": "true"},
    )
    engine = create_async_engine(
        place,
        pool_size=READ_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WRITE_WAIT_SECONDS,
    )
    visit_once(engine)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=5000").close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _server_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=SERVER_CONNECTIONS,
        max_overflow=SERVER_CONNECTIONS,
        pool_timeout=WRITE_WAIT_SECONDS,
        pool_pre_ping=True,
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Dialect, _record: object, args: Any, params: Any) -> Any:
        try:
            return dialect.connect(*args, **params)
        except OSError as error:  # the driver's own words for a server that is not there
            raise _unavailable(error) from error

    return engine
