"""The history of the tables leads to the tables of the code, on both engines."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from telemed.core.db import Database
from telemed.migrations import all_metadata, is_current, migrate

# What only one engine knows: statements beside the tables, which the models cannot express.
OF_ONE_ENGINE = ("consult_fts", "ix_consult_search")


def is_compared(_object: object, name: str | None, *_rest: object) -> bool:
    return not (name or "").startswith(OF_ONE_ENGINE)


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "include_object": is_compared}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, all_metadata()))


async def test_the_last_migration_leaves_the_tables_of_the_code(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_that_is_current_stays_as_it_is(database: Database) -> None:
    await migrate(database)
    assert await is_current(database)
