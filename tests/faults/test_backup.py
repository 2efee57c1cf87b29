"""A backup is taken while people work, and put back elsewhere: nothing acknowledged before is lost."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from sqlmodel import col, select

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, ConsultDraft
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.imaging.models import StoredFile
from telemed.imaging.storage import DirectoryStorage
from tests.conftest import make_settings
from tests.faults.station import Case, Worker
from tests.faults.test_kill import _people
from tests.servers import Postgres, Telemed

KEY = "k" * 40
PASSPHRASE = "năm con vịt bơi qua suối lớn"
ENOUGH_CASES = 12
PATIENCE_SECONDS = 60
NewDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path: Path, durable_postgres: Postgres
) -> NewDatabase:
    """Makes an empty database for one host."""

    async def in_a_file(host: str) -> str:
        return f"sqlite+aiosqlite:///{tmp_path / host / 'telemed.sqlite3'}"

    async def in_the_cluster(_host: str) -> str:
        return durable_postgres.url(await durable_postgres.create())

    return {"sqlite": in_a_file, "postgresql": in_the_cluster}[request.param]


@dataclass(frozen=True)
class Host:
    """One machine with an installation."""

    settings: Settings
    server: Telemed

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of this installation, whatever becomes of it."""
        return subprocess.run(
            [sys.executable, "-m", "telemed", *arguments],
            check=False,
            text=True,
            capture_output=True,
            env=self.server.environment,
            cwd=self.server.directory,
        )


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\n", "utf-8")
    return str(path)


async def _host(tmp_path: Path, new_database: NewDatabase, name: str) -> Host:
    folder = tmp_path / name
    await asyncio.to_thread(folder.mkdir)
    url = await new_database(name)
    settings = make_settings(data_dir=folder / "var", database_url=url, secret_key=KEY)
    return Host(settings, Telemed(folder, database_url=url, secret_key=KEY, log_level="WARNING"))


async def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_backup_under_load_loses_nothing_that_was_acknowledged_before(
    tmp_path: Path, new_database: NewDatabase, key_file: str
) -> None:
    old = await _host(tmp_path, new_database, "old")
    file = str(tmp_path / "backup")
    await asyncio.to_thread(old.server.command, "migrate")
    database = Database(old.settings.database, settings=old.settings)
    people = await _people(database, old.settings)
    await database.close()
    await asyncio.to_thread(old.server.start)
    workers = [Worker(old.server.origin, *person) for person in people]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await _wait_for(lambda: _count(workers) >= ENOUGH_CASES)

    acknowledged = copy.deepcopy([case for worker in workers for case in worker.cases])
    saved = await asyncio.to_thread(old.run, "backup", file, "--key-file", key_file)
    assert saved.returncode == 0, saved.stderr
    await _wait_for(lambda: _count(workers) > len(acknowledged))
    await asyncio.to_thread(old.server.stop)
    await asyncio.gather(*running)

    new = await _host(tmp_path, new_database, "new")
    restored = await asyncio.to_thread(new.run, "restore", file, "--key-file", key_file)
    assert restored.returncode == 0, restored.stderr
    assert "which holds" in restored.stdout
    await _compare(new.settings, acknowledged)
    await asyncio.to_thread(new.server.start)
    assert await _home_of(new.server, people[0][0]["doctor"]) == 200
    await asyncio.to_thread(new.server.stop)
    assert "holds" in new.server.command("verify-audit")


def _count(workers: list[Worker]) -> int:
    return sum(len(worker.cases) for worker in workers)


async def _home_of(server: Telemed, token: str) -> int:
    """A login outlives the move to another host."""
    headers = {"Accept": "text/html", "Cookie": f"telemed={token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{server.origin}/home") as answer,
    ):
        return answer.status


async def _compare(settings: Settings, cases: list[Case]) -> None:
    database = Database(settings.database, settings=settings)
    storage = DirectoryStorage(settings.data_dir / "files")
    async with database.read() as work:
        for case in cases:
            await _compare_case(work, case, storage)
    await database.close()


async def _compare_case(work: UnitOfWork, case: Case, storage: DirectoryStorage) -> None:
    consult = (await work.session.exec(select(Consult).where(col(Consult.uid) == case.uid))).one()
    draft = await work.session.get_one(ConsultDraft, consult.id)
    assert draft.revision >= case.revision
    assert not case.is_sent or consult.state is not ConsultState.DRAFT
    assert not case.is_claimed or consult.assigned_id is not None
    for uid, digest in case.files.items():
        query = select(StoredFile.sha256).where(col(StoredFile.uid) == uid)
        assert (await work.session.exec(query)).one() == digest
        data = await asyncio.to_thread(storage.path_of(digest).read_bytes)
        assert hashlib.sha256(data).hexdigest() == digest


async def test_a_backup_goes_onto_an_empty_host_whole_or_not_at_all(
    tmp_path: Path, new_database: NewDatabase, key_file: str
) -> None:
    old = await _host(tmp_path, new_database, "old")
    file = tmp_path / "backup"
    await asyncio.to_thread(old.server.command, "migrate")
    assert old.run("backup", str(file), "--key-file", key_file).returncode == 0

    new = await _host(tmp_path, new_database, "new")
    damaged = await asyncio.to_thread(_with_one_byte_changed, file)
    refused = await asyncio.to_thread(new.run, "restore", str(damaged), "--key-file", key_file)
    assert refused.returncode == 2
    assert refused.stderr.startswith("telemed: the backup is damaged")

    restored = await asyncio.to_thread(new.run, "restore", str(file), "--key-file", key_file)
    assert restored.returncode == 0, restored.stderr
    again = await asyncio.to_thread(new.run, "restore", str(file), "--key-file", key_file)
    assert again.returncode == 2
    assert "restore needs an empty host" in again.stderr


def _with_one_byte_changed(file: Path) -> Path:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    changed = file.with_name("damaged")
    changed.write_bytes(data)
    return changed


async def test_another_secret_key_is_refused(
    tmp_path: Path, new_database: NewDatabase, key_file: str
) -> None:
    old = await _host(tmp_path, new_database, "old")
    file = str(tmp_path / "backup")
    await asyncio.to_thread(old.server.command, "migrate")
    assert old.run("backup", file, "--key-file", key_file).returncode == 0
    new = await _host(tmp_path, new_database, "new")
    other = Host(new.settings, _with_key(new.server, "another" * 8, new.settings))
    refused = await asyncio.to_thread(other.run, "restore", file, "--key-file", key_file)
    assert refused.returncode == 2
    assert "TELEMED_SECRET_KEY" in refused.stderr
    with suppress(FileNotFoundError):
        assert list(new.settings.data_dir.iterdir()) == []


def _with_key(server: Telemed, key: str, settings: Settings) -> Telemed:
    return Telemed(server.directory, database_url=settings.database, secret_key=key)
