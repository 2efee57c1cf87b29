"""The empty database of this version, made once and copied for every test that needs one."""

from __future__ import annotations

import asyncio

from telemed.core.db import Database
from telemed.migrations import all_metadata, migrate

# Imported before any loop runs, where a look at the disk disturbs nobody.
all_metadata()


def make_schema(url: str) -> None:
    """Bring an empty database to this version, as an installation does."""
    asyncio.run(_make_schema(url))


async def _make_schema(url: str) -> None:
    database = Database(url)
    try:
        await migrate(database)
    finally:
        await database.close()
