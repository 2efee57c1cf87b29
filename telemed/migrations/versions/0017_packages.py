"""The national list of techniques, transfer packages, and under which of them a session was."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import reword

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "technique",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_technique")),
        sa.UniqueConstraint("code", name=op.f("uq_technique_code")),
    )
    _widen_names(op.get_bind())


def _widen_names(connection: sa.Connection) -> None:
    """A log takes whatever the list calls a technique."""
    if connection.dialect.name == "sqlite":
        before, after = "technique_name VARCHAR(200)", "technique_name VARCHAR(300)"
        reword(connection, "transfer_log", lambda made: made.replace(before, after))
        return
    op.alter_column("transfer_log", "technique_name", type_=sa.String(length=300))
