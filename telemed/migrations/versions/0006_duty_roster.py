"""Shifts of the people on duty, and how long requests waited, found by when they were taken."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FOR_ALL = sa.text("specialty_id IS NULL")


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "duty_shift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("specialty_id", sa.Integer(), nullable=True),
        sa.Column(
            "rank",
            sa.Enum(
                *("first", "second", "coordinator"),
                name="dutyrank",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(rank = 'coordinator') = (specialty_id IS NULL)", name=op.f("ck_duty_shift_whom")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_duty_shift_person_id")),
        sa.ForeignKeyConstraint(
            ["specialty_id"], ["specialty.id"], name=op.f("fk_duty_shift_specialty_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_shift")),
        sa.UniqueConstraint(
            "day", "specialty_id", "rank", name=op.f("uq_duty_shift_day_specialty_id_rank")
        ),
    )
    op.create_index(op.f("ix_duty_shift_person_id"), "duty_shift", ["person_id"])
    op.create_index(
        "uq_duty_shift_coordinator",
        "duty_shift",
        ["day"],
        unique=True,
        sqlite_where=_FOR_ALL,
        postgresql_where=_FOR_ALL,
    )
    op.create_index("ix_consult_accepted", "consult", ["accepted_at"])
    allow_tags(op.get_bind(), "duty:change")
