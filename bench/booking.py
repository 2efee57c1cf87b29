"""Fifty clients want a time in one calendar at once: how many a second, and never two at one time.

`python -m bench.booking` serves the real application on each engine. In every round fifty doctors,
each at a station of their own, book the same specialist for a case of theirs: a time by chance, and
another one as long as it is taken. Beside it the bare insert under the same guard of the same table
(exclusion constraint on PostgreSQL, triggers on SQLite), by as many connections as the engine takes.
Overlaps are counted by SQL afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import uvloop
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import text

from bench.pages import FROM_OUR_PAGES, quantile
from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Role
from telemed.app import Overrides, create_app
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import LOCAL_ZONE
from telemed.core.columns import new_uid
from telemed.core.config import Settings, load_settings
from telemed.core.db import Database
from telemed.migrations import migrate
from telemed.scheduling import working_hours
from telemed.scheduling.availability import Hours
from tests.factories import Factory
from tests.servers import Postgres

CLIENTS: Final = 50
ROUNDS: Final = 6
SLOT: Final = timedelta(minutes=30)
ALL_DAY: Final = [Hours(day, 8 * 60, 18 * 60, 30) for day in range(7)]
# The times of three days: more than there are clients, so that everybody gets one.
SLOTS: Final = 60
OVERLAPS: Final = """
SELECT count(*) FROM booking a JOIN booking b ON a.id < b.id
AND a.specialist_id = b.specialist_id AND a.start_at < b.end_at AND b.start_at < a.end_at
WHERE a.state = 'booked' AND b.state = 'booked'
"""
INSERT: Final = (
    "INSERT INTO booking (uid, consult_id, specialist_id, patient_id, station_id, room, start_at,"
    " end_at, state, booked_by_id, reason, created_at, moves)"
    " VALUES ({}, {}, {}, {}, {}, 1, {}, {}, 'booked', {}, '', {}, 0)"
)


@dataclass(frozen=True)
class Client:
    """Who wants a time: keys of what a booking names, and the cookie of the doctor."""

    consult_uid: str
    keys: tuple[int, int, int, int, int]
    cookie: str


@dataclass
class Score:
    """What became of the attempts of one way of booking."""

    took: float = 0.0
    said: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


def times(now: datetime) -> list[datetime]:
    """What can be booked: the slots of the next three days."""
    first = now.astimezone(LOCAL_ZONE).replace(hour=8, minute=0, second=0, microsecond=0)
    days = [first + timedelta(days=number) for number in (1, 2, 3)]
    return [(day + SLOT * number).astimezone(UTC) for day in days for number in range(SLOTS // 3)]


async def fill(settings: Settings, rounds: int) -> list[list[Client]]:
    """Fifty cases for each round, all in the hands of one specialist of that round."""
    database = Database(settings.database, settings=settings)
    await migrate(database)
    limits = LoginLimits.of(settings)
    async with database.work() as work:
        make = Factory(work)
        doctors = [await make.actor(Role.COMMUNE_DOCTOR) for _ in range(CLIENTS)]
        cookies = [
            "telemed=" + await open_login(work, each.id, LoginStrength.FULL, limits, "bench")
            for each in doctors
        ]
        made: list[list[Client]] = []
        for _ in range(2 * rounds):
            specialist = await make.actor(Role.SPECIALIST, specialty=await make.specialty())
            await working_hours.set_hours(work, specialist, ALL_DAY)
            made.append([])
            for doctor, cookie in zip(doctors, cookies, strict=True):
                case = await make.case(ConsultState.ACCEPTED, doctor=doctor, specialist=specialist)
                keys = (
                    *(case.consult.id or 0, specialist.id, case.patient.id or 0),
                    *(case.station.id or 0, doctor.id),
                )
                made[-1].append(Client(case.consult.uid, keys, cookie))
    await database.close()
    return made


Attempt = Callable[[Client, datetime], Awaitable[int]]


async def play(
    rounds: Sequence[Sequence[Client]], slots: Sequence[datetime], attempt: Attempt
) -> Score:
    """Every client tries times by chance until one is theirs."""
    score = Score()

    async def want(number: int, client: Client) -> None:
        chance = random.Random(number)
        for start in chance.sample(slots, len(slots)):
            began = time.perf_counter()
            status = await attempt(client, start)
            score.seconds.append(time.perf_counter() - began)
            score.said[status] += 1
            if status == 303:
                return
        raise RuntimeError("somebody got no time")

    for clients in rounds:
        began = time.perf_counter()
        await asyncio.gather(*(want(number, each) for number, each in enumerate(clients)))
        score.took += time.perf_counter() - began
    return score


async def play_product(
    settings: Settings, rounds: Sequence[Sequence[Client]], slots: Sequence[datetime]
) -> Score:
    """Through HTTP, as a browser sends it."""
    app = create_app(settings, Overrides(runs_jobs=False))
    async with TestClient(TestServer(app)) as http:

        async def attempt(client: Client, start: datetime) -> int:
            answer = await http.post(
                f"/consults/{client.consult_uid}/bookings",
                data={"start": start.isoformat()},
                headers=FROM_OUR_PAGES | {"Cookie": client.cookie},
                allow_redirects=False,
            )
            await answer.read()
            if answer.status not in {303, 409}:
                raise RuntimeError(await answer.text())
            return answer.status

        return await play(rounds, slots, attempt)


async def play_sqlite(
    path: Path, rounds: Sequence[Sequence[Client]], slots: Sequence[datetime]
) -> Score:
    """Bare inserts through Python's own driver: SQLite has one writer."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    sql = INSERT.format(*["?"] * 9)

    async def attempt(client: Client, start: datetime) -> int:
        await asyncio.sleep(0)
        moments = [f"{each:%Y-%m-%d %H:%M:%S.%f}" for each in (start, start + SLOT, start)]
        *keys, doctor = client.keys
        row = (new_uid(), *keys, *moments[:2], doctor, moments[2])
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(sql, row)
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK")
            return 409
        connection.execute("COMMIT")
        return 303

    score = await play(rounds, slots, attempt)
    connection.close()
    return score


async def play_postgres(
    url: str, rounds: Sequence[Sequence[Client]], slots: Sequence[datetime]
) -> Score:
    """Bare inserts through asyncpg, from a pool as large as the product's."""
    pool = await asyncpg.create_pool(
        url.replace("postgresql+asyncpg", "postgresql"), min_size=10, max_size=10
    )
    sql = INSERT.format(*(f"${number}" for number in range(1, 10)))

    async def attempt(client: Client, start: datetime) -> int:
        *keys, doctor = client.keys
        try:
            await pool.execute(sql, new_uid(), *keys, start, start + SLOT, doctor, start)
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            return 409
        return 303

    score = await play(rounds, slots, attempt)
    await pool.close()
    return score


async def count_overlaps(settings: Settings) -> int:
    """Pairs of appointments of one specialist that touch the same moment."""
    database = Database(settings.database, settings=settings)
    async with database.read() as work:
        connection = await work.session.connection()
        count = int((await connection.execute(text(OVERLAPS))).scalar_one())
    await database.close()
    return count


def line(engine: str, who: str, score: Score, overlaps: int) -> str:
    """One row of the table."""
    attempts = score.said.total()
    return (
        f"{engine:<11} {who:<8} {attempts:>8} {attempts / score.took:>11.0f}"
        f" {score.said[303] / score.took:>11.0f} {quantile(score.seconds, 0.5) * 1000:>7.0f}"
        f" {quantile(score.seconds, 0.95) * 1000:>7.0f} {overlaps:>9}"
    )


async def main() -> None:
    """Both engines, product and bare, one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    logging.disable(logging.INFO)
    cluster = Postgres(durable=True).start()
    lines = []
    try:
        with tempfile.TemporaryDirectory(prefix="telemed-booking-") as folder:
            for engine in ("sqlite", "postgresql"):
                path = Path(folder, "telemed.sqlite3")
                url = f"sqlite+aiosqlite:///{path}"
                if engine == "postgresql":
                    url = cluster.url(await cluster.create())
                settings = load_settings(
                    data_dir=Path(folder, engine), database_url=url, secret_key="b" * 40
                )
                made = await fill(settings, given.rounds)
                slots = times(datetime.now(UTC))
                product = await play_product(settings, made[: given.rounds], slots)
                rest = made[given.rounds :]
                if engine == "sqlite":
                    bare = await play_sqlite(path, rest, slots)
                else:
                    bare = await play_postgres(url, rest, slots)
                overlaps = await count_overlaps(settings)
                lines += [line(engine, "product", product, overlaps)]
                lines += [line(engine, "bare", bare, overlaps)]
    finally:
        cluster.remove()
    print(f"\n{CLIENTS} clients, one calendar, {given.rounds} rounds")
    print("engine      who      attempts  attempts/s  bookings/s  p50 ms  p95 ms  overlaps")
    print("\n".join(lines))


if __name__ == "__main__":
    uvloop.run(main())
