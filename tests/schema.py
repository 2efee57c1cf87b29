"""The empty database of this version, made once and copied for every test that needs one."""

from __future__ import annotations

import asyncio

from telemed.core.db import Database
from telemed.migrations import all_metadata


def make_schema(url: str) -> None:
    """Create every table in an empty database."""
    asyncio.run(_make_schema(url))


async def _make_schema(url: str) -> None:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await database.close()


# Imported before any loop runs, where a look at the disk disturbs nobody.
METADATA = all_metadata()
