"""Worklist and history page at 100,000 consults, on both engines, against the same SQL run bare.

`python -m bench.pages` fills a fresh database on each engine, serves the real application, and
times each page inside the server: from the request to the committed, rendered answer. The SQL that
one such request ran (its audit records and its commit to disk included) is then run bare, through
the driver alone, in alternation with the requests.
"""

from __future__ import annotations

import logging
import random
import secrets
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event, insert, text

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.app import Overrides, create_app
from telemed.consults.clocks import due_at
from telemed.consults.lifecycle import UNDER_WAY, ConsultState
from telemed.consults.models import Consult, ConsultQuestion, Urgency
from telemed.core.columns import new_uid
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database
from telemed.keys import DATABASE
from telemed.migrations import migrate
from telemed.patients.models import Patient
from tests.factories import RANKS, Factory
from tests.servers import Postgres

CONSULTS = 100_000
PATIENTS = 20_000
ROUNDS = 150
WARM_UP = 20
GOAL = 3.0
WORDS = [f"{a}{b}" for a in ("kho", "sot", "ho", "dau", "viem") for b in ("tho", "ng", "phoi", "a")]
CLOSED = (ConsultState.CLOSED, ConsultState.ANSWERED, ConsultState.CANCELLED)
FROM_OUR_PAGES = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@dataclass
class Place:
    """A filled database and the people who look at it."""

    settings: Settings
    database: Database
    cookies: dict[str, str] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)


async def fill(settings: Settings) -> Place:
    """Tables, 45 stations, specialists of 8 specialties, patients and consults."""
    database = Database(settings.database, settings=settings)
    await migrate(database)
    place = Place(settings, database)
    chance = random.Random(1)
    async with database.work() as work:
        make = Factory(work)
        stations = [await make.facility() for _ in range(45)]
        specialties = [await make.specialty(f"s{number}") for number in range(8)]
        doctors = [await make.actor(Role.COMMUNE_DOCTOR, at=each) for each in stations]
        experts = [await make.actor(Role.SPECIALIST, specialty=each) for each in specialties]
        trainer = await make.actor(Role.TRAINER)
        pattern = await make.patient(at=stations[0], by=doctors[0])
        model = pattern.model_dump(exclude={"id", "uid", "personal_number"})
        patients = [
            model | {"uid": new_uid(), "station_id": chance.choice(stations).id}
            for _ in range(PATIENTS)
        ]
        await work.session.exec(insert(Patient), params=patients)
        limits = LoginLimits.of(settings)
        place.actors = {"doctor": doctors[0], "specialist": experts[0], "trainer": trainer}
        for who, actor in place.actors.items():
            token = await open_login(work, actor.id, LoginStrength.FULL, limits, "bench")
            place.cookies[who] = f"telemed={token}"
        now = work.now()
        columns = {column.name for column in Consult.__table__.columns}  # type: ignore[attr-defined]
        base = Consult(station_id=0, requester_id=0, patient_id=0, created_at=now).model_dump()
        rows = []
        for number in range(CONSULTS):
            index = chance.randrange(45)
            expert = chance.randrange(8)
            is_old = number < CONSULTS - 2000
            state = chance.choice(CLOSED) if is_old else ConsultState.REQUESTED
            at = now - timedelta(minutes=(CONSULTS - number) * 5)
            urgency = chance.choice(list(Urgency))
            rows.append(
                base
                | {
                    "uid": new_uid(),
                    "number": f"HC-2026-{number:06}",
                    "station_id": stations[index].id,
                    "requester_id": doctors[index].id,
                    "patient_id": chance.randrange(2, PATIENTS),
                    "specialty_id": specialties[expert].id,
                    "assigned_id": experts[expert].id if is_old or state in UNDER_WAY else None,
                    "state": state,
                    "urgency": urgency,
                    "rank": RANKS[urgency],
                    "requested_at": at,
                    "due_at": due_at(urgency, at),
                    "closed_at": at if is_old else None,
                    "icd_code": "J18.1",
                    "patient_age_years": chance.randrange(90),
                    "reason": "Sốt, ho, khó thở",
                    "search_text": " ".join(chance.choices(WORDS, k=30)),
                    "revision": 1,
                }
            )
        keep = columns - {"id"}
        rows = [{name: row[name] for name in keep} for row in rows]
        for start in range(0, CONSULTS, 5000):
            await work.session.exec(insert(Consult), params=rows[start : start + 5000])
        questions = [
            {"consult_id": number, "number": 1, "text": "Có cần chuyển viện không?"}
            for number in range(1, CONSULTS + 1)
        ]
        for start in range(0, CONSULTS, 5000):
            await work.session.exec(insert(ConsultQuestion), params=questions[start : start + 5000])
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE"))
    return place


Statement = tuple[str, list[Any]]


class Recorder:
    """Listens to the statements of one request."""

    def __init__(self, database: Database) -> None:
        self.statements: list[Statement] = []
        self.is_on = False
        engines = {database.engine.sync_engine, database.reading_engine.sync_engine}
        for engine in engines:
            event.listen(engine, "before_cursor_execute", self._hear)

    def _hear(self, _c: Any, _k: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if self.is_on and not statement.startswith("BEGIN"):
            self.statements.append((statement, list(parameters) if many else [parameters]))


def fresh(statement: Statement) -> Statement:
    """Audit records are unique by number and hash: a repeated one gets others."""
    sql, rows = statement
    if not sql.startswith("INSERT INTO audit_record"):
        return statement
    first, last = secrets.randbits(30) + 10**9, secrets.token_hex
    return sql, [(first + number, *row[1:-1], last(32)) for number, row in enumerate(rows)]


Bare = Callable[[Sequence[Statement]], Awaitable[None]]


def bare_sqlite(path: Path) -> Bare:
    """The statements through Python's own driver, with the pragmas of the product."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")

    async def run(statements: Sequence[Statement]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for sql, rows in statements:
            for row in rows:
                connection.execute(sql, row).fetchall()
        connection.execute("COMMIT")

    return run


async def bare_postgres(url: str) -> Bare:
    """The statements through asyncpg."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))

    async def run(statements: Sequence[Statement]) -> None:
        async with connection.transaction():
            for sql, rows in statements:
                for row in rows:
                    await connection.fetch(sql, *row)

    return run


PAGES = {
    "worklist": ("specialist", "/worklist"),
    "history, station": ("doctor", "/history"),
    "history, trainer, 2 words": ("trainer", "/history?q=khotho+sotng"),
}


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(place: Place, engine: str, bare: Bare) -> list[list[str]]:
    """One row for each page."""
    app = create_app(place.settings, Overrides(runs_jobs=False))
    timed: list[float] = []

    @web.middleware
    async def time_answer(request: web.Request, handler: Any) -> web.StreamResponse:
        start = time.perf_counter()
        response = await handler(request)
        timed.append(time.perf_counter() - start)
        return response

    app.middlewares.insert(0, time_answer)
    recorder = Recorder(app[DATABASE])
    rows = []
    async with TestClient(TestServer(app)) as client:
        for name, (who, url) in PAGES.items():
            headers = FROM_OUR_PAGES | {"Cookie": place.cookies[who]}

            async def ask(url: str = url, headers: dict[str, str] = headers) -> None:
                async with client.get(url, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                    await answer.read()

            for _ in range(WARM_UP):
                await ask()
            recorder.statements, recorder.is_on = [], True
            await ask()
            recorder.is_on = False
            statements = list(recorder.statements)
            timed.clear()
            bares = []
            for _ in range(ROUNDS):
                await ask()
                again = [fresh(statement) for statement in statements]
                start = time.perf_counter()
                await bare(again)
                bares.append(time.perf_counter() - start)
            rows.append(_row(engine, name, len(statements), timed, bares))
    return rows


def _row(
    engine: str, name: str, count: int, timed: Sequence[float], bares: Sequence[float]
) -> list[str]:
    ratio = quantile(timed, 0.95) / quantile(bares, 0.95)
    return [
        engine,
        name,
        str(count),
        f"{statistics.median(timed) * 1000:.1f}",
        f"{quantile(timed, 0.95) * 1000:.1f}",
        f"{statistics.median(bares) * 1000:.1f}",
        f"{quantile(bares, 0.95) * 1000:.1f}",
        f"{statistics.median(timed) / statistics.median(bares):.1f}",
        f"{ratio:.1f}",
        "yes" if ratio <= GOAL else "NO",
    ]


HEADS = (
    "engine",
    "page",
    "statements",
    "p50 ms",
    "p95 ms",
    "bare p50",
    "bare p95",
    "p50 ×",
    "p95 ×",
)


async def main() -> None:
    """Both engines, one table."""
    logging.disable(logging.INFO)
    folder = Path(tempfile.mkdtemp(prefix="telemed-bench-"))
    cluster = Postgres(durable=True).start()
    rows: list[list[str]] = []
    try:
        for engine in ("sqlite", "postgresql"):
            path = folder / "telemed.sqlite3"
            url = f"sqlite+aiosqlite:///{path}"
            if engine == "postgresql":
                url = cluster.url(await cluster.create())
            settings = load_settings(
                data_dir=folder / engine, database_url=url, secret_key="b" * 40
            )
            place = await fill(settings)
            await place.database.close()
            # The bare statements write to a copy: the product's own chain stays whole.
            if engine == "sqlite":
                bare = bare_sqlite(Path(shutil.copy(path, folder / "copy.sqlite3")))
            else:
                copy = await cluster.create(template=url.rsplit("/", 1)[1].split("?")[0])
                bare = await bare_postgres(cluster.url(copy))
            rows += await measure(place, engine, bare)
    finally:
        cluster.remove()
    table([*HEADS, f"≤ {GOAL:g}"], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[index]) for row in [heads, *rows]) for index in range(len(heads))]
    print(f"\nPages at {CONSULTS:,} consults, {ROUNDS} requests each")
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
