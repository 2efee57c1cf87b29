"""Prints of papers with their codes, and the referral letter."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_values

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "printout",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                *("minutes", "request", "referral"),
                name="paperkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("printed_by_id", sa.Integer(), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["printed_by_id"], ["person.id"], name=op.f("fk_printout_printed_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printout")),
        sa.UniqueConstraint("code", name=op.f("uq_printout_code")),
    )
    op.create_index(op.f("ix_printout_subject"), "printout", ["subject"])
    allow_values(op.get_bind(), "signed_record", "recordkind", "kind", "referral")
