"""The history of the tables leads to the tables of the code, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from telemed.core.audit import AuditTag
from telemed.core.columns import UtcDateTime
from telemed.core.db import Database
from telemed.migrations import all_metadata, bring_to, is_current, migrate
from tests.servers import Postgres

# What only one engine knows: statements beside the tables, which the models cannot express.
OF_ONE_ENGINE = ("consult_fts", "ix_consult_search")


def is_compared(_object: object, name: str | None, *_rest: object) -> bool:
    return not (name or "").startswith(OF_ONE_ENGINE)


# Everything that has a name in a database, on each engine.
NAMES = {
    "sqlite": "SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": (
        "SELECT 'constraint ' || conname FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        " UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal"
        " UNION SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = 'public'"
    ),
}


async def names_in(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        names = set(await connection.scalars(text(NAMES[connection.dialect.name])))
    return {name for name in names if "alembic" not in name}


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres
) -> AsyncIterator[str]:
    """Databases without any table."""
    name = await postgres.create()
    yield {
        "sqlite": f"sqlite+aiosqlite:///{tmp_path / 'empty.sqlite3'}",
        "postgresql": postgres.url(name),
    }[request.param]
    await postgres.drop(name)


async def test_migrations_and_models_make_the_same_things(
    empty_url: str, sqlite_url: str, postgresql_url: str
) -> None:
    modelled = Database(empty_url)
    migrated = Database(sqlite_url if empty_url.startswith("sqlite") else postgresql_url)
    async with modelled.engine.begin() as connection:
        await connection.run_sync(all_metadata().create_all)
    assert await names_in(modelled) == await names_in(migrated)
    await modelled.close()
    await migrated.close()


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "include_object": is_compared}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, all_metadata()))


async def test_the_last_migration_leaves_the_tables_of_the_code(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


FIRST = "0001"


async def test_a_database_of_the_first_version_is_brought_to_this_one(empty_url: str) -> None:
    database = Database(empty_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(bring_to, FIRST)
        before = "INSERT INTO commune (code, name, kind, province_code, folded_name)"
        await connection.execute(text(f"{before} VALUES ('03127', 'A', 'ward', '11', 'a')"))
    assert not await is_current(database)
    await migrate(database)
    assert await is_current(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert list(await connection.scalars(text("SELECT code FROM commune"))) == ["03127"]
    await database.close()


async def test_a_database_that_is_current_stays_as_it_is(database: Database) -> None:
    await migrate(database)
    assert await is_current(database)


ACT = (
    "INSERT INTO audit_record (sequence, at, tag, subject, request_id, detail, previous, hash)"
    " VALUES (:sequence, '2026-11-23 02:00:00', :tag, 's', '', '{}', 'p', :hash)"
)


async def test_the_audit_chain_keeps_its_rows_and_its_guards_when_new_acts_are_named(
    empty_url: str,
) -> None:
    database = Database(empty_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(bring_to, "0002")
        old = {"sequence": 1, "tag": "access:refused", "hash": "a"}
        await connection.execute(text(ACT), old)
    await migrate(database)
    async with database.engine.begin() as connection:
        for sequence, tag in enumerate(AuditTag, start=2):
            new = {"sequence": sequence, "tag": tag.value, "hash": str(sequence)}
            await connection.execute(text(ACT), new)
        found = await connection.execute(text("SELECT sequence, tag, hash FROM audit_record"))
        rows = sorted(found.all())
    assert rows[0] == tuple(old.values())
    assert [row.tag for row in rows[1:]] == [tag.value for tag in AuditTag]
    for spoilt in (
        "UPDATE audit_record SET subject = 'x'",
        "DELETE FROM audit_record",
        "UPDATE audit_record SET tag = 'made:up'",
    ):
        with pytest.raises(DBAPIError):
            async with database.engine.begin() as connection:
                await connection.execute(text(spoilt))
    made_up = {"sequence": 999, "tag": "made:up", "hash": "c"}
    with pytest.raises(IntegrityError):
        async with database.engine.begin() as connection:
            await connection.execute(text(ACT), made_up)
    await database.close()


BEFORE = text(
    "INSERT INTO booking (uid, consult_id, specialist_id, patient_id, station_id, start_at, end_at,"
    " state, booked_by_id, reason, created_at) VALUES (:uid, 1, :specialist, :patient, :station,"
    " :start, :end, :state, 1, '', '2026-11-20 02:00:00')"
).bindparams(bindparam("start", type_=UtcDateTime), bindparam("end", type_=UtcDateTime))
PLACE = (
    "INSERT INTO facility (id, uid, kind, code, name, folded_name, phone, is_active)"
    " VALUES (:id, :uid, 'station', :uid, 'A', 'a', '', true)"
)


async def test_those_who_were_booked_at_one_station_together_get_rooms_of_their_own(
    empty_url: str,
) -> None:
    database = Database(empty_url)
    day = datetime(2026, 11, 24, tzinfo=UTC)
    spans = [(8, 9, "booked"), (8, 9, "booked"), (8, 9, "cancelled"), (9, 10, "booked")]
    async with database.engine.begin() as connection:
        await connection.run_sync(bring_to, "0006")
        if connection.dialect.name == "postgresql":
            # Who they are is of no matter here.
            await connection.execute(text("SET session_replication_role = replica"))
        else:
            await connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        for station in (1, 2):
            await connection.execute(text(PLACE), {"id": station, "uid": f"s{station}"})
        for number, (start, end, state) in enumerate(spans):
            row = {"uid": f"b{number}", "specialist": number, "patient": number, "station": 1}
            times = {"start": day.replace(hour=start), "end": day.replace(hour=end)}
            await connection.execute(BEFORE, row | times | {"state": state})
        await connection.run_sync(bring_to)
        rooms = await connection.execute(text("SELECT uid, room FROM booking ORDER BY uid"))
        assert list(rooms.all()) == [("b0", 1), ("b1", 2), ("b2", 1), ("b3", 1)]
        counts = await connection.execute(text("SELECT id, rooms FROM facility ORDER BY id"))
        assert list(counts.all()) == [(1, 2), (2, 1)]
        await connection.rollback()
    await database.close()
