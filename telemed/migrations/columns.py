"""What the columns of several migrations are made of."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

MOMENT: Final = sa.DateTime(timezone=True)


def one_of(name: str, *values: str) -> sa.Enum:
    """A text that is one of these, by a rule of that name."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    """A column of a table holds the key of another: `to` as `table.column`."""
    return sa.ForeignKeyConstraint([column], [to], name=op.f(f"fk_{table}_{column}"))
