"""The empty database of this version, made once and copied for every test that needs one."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil

from sqlmodel import SQLModel

import telemed
from telemed.core.db import Database


def import_models() -> None:
    """Import every module that may declare a table."""
    for module in pkgutil.walk_packages(telemed.__path__, "telemed."):
        parts = module.name.split(".")
        if parts[-1] == "models" or parts[1] == "core":
            importlib.import_module(module.name)


def make_schema(url: str) -> None:
    """Create every table in an empty database."""
    import_models()
    asyncio.run(_make_schema(url))


async def _make_schema(url: str) -> None:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    await database.close()
