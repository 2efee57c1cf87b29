"""What differs between the two engines: taking a snapshot, and putting it back."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg
from sqlalchemy.engine import URL, make_url

from telemed.commands.backup.archive import DATABASES
from telemed.commands.backup.sealing import BackupDamaged
from telemed.commands.base import CommandFailed
from telemed.commands.tables import database_file
from telemed.core.config import Settings

# The files that rows name, by the table: originals and previews, recordings that are kept.
_NAMED_FILES = {
    "stored_file": """
SELECT sha256 FROM stored_file UNION
SELECT preview_sha256 FROM stored_file WHERE preview_sha256 IS NOT NULL
""",
    "recording_file": """
SELECT recording_file.sha256 FROM recording_file
JOIN recording ON recording.id = recording_file.recording_id
WHERE recording.deleted_at IS NULL
""",
}
COUNT = 'SELECT count(*) FROM "{table}"'
# As they are: a backup before an upgrade has the tables of the version before.
_SQLITE_TABLES = """
SELECT name FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1
"""
_SERVER_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
PACKAGED = Path("/usr/lib/postgresql")
WAIT_SECONDS = 30

# Given the address of a restored database: looks into it, and puts its files into place.
Settle = Callable[[str], None]


def named_files(tables: Collection[str]) -> str:
    """What finds the files that the rows of these tables name."""
    found = [query for table, query in _NAMED_FILES.items() if table in tables]
    return " UNION ".join(found) + " ORDER BY 1"


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment: its copy, how many rows, which files they name."""

    path: Path
    rows: Mapping[str, int]
    files: Sequence[str]


class Engine(Protocol):
    """One kind of database as backups see it."""

    name: str

    def take(self, folder: Path) -> Snapshot:
        """Copy the database as it is now, whoever is at work."""
        ...

    def is_empty(self) -> bool:
        """Whether nothing would be overwritten."""
        ...

    def place_for(self, folder: Path) -> Path:
        """Where a copy waits to be put back."""
        ...

    def put_back(self, copy: Path, settle: Settle) -> None:
        """Make a copy the database of this installation."""
        ...


def engine_of(settings: Settings) -> Engine:
    """The engine of an installation."""
    if settings.is_embedded:
        return Embedded(database_file(settings))
    return Server(make_url(settings.database))


class Embedded:
    """SQLite. It is only read while a server writes: one process writes and checkpoints."""

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, folder: Path) -> Snapshot:
        """One step of the online backup: the writer neither waits nor disturbs it."""
        if not self._path.exists():
            raise CommandFailed(f"there is no database at {self._path}")
        target = folder / DATABASES[self.name]
        with closing(_read_only(self._path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            # Without a log beside it the copy is one file.
            copy.execute("PRAGMA journal_mode=DELETE")
            tables = [row[0] for row in copy.execute(_SQLITE_TABLES)]
            rows = {t: copy.execute(COUNT.format(table=t)).fetchone()[0] for t in tables}
            files = [row[0] for row in copy.execute(named_files(tables))]
        return Snapshot(target, rows, files)

    def is_empty(self) -> bool:
        """No file at all."""
        return not self._path.exists()

    def place_for(self, folder: Path) -> Path:
        """Beside the database, so that a rename brings it there."""
        return self._path.with_name(f"{self._path.name}.restoring")

    def put_back(self, copy: Path, settle: Settle) -> None:
        """The rename is the moment of the restore."""
        with closing(_read_only(copy)) as connection:
            (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            raise BackupDamaged(f"the database in the backup is damaged: {answer}")
        settle(f"sqlite+aiosqlite:///{copy}")
        copy.rename(self._path)
        sync_folder(self._path.parent)


def _read_only(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)


class Server:
    """PostgreSQL through its own tools, all of which look at one exported snapshot."""

    name = "postgresql"

    def __init__(self, url: URL) -> None:
        self._url = url

    def take(self, folder: Path) -> Snapshot:
        """The dump, the counts and the names of files, as of the same moment."""
        return asyncio.run(self._take(folder / DATABASES[self.name]))

    async def _take(self, target: Path) -> Snapshot:
        connection = await self._connect()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                moment = await connection.fetchval("SELECT pg_export_snapshot()")
                options = ("--format=custom", "--no-owner", "--no-acl", f"--snapshot={moment}")
                await asyncio.to_thread(self._run, "pg_dump", *options, f"--file={target}")
                tables = [row[0] for row in await connection.fetch(_SERVER_TABLES)]
                rows = {t: await connection.fetchval(COUNT.format(table=t)) for t in tables}
                files = [row[0] for row in await connection.fetch(named_files(tables))]
                return Snapshot(target, rows, files)
        finally:
            await connection.close()

    def is_empty(self) -> bool:
        """No table of anybody's."""
        return not asyncio.run(self._list_tables())

    async def _list_tables(self) -> list[str]:
        connection = await self._connect()
        try:
            return [row[0] for row in await connection.fetch(_SERVER_TABLES)]
        finally:
            await connection.close()

    def place_for(self, folder: Path) -> Path:
        """Anywhere."""
        return folder / DATABASES[self.name]

    def put_back(self, copy: Path, settle: Settle) -> None:
        """All of it or nothing; only then can it be looked into."""
        options = ("--no-owner", "--no-acl", "--no-comments", "--exit-on-error")
        into = f"--dbname={self._url.database}"
        self._run("pg_restore", *options, "--single-transaction", into, str(copy))
        settle(self._url.render_as_string(hide_password=False))
        copy.unlink()

    async def _connect(self) -> Any:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError) as error:
            raise CommandFailed(f"the database does not answer: {error}") from error

    def _run(self, tool: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own words, and no shell
            [_find_tool(tool), *arguments],
            env={**os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise CommandFailed(f"{tool} failed: {last}")

    def _environment(self) -> dict[str, str]:
        """How the tools connect; a password is never on a command line."""
        url = self._url
        given = {
            "PGHOST": url.host,
            "PGPORT": str(url.port or ""),
            "PGUSER": url.username,
            "PGPASSWORD": str(url.password or ""),
            "PGDATABASE": url.database,
        }
        return {name: value for name, value in given.items() if value}


def _find_tool(name: str) -> str:
    """The newest of Debian's, which speaks with every older server; else that of PATH."""
    packaged = sorted(PACKAGED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(packaged[-1]) if packaged else shutil.which(name)
    if found is None:
        raise CommandFailed(f"{name} is needed; it comes with postgresql-client")
    return found


def sync_folder(folder: Path) -> None:
    """Make renames within a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
