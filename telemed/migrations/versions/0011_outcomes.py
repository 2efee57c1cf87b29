"""What became of patients, and who was content."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, allow_values
from telemed.migrations.columns import MOMENT, one_of, refers

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPEN = sa.text("done_at IS NULL")
UNSEEN = sa.text("seen_at IS NULL")


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "follow_up",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("consult_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("specialist_id", sa.Integer(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        refers("follow_up", "consult_id", "consult.id"),
        refers("follow_up", "station_id", "facility.id"),
        refers("follow_up", "specialist_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up")),
        sa.UniqueConstraint("consult_id", "due_on", name=op.f("uq_follow_up_consult_id_due_on")),
        sa.UniqueConstraint("uid", name=op.f("uq_follow_up_uid")),
    )
    for whose in ("station", "specialist"):
        op.create_index(
            f"ix_follow_up_{whose}",
            "follow_up",
            [f"{whose}_id", "due_on", "id"],
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        )
    op.create_table(
        "outcome",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("consult_id", sa.Integer(), nullable=False),
        sa.Column("specialist_id", sa.Integer(), nullable=True),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column(
            "status",
            one_of(
                "patientstatus",
                *("recovered", "improved", "unchanged", "worse", "transferred", "died", "lost"),
            ),
            nullable=False,
        ),
        sa.Column(
            "transfer", one_of("transferresult", "not_needed", "avoided", "made"), nullable=False
        ),
        sa.Column("note", sa.String(length=2000), nullable=False),
        sa.Column("recorded_by_id", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=True),
        refers("outcome", "consult_id", "consult.id"),
        refers("outcome", "specialist_id", "person.id"),
        refers("outcome", "recorded_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome")),
        sa.UniqueConstraint("uid", name=op.f("uq_outcome_uid")),
    )
    op.create_index(op.f("ix_outcome_consult_id"), "outcome", ["consult_id"])
    op.create_index(
        "ix_outcome_unseen",
        "outcome",
        ["specialist_id", "id"],
        sqlite_where=UNSEEN,
        postgresql_where=UNSEEN,
    )
    op.create_table(
        "satisfaction_ask",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("consult_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("asked", one_of("asked", "patient", "requester"), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
        refers("satisfaction_ask", "consult_id", "consult.id"),
        refers("satisfaction_ask", "station_id", "facility.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_satisfaction_ask")),
        sa.UniqueConstraint(
            "consult_id", "asked", name=op.f("uq_satisfaction_ask_consult_id_asked")
        ),
    )
    op.create_index(op.f("ix_satisfaction_ask_month"), "satisfaction_ask", ["month"])
    op.create_table(
        "satisfaction_answer",
        sa.Column("key", sa.String(length=22), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("asked", one_of("asked", "patient", "requester"), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        refers("satisfaction_answer", "station_id", "facility.id"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_satisfaction_answer")),
    )
    op.create_index(op.f("ix_satisfaction_answer_month"), "satisfaction_answer", ["month"])
    op.create_index(op.f("ix_satisfaction_answer_station_id"), "satisfaction_answer", ["station_id"])
    kinds = ("decision_due", "outcome_due", "outcome_recorded")
    allow_values(op.get_bind(), "notice", "noticekind", "kind", *kinds)
    allow_tags(op.get_bind(), "outcome:record")
