"""Column types and conventions shared by every table on both engines."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DDL, JSON, Column, DateTime, Dialect, Enum, Integer, MetaData, event
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def metadata() -> MetaData:
    """The one collection of tables; every models module adds to it."""
    SQLModel.metadata.naming_convention = NAMING
    return SQLModel.metadata


metadata()


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in code on both engines; SQLite would otherwise drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def ValueEnum(values: type[StrEnum]) -> Any:  # noqa: N802 - reads as a column type
    """A column that stores the enum's values (not its names), checked by the database."""
    return Enum(
        values,
        values_callable=lambda members: [member.value for member in members],
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        name=values.__name__.lower(),
    )


Json = JSON


def new_uid() -> str:
    """An id for URLs: 128 random bits, 22 characters."""
    return secrets.token_urlsafe(16)


def uid_column() -> Any:
    """The column that URLs name a row by."""
    return Field(default_factory=new_uid, max_length=22, unique=True, nullable=False)


def revision_column() -> "Column[int]":
    """For `version_id_col`: a save over a newer revision fails instead of losing it."""
    return Column("revision", Integer, nullable=False)


def on_create(model: type[SQLModel], statements: list[tuple[str, str]]) -> None:
    """Run (dialect, statement) pairs after a table is made: what only one engine can express."""
    table = model.__table__  # type: ignore[attr-defined] # given by sqlmodel to tables
    for dialect, statement in statements:
        text = statement.replace("%", "%%")
        make = DDL(text)  # type: ignore[no-untyped-call] # as SQLAlchemy ships it
        event.listen(table, "after_create", make.execute_if(dialect=dialect))
