"""The matrix of entrustment at its largest: 45 stations, 200 people, 300 techniques, every cell filled.

`python -m bench.matrix` serves the real application on each engine and asks for the page as a
coordinator does: the time on the server until the answer is complete, the bytes of it as they are
and compressed, and how long the event loop was held up meanwhile. Beside it the statement that
fetches the cells alone, bare.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import uvloop
from aiohttp.test_utils import TestClient, TestServer

from bench.pages import FROM_OUR_PAGES, quantile
from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Role
from telemed.app import Overrides, create_app
from telemed.core.clock import LOCAL_ZONE
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database
from telemed.migrations import migrate
from telemed.training.entrustment.levels import Basis
from telemed.training.entrustment.models import Entrustment
from tests.factories import Factory
from tests.servers import Postgres

STATIONS: Final = 45
PEOPLE: Final = 200
TECHNIQUES: Final = 300
CHAPTERS: Final = 28
ROUNDS: Final = 10
GOAL_SECONDS: Final = 1.0
TICK: Final = 0.005
CELLS: Final = (
    "SELECT person_id, technique_key, level, expires_on FROM entrustment"
    " WHERE is_current AND basis = 'summative'"
)


async def fill(settings: Settings) -> str:
    """A decision for everybody and every technique; the cookie of a coordinator."""
    database = Database(settings.database, settings=settings)
    await migrate(database)
    now = datetime.now(UTC)
    today = now.astimezone(LOCAL_ZONE).date()
    async with database.work() as work:
        make = Factory(work)
        coordinator, trainer = await make.actor(Role.COORDINATOR), await make.actor(Role.TRAINER)
        stations = [await make.facility() for _ in range(STATIONS)]
        for number in range(PEOPLE):
            station = stations[number % STATIONS]
            person = await make.person(Role.COMMUNE_DOCTOR, at=station)
            for technique in range(TECHNIQUES):
                code = f"{technique % CHAPTERS + 1}.{technique}"
                made = Entrustment(
                    person_id=person.id or 0,
                    station_id=station.id or 0,
                    technique_key=code,
                    technique_code=code,
                    technique_name=f"Kỹ thuật số {technique} tại trạm",
                    level=1 + (number + technique) % 5,
                    basis=Basis.SUMMATIVE,
                    limits="Chỉ người lớn",
                    decided_by_id=trainer.id,
                    decided_at=now,
                    expires_on=today + timedelta(days=(number * technique) % 400 - 20),
                )
                work.session.add(made)
            await work.session.flush()
            work.session.expunge_all()
        limits = LoginLimits.of(settings)
        token = await open_login(work, coordinator.id, LoginStrength.FULL, limits, "bench")
    await database.close()
    return f"telemed={token}"


async def ask(settings: Settings, cookie: str, rounds: int) -> tuple[list[float], float, int, int]:
    """Seconds of each answer, the longest hold-up of the loop, and bytes plain and compressed."""
    app = create_app(settings, Overrides(runs_jobs=False))
    headers = FROM_OUR_PAGES | {"Cookie": cookie}
    seconds: list[float] = []
    held = 0.0

    async def watch() -> None:
        nonlocal held
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            held = max(held, time.perf_counter() - began - TICK)

    async with TestClient(TestServer(app), auto_decompress=False) as client:
        sizes = []
        for encoding in ("identity", "br, gzip"):
            with_encoding = headers | {"Accept-Encoding": encoding}
            async with client.get("/training/matrix", headers=with_encoding) as answer:
                assert answer.status == 200, answer.status
                sizes.append(len(await answer.read()))
        watcher = asyncio.create_task(watch())
        for _ in range(rounds):
            began = time.perf_counter()
            async with client.get("/training/matrix", headers=headers) as answer:
                await answer.read()
            seconds.append(time.perf_counter() - began)
        watcher.cancel()
    return seconds, held, sizes[0], sizes[1]


async def ask_bare(url: str, path: Path, rounds: int) -> list[float]:
    """Seconds of the cells' statement through the engine's own driver."""
    seconds: list[float] = []
    if url.startswith("sqlite"):
        connection = sqlite3.connect(path)
        for _ in range(rounds):
            began = time.perf_counter()
            connection.execute(CELLS).fetchall()
            seconds.append(time.perf_counter() - began)
        connection.close()
        return seconds
    postgres = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    for _ in range(rounds):
        began = time.perf_counter()
        await postgres.fetch(CELLS)
        seconds.append(time.perf_counter() - began)
    await postgres.close()
    return seconds


def line(
    engine: str, product: Sequence[float], bare: Sequence[float], held: float, sizes: Sequence[int]
) -> str:
    """One row of the table."""
    p95 = quantile(product, 0.95)
    return (
        f"{engine:<11} {quantile(product, 0.5) * 1000:>7.0f} {p95 * 1000:>7.0f}"
        f" {quantile(bare, 0.95) * 1000:>12.0f} {held * 1000:>8.0f}"
        f" {sizes[0] / 1000:>8.0f} {sizes[1] / 1000:>8.0f}  {'yes' if p95 <= GOAL_SECONDS else 'NO'}"
    )


async def main() -> None:
    """Both engines, one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    logging.disable(logging.INFO)
    cluster = Postgres(durable=True).start()
    lines = []
    try:
        with tempfile.TemporaryDirectory(prefix="telemed-matrix-") as folder:
            for engine in ("sqlite", "postgresql"):
                path = Path(folder, "telemed.sqlite3")
                url = f"sqlite+aiosqlite:///{path}"
                if engine == "postgresql":
                    url = cluster.url(await cluster.create())
                settings = load_settings(
                    data_dir=Path(folder, engine), database_url=url, secret_key="b" * 40
                )
                cookie = await fill(settings)
                product, held, *sizes = await ask(settings, cookie, rounds)
                lines.append(line(engine, product, await ask_bare(url, path, rounds), held, sizes))
    finally:
        cluster.remove()
    print(f"\n{STATIONS} stations × {PEOPLE} people × {TECHNIQUES} techniques, every cell filled")
    print("engine       p50 ms  p95 ms  bare p95 ms  loop ms       kB   sent kB  ≤ 1 s")
    print("\n".join(lines))


if __name__ == "__main__":
    uvloop.run(main())
