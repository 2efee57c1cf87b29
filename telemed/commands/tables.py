"""What commands do before they touch the data: one writer at a time, tables of this version."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from telemed.commands.base import CommandFailed
from telemed.consults.icd import load_who
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.facilities.service import seed_province
from telemed.migrations import is_current, migrate


def database_file(settings: Settings) -> Path:
    """Where an embedded database lies."""
    return Path(make_url(settings.database).database or "")


@contextmanager
def only_writer(settings: Settings) -> Iterator[None]:
    """Keep every other process from writing to an embedded database.

    SQLite before 3.51.3 can damage a database that two processes write or checkpoint. The lock
    goes with the process, however that ends.
    """
    if not settings.is_embedded:
        yield
        return
    path = database_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(f"another Telemed process is using {path}; stop it first") from None
        yield


async def prepare(settings: Settings, database: Database) -> None:
    """Tables and reference data of this version; a server database is brought there by hand."""
    if settings.is_embedded:
        await bring_up(database)
    elif not await is_current(database):
        raise CommandFailed("the database is not at this version; run `telemed migrate` first")


async def bring_up(database: Database) -> None:
    """Bring the tables and the reference data (places, diagnosis codes) to this version."""
    await migrate(database)
    async with database.work() as work:
        await seed_province(work)
        await load_who(work)
