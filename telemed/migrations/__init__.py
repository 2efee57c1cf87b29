"""The history of the tables, and how a database is brought to this version."""

from __future__ import annotations

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlmodel import SQLModel

from telemed.core.db import Database

_MODELS = (
    "telemed.core.audit",
    "telemed.core.events",
    "telemed.core.idempotency",
    "telemed.core.jobs",
    "telemed.core.records",
    "telemed.facilities.models",
    "telemed.facilities.contracts.models",
    "telemed.accounts.models",
    "telemed.notices.models",
    "telemed.patients.models",
    "telemed.patients.merging.models",
    "telemed.consults.models",
    "telemed.consults.outcomes.models",
    "telemed.consults.rights.models",
    "telemed.imaging.models",
    "telemed.scheduling.models",
    "telemed.scheduling.duty.models",
    "telemed.scheduling.escalation.models",
    "telemed.sessions.models",
    "telemed.sessions.quality.models",
    "telemed.sessions.link.models",
    "telemed.sessions.prints.models",
    "telemed.sessions.recording.models",
    "telemed.training.models",
    "telemed.training.rotations.models",
    "telemed.training.caselog.models",
    "telemed.training.entrustment.models",
    "telemed.training.packages.models",
    "telemed.training.techniques.models",
)


def all_metadata() -> MetaData:
    """Every table of the product."""
    for name in _MODELS:
        importlib.import_module(name)
    return SQLModel.metadata


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def bring_to(connection: Connection, revision: str = "head") -> None:
    """Bring a database up to a version."""
    command.upgrade(_config(connection), revision)


async def migrate(database: Database) -> None:
    """Bring a database to this version; a started change is whole or not there at all."""
    async with database.engine.connect() as connection:
        await connection.run_sync(bring_to)
        await connection.commit()


async def is_current(database: Database) -> bool:
    """Whether a database is at this version."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    async with database.engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision() == newest
        )
