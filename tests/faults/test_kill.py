"""`kill -9` at a random moment, fifty times on each engine: what was acknowledged is there, whole."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
from pathlib import Path

import pytest
from sqlmodel import col, func, select

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, ConsultDraft
from telemed.core.audit import verify_chain
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import Event, EventStream
from telemed.core.records import RecordKind, find_record
from telemed.imaging.models import StoredFile
from telemed.imaging.storage import DirectoryStorage
from tests.conftest import make_settings
from tests.factories import Factory
from tests.faults.station import Case, Worker
from tests.servers import Postgres, Telemed

ROUNDS = 50
WORKERS = 4
SHORTEST, LONGEST = 0.1, 0.8


@pytest.fixture(params=["sqlite", "postgresql"])
async def address(
    request: pytest.FixtureRequest, tmp_path: Path, durable_postgres: Postgres
) -> str:
    """An empty database that keeps what it acknowledged."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'telemed.sqlite3'}"
    return durable_postgres.url(await durable_postgres.create())


@pytest.fixture
def installation(address: str, tmp_path: Path) -> Settings:
    """The settings of the server under test."""
    return make_settings(data_dir=tmp_path / "var", database_url=address, secret_key="k" * 40)


async def _people(database: Database, settings: Settings) -> list[tuple[dict[str, str], str, str]]:
    """Login tokens, a patient and a specialty for each worker."""
    async with database.work() as work:
        make = Factory(work)
        limits = LoginLimits.of(settings)
        found = []
        for _ in range(WORKERS):
            station = await make.facility()
            specialty = await make.specialty(f"s{secrets.token_hex(3)}")
            doctor = await make.actor(Role.COMMUNE_DOCTOR, at=station)
            specialist = await make.actor(Role.SPECIALIST, specialty=specialty)
            patient = await make.patient(at=station)
            tokens = {
                who: await open_login(work, actor.id, LoginStrength.FULL, limits, "test")
                for who, actor in (("doctor", doctor), ("specialist", specialist))
            }
            found.append((tokens, patient.uid, specialty.code))
        return found


async def test_fifty_kills_lose_nothing_that_was_acknowledged(
    installation: Settings, tmp_path: Path
) -> None:
    """Fifty rounds of work, kill, restart, repeat, compare."""
    seed = secrets.randbits(32)
    moments = random.Random(seed)
    server = Telemed(
        tmp_path, database_url=installation.database, secret_key="k" * 40, log_level="WARNING"
    )
    server.command("migrate")
    database = Database(installation.database, settings=installation)
    people = await _people(database, installation)
    workers = [Worker(server.origin, *person) for person in people]
    for number in range(ROUNDS):
        await asyncio.to_thread(server.start)
        await asyncio.gather(*(worker.repeat() for worker in workers))
        running = [asyncio.create_task(worker.run()) for worker in workers]
        await asyncio.sleep(moments.uniform(SHORTEST, LONGEST))
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*running)
        async with database.read() as work:
            await _compare(work, workers, tmp_path, f"round {number}, seed {seed}")
    await asyncio.to_thread(server.start)
    await asyncio.gather(*(worker.repeat() for worker in workers))
    async with database.read() as work:
        known = sum(len(worker.cases) for worker in workers)
        assert (await work.session.exec(select(func.count()).select_from(Consult))).one() == known
    await asyncio.to_thread(server.stop)
    await database.close()
    assert known >= WORKERS
    assert "holds" in server.command("verify-audit")


async def _compare(work: UnitOfWork, workers: list[Worker], place: Path, when: str) -> None:
    assert await verify_chain(work.session) is None, when
    query = select(EventStream.last_number, func.count(col(Event.id))).outerjoin(
        Event, col(Event.stream_id) == col(EventStream.id)
    )
    counted = (await work.session.exec(query.group_by(col(EventStream.id)))).all()
    assert all(last == count for last, count in counted), when
    storage = DirectoryStorage(place / "var" / "files")
    for worker in workers:
        for case in worker.cases[-3:]:
            await _compare_case(work, case, storage, when)


async def _compare_case(work: UnitOfWork, case: Case, storage: DirectoryStorage, when: str) -> None:
    consult = (await work.session.exec(select(Consult).where(col(Consult.uid) == case.uid))).one()
    draft = await work.session.get(ConsultDraft, consult.id)
    kept = draft.fields if draft else {}
    expected = {} if case.is_sent or draft is None else case.values.copy()
    expected.pop("question", None)
    newer = draft is not None and draft.revision > case.revision
    assert newer or expected.items() <= kept.items(), when
    assert not case.is_sent or consult.state is not ConsultState.DRAFT, when
    assert not case.is_sent or consult.reason == case.values["reason"], when
    assert not case.is_claimed or consult.assigned_id is not None, when
    minutes = await find_record(work, RecordKind.MINUTES, f"consult:{case.uid}")
    assert not case.minutes or minutes is not None, when
    assert (
        minutes is None
        or minutes.revision > case.minutes_revision
        or minutes.content == case.minutes
    ), when
    for uid, digest in case.files.items():
        query = select(StoredFile).where(col(StoredFile.uid) == uid)
        stored = (await work.session.exec(query)).one()
        data = await asyncio.to_thread(storage.path_of(digest).read_bytes)
        assert (stored.sha256, hashlib.sha256(data).hexdigest()) == (digest, digest), when
