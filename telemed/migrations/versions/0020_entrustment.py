"""Entrustment, acceptance, and the re-checks three and six months later."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, allow_values
from telemed.migrations.columns import MOMENT, one_of, refers

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    _entrustment()
    _acceptance()
    connection = op.get_bind()
    allow_tags(connection, "entrustment:write", "acceptance:write", "recheck:write")
    allow_values(connection, "notice", "noticekind", "kind", "recheck_due")
    allow_values(connection, "signed_record", "recordkind", "kind", "entrustment", "acceptance")


def _technique() -> list[sa.Column[str]]:
    return [
        sa.Column("technique_key", sa.String(length=300), nullable=False),
        sa.Column("technique_code", sa.String(length=12), nullable=False),
        sa.Column("technique_name", sa.String(length=300), nullable=False),
    ]


def _entrustment() -> None:
    op.create_table(
        "entrustment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("record_uid", sa.String(length=22), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        *_technique(),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("basis", one_of("basis", "ad_hoc", "summative"), nullable=False),
        sa.Column("limits", sa.String(length=500), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("withdrawal", sa.String(length=1000), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name=op.f("ck_entrustment_level")),
        sa.CheckConstraint("person_id <> decided_by_id", name=op.f("ck_entrustment_two")),
        refers("entrustment", "person_id", "person.id"),
        refers("entrustment", "station_id", "facility.id"),
        refers("entrustment", "decided_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entrustment")),
        sa.UniqueConstraint("uid", name=op.f("uq_entrustment_uid")),
        sa.UniqueConstraint("record_uid", name=op.f("uq_entrustment_record_uid")),
    )
    for column in ("person_id", "station_id", "decided_by_id", "expires_on"):
        op.create_index(op.f(f"ix_entrustment_{column}"), "entrustment", [column])
    op.create_index(
        "uq_entrustment_current",
        "entrustment",
        ["person_id", "technique_key", "basis"],
        unique=True,
        postgresql_where=sa.text("is_current"),
        sqlite_where=sa.text("is_current"),
    )
    op.create_table(
        "entrustment_evidence",
        sa.Column("entrustment_id", sa.Integer(), nullable=False),
        sa.Column("case_row_id", sa.Integer(), nullable=False),
        refers("entrustment_evidence", "entrustment_id", "entrustment.id"),
        refers("entrustment_evidence", "case_row_id", "case_row.id"),
        sa.PrimaryKeyConstraint(
            "entrustment_id", "case_row_id", name=op.f("pk_entrustment_evidence")
        ),
    )
    op.create_index(
        op.f("ix_entrustment_evidence_case_row_id"), "entrustment_evidence", ["case_row_id"]
    )


def _acceptance() -> None:
    op.create_table(
        "acceptance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("record_uid", sa.String(length=22), nullable=True),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("package_id", sa.Integer(), nullable=True),
        *_technique(),
        sa.Column("assessor_id", sa.Integer(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column(
            "verdict", one_of("verdict", "passed", "conditional", "failed"), nullable=False
        ),
        sa.Column("findings", sa.String(length=1000), nullable=False),
        sa.Column("conditions", sa.String(length=1000), nullable=False),
        sa.Column("approval_number", sa.String(length=60), nullable=False),
        sa.Column("approved_on", sa.Date(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        refers("acceptance", "station_id", "facility.id"),
        refers("acceptance", "package_id", "transfer_package.id"),
        refers("acceptance", "assessor_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptance")),
        sa.UniqueConstraint("uid", name=op.f("uq_acceptance_uid")),
        sa.UniqueConstraint("record_uid", name=op.f("uq_acceptance_record_uid")),
    )
    for column in ("station_id", "package_id", "technique_key", "assessor_id"):
        op.create_index(op.f(f"ix_acceptance_{column}"), "acceptance", [column])
    op.create_table(
        "recheck",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("acceptance_id", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        sa.Column("is_still_done", sa.Boolean(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(length=1000), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (is_still_done IS NULL)", name=op.f("ck_recheck_answer")
        ),
        refers("recheck", "acceptance_id", "acceptance.id"),
        refers("recheck", "answered_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recheck")),
        sa.UniqueConstraint("uid", name=op.f("uq_recheck_uid")),
        sa.UniqueConstraint(
            "acceptance_id", "months", name=op.f("uq_recheck_acceptance_id_months")
        ),
    )
    op.create_index(op.f("ix_recheck_due_on"), "recheck", ["due_on"])
