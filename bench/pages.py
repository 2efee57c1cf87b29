"""Worklist, open loops and history at 100,000 consults, on both engines, against the same SQL bare.

`python -m bench.pages [--consults 1000000]` fills a fresh database on each engine, serves the real application, and
times each page inside the server: from the request to the committed, rendered answer. The SQL that
one such request ran (its audit records and its commit to disk included) is then run bare, through
the driver alone, in alternation with the requests.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event

from bench.province import CONSULTS, fill
from telemed.app import Overrides, create_app
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database
from telemed.keys import DATABASE
from tests.servers import Postgres

ROUNDS = 150
WARM_UP = 20
GOAL = 3.0
FROM_OUR_PAGES = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}

Statement = tuple[str, list[Any]]


class Recorder:
    """Listens to the statements of one request."""

    def __init__(self, database: Database) -> None:
        self.statements: list[Statement] = []
        self.is_on = False
        engines = {database.engine.sync_engine, database.reading_engine.sync_engine}
        for engine in engines:
            event.listen(engine, "before_cursor_execute", self._hear)

    def _hear(self, *heard: Any) -> None:
        _connection, _cursor, statement, parameters, _context, many = heard
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
    "open loops, specialist": ("specialist", "/outcomes"),
    "open loops, station": ("doctor", "/outcomes"),
    "history, station": ("doctor", "/history"),
    "history, trainer, 2 words": ("trainer", "/history?q=khotho+sotng"),
}


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of all lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measure(
    settings: Settings, cookies: Mapping[str, str], engine: str, bare: Bare
) -> list[list[str]]:
    """One row for each page."""
    app = create_app(settings, Overrides(runs_jobs=False))
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
            headers = FROM_OUR_PAGES | {"Cookie": cookies[who]}

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--consults", type=int, default=CONSULTS)
    consults = parser.parse_args().consults
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
            began = time.perf_counter()
            cookies = await fill(settings, consults)
            print(f"{engine}: filled in {time.perf_counter() - began:.0f} s", flush=True)
            # The bare statements write to a copy: the product's own chain stays whole.
            if engine == "sqlite":
                bare = bare_sqlite(Path(shutil.copy(path, folder / "copy.sqlite3")))
            else:
                copy = await cluster.create(template=url.rsplit("/", 1)[1].split("?")[0])
                bare = await bare_postgres(cluster.url(copy))
            rows += await measure(settings, cookies, engine, bare)
    finally:
        cluster.remove()
    print(f"\nPages at {consults:,} consults, {ROUNDS} requests each")
    table([*HEADS, f"≤ {GOAL:g}"], rows)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[index]) for row in [heads, *rows]) for index in range(len(heads))]
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    uvloop.run(main())
