"""More values that the rule of a table may name: the rule is changed beside the rows."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa

# A value in the words of either engine: PostgreSQL writes the rule down in words of its own.
_VALUE = re.compile(r"'[^']+'")


def allow_tags(connection: sa.Connection, *tags: str) -> None:
    """Let the audit chain name these acts as well; what was written before stays as it is."""
    allow_values(connection, "audit_record", "audittag", "tag", *tags)


def allow_values(
    connection: sa.Connection, table: str, kind: str, column: str, *values: str
) -> None:
    """Let a column of an enumerated kind have these values as well."""
    rule, more = f"ck_{table}_{kind}", [f"'{value}'" for value in values]
    if connection.dialect.name == "sqlite":
        listed = re.compile(rf"(?<={rule} CHECK \({column} IN \()[^)]+(?=\)\))")
        reword(connection, table, lambda made: listed.sub(lambda m: ", ".join([m[0], *more]), made))
        return
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    (before,) = connection.execute(sa.text(definition), {"name": rule}).one()
    allowed = ", ".join([*_VALUE.findall(before), *more])
    connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {rule}")
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK ({column} IN ({allowed}))"
    )


def reword(connection: sa.Connection, table: str, change: Callable[[str], str]) -> None:
    """SQLite keeps a table's rules in its text; a wider rule changes nothing that is stored.

    After https://sqlite.org/lang_altertable.html section 7, so that tables which refer to this one
    go on doing so. Raises ValueError when the change finds nothing to change.
    """
    kept = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table"
    made = connection.execute(sa.text(kept), {"table": table}).scalar_one()
    changed = change(made)
    if changed == made:
        raise ValueError(f"the text of {table} is not as it was expected")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :table"),
        {"sql": changed, "table": table},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def write_anew(connection: sa.Connection, table: str, change: Callable[[str], str]) -> None:
    """SQLite keeps a table's rules in its text: another table with the same rows takes its place.

    Raises ValueError when the change finds nothing to change.
    """
    kept = "SELECT type, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    found = connection.execute(sa.text(kept), {"table": table}).all()
    (made,) = (sql for kind, sql in found if kind == "table")
    changed = change(made)
    if changed == made:
        raise ValueError(f"the text of {table} is not as it was expected")
    before = f"{table}_before"
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {before}")
    connection.exec_driver_sql(changed)
    connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {before}")  # noqa: S608 - constants
    connection.exec_driver_sql(f"DROP TABLE {before}")
    for kind, sql in found:
        if kind != "table":
            connection.exec_driver_sql(sql)
