"""Ten thousand requests climb at one moment, with two servers: how late, how often, against bare SQL.

`python -m bench.ladder [--requests 10000]` fills a PostgreSQL database with requests that wait, all
due at the same moment, serves it with two real server processes, and reads afterwards when each was
told. Beside it two bare connections claim as many rows with the same claim and write one row each.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy import insert
from sqlmodel import select

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.consults.service import WATCH_JOB
from telemed.core.db import Database
from telemed.core.events import EventStream, stream_of
from telemed.core.jobs import Job
from telemed.scheduling.escalation.models import EscalationStep
from tests.factories import Factory
from tests.servers import Postgres, Telemed

SERVERS: Final = 2
GOAL_SECONDS: Final = 5.0
SECRET: Final = "a-secret-for-the-ladder-benchmark-long-enough"
HEAD_START: Final = timedelta(seconds=12)
PATIENCE_SECONDS: Final = 300
AT_ONCE: Final = 2000
CLAIM: Final = (
    "UPDATE claimed SET by = $1 WHERE id = (SELECT id FROM claimed WHERE by IS NULL"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
)


async def fill(url: str, requests: int) -> None:
    """Requests that wait, and nothing that watches over them yet."""
    database = Database(url)
    async with database.work() as work:
        case = await Factory(work).case(ConsultState.REQUESTED)
        like = case.consult.model_dump(exclude={"id", "uid", "number"})
        rows = [like | {"uid": secrets.token_urlsafe(16)} for _ in range(requests - 1)]
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            await work.session.exec(insert(Consult), params=some)
            streams = [{"name": stream_of("consult", row["uid"]), "last_number": 0} for row in some]
            await work.session.exec(insert(EventStream), params=streams)
    await database.close()


async def let_climb(url: str, requests: int) -> datetime:
    """Everything is due at one moment, which is returned, and has been done."""
    database = Database(url)
    due_at = datetime.now(UTC) + HEAD_START
    async with database.work() as work:
        uids = (await work.session.exec(select(Consult.uid))).all()
        jobs = [
            {"kind": WATCH_JOB, "key": uid, "due_at": due_at, "payload": {"uid": uid, "anew": True}}
            for uid in uids
        ]
        for start in range(0, len(jobs), AT_ONCE):
            await work.session.exec(insert(Job), params=jobs[start : start + AT_ONCE])
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(1)
        async with database.read() as work:
            if len((await work.session.exec(select(EscalationStep.id))).all()) >= requests:
                break
    await database.close()
    return due_at


async def read(url: str, due_at: datetime) -> tuple[list[float], int]:
    """How late each request was told, in seconds, and how many were told twice."""
    database = Database(url)
    async with database.read() as work:
        steps = (await work.session.exec(select(EscalationStep))).all()
    await database.close()
    late = sorted((step.told_at - due_at).total_seconds() for step in steps)
    twice = sum(count - 1 for count in Counter(step.consult_id for step in steps).values())
    return late, twice


async def claim_bare(url: str, requests: int) -> float:
    """Seconds in which two connections claim as many rows, one by one, and write a row for each."""
    connections = [await asyncpg.connect(url) for _ in range(SERVERS)]
    first = connections[0]
    await first.execute(
        "CREATE TABLE claimed (id int PRIMARY KEY, by int); CREATE TABLE told (id int)"
    )
    await first.execute("INSERT INTO claimed SELECT g FROM generate_series(1, $1::int) g", requests)

    async def work(number: int, connection: asyncpg.Connection) -> None:
        while True:
            async with connection.transaction():
                key = await connection.fetchval(CLAIM, number)
                if key is None:
                    return
                await connection.execute("INSERT INTO told VALUES ($1)", key)

    began = time.perf_counter()
    await asyncio.gather(*(work(number, each) for number, each in enumerate(connections)))
    took = time.perf_counter() - began
    for each in connections:
        await each.close()
    return took


def main() -> int:
    """Print both, and whether the goal holds."""
    parser = argparse.ArgumentParser(prog="bench.ladder")
    parser.add_argument("--requests", type=int, default=10_000)
    requests = parser.parse_args().requests
    cluster = Postgres(durable=True).start()
    try:
        name = asyncio.run(cluster.create())
        url = cluster.url(name)
        with tempfile.TemporaryDirectory(prefix="telemed-bench-") as folder:
            servers = []
            for number in range(SERVERS):
                place = Path(folder) / str(number)
                place.mkdir()
                servers.append(Telemed(place, secret_key=SECRET, database_url=url))
            servers[0].command("migrate")
            # Servers watch over what they find at their start: it comes when both are there.
            for server in servers:
                server.start()
            try:
                asyncio.run(fill(url, requests))
                due_at = asyncio.run(let_climb(url, requests))
            finally:
                for server in servers:
                    server.stop()
            late, twice = asyncio.run(read(url, due_at))
        bare = asyncio.run(claim_bare(url.replace("+asyncpg", ""), requests))
    finally:
        cluster.remove()
    return _print(requests, late, twice, bare)


def _print(requests: int, late: list[float], twice: int, bare: float) -> int:
    print(f"{requests} requests due at one moment, {SERVERS} server processes on PostgreSQL")
    print(f"told: {len(late)}, twice: {twice}")
    print(f"late: p50 {late[len(late) // 2]:.1f} s, last {late[-1]:.1f} s (goal: {GOAL_SECONDS} s)")
    print(f"bare claims of as many rows, two connections: {bare:.1f} s")
    holds = len(late) == requests and not twice and late[-1] <= GOAL_SECONDS
    print("holds" if holds else "MISSED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
