"""More acts that the audit chain may name: the rule of its table, changed beside its rows."""

from __future__ import annotations

import re

import sqlalchemy as sa

TABLE = "audit_record"
RULE = "ck_audit_record_audittag"
# A tag in the words of either engine: PostgreSQL writes the rule down in words of its own.
_TAG = re.compile(r"'[^']+'")
_LISTED = re.compile(rf"(?<={RULE} CHECK \(tag IN \()[^)]+(?=\)\))")


def allow_tags(connection: sa.Connection, *tags: str) -> None:
    """Let the audit chain name these acts as well; what was written before stays as it is."""
    more = [f"'{tag}'" for tag in tags]
    if connection.dialect.name == "sqlite":
        _make_anew(connection, more)
        return
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    (before,) = connection.execute(sa.text(definition), {"name": RULE}).one()
    listed = ", ".join([*_TAG.findall(before), *more])
    connection.exec_driver_sql(f"ALTER TABLE {TABLE} DROP CONSTRAINT {RULE}")
    connection.exec_driver_sql(
        f"ALTER TABLE {TABLE} ADD CONSTRAINT {RULE} CHECK (tag IN ({listed}))"
    )


def _make_anew(connection: sa.Connection, more: list[str]) -> None:
    """SQLite keeps a table's rules in its text: another table with the same rows takes its place."""
    kept = "SELECT type, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    found = connection.execute(sa.text(kept), {"table": TABLE}).all()
    (made,) = (sql for kind, sql in found if kind == "table")
    (listed,) = _LISTED.findall(made)
    before = f"{TABLE}_before"
    connection.exec_driver_sql(f"ALTER TABLE {TABLE} RENAME TO {before}")
    connection.exec_driver_sql(made.replace(listed, ", ".join([listed, *more])))
    connection.exec_driver_sql(f"INSERT INTO {TABLE} SELECT * FROM {before}")  # noqa: S608 - constants
    connection.exec_driver_sql(f"DROP TABLE {before}")
    for kind, sql in found:
        if kind != "table":
            connection.exec_driver_sql(sql)
