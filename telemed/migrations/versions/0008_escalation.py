"""The ladder of requests that wait, and time limits that coordinators set."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "response_limit",
        sa.Column(
            "urgency",
            sa.Enum(
                *("emergency", "urgent", "routine"),
                name="urgency",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("minutes > 0", name=op.f("ck_response_limit_positive")),
        sa.PrimaryKeyConstraint("urgency", name=op.f("pk_response_limit")),
    )
    op.create_table(
        "escalation_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("consult_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column(
            "rung",
            sa.Enum(
                *("named", "first", "second", "specialty", "coordinator"),
                name="rung",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["consult_id"], ["consult.id"], name=op.f("fk_escalation_step_consult_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_escalation_step_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["seen_by_id"], ["person.id"], name=op.f("fk_escalation_step_seen_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalation_step")),
        sa.UniqueConstraint(
            "consult_id", "round", "rung", name=op.f("uq_escalation_step_consult_id_round_rung")
        ),
    )
    op.create_index(op.f("ix_escalation_step_person_id"), "escalation_step", ["person_id"])
    allow_tags(op.get_bind(), "duty:limits")
