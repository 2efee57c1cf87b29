"""What patients ask for about their data, and how long records are kept."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, allow_values
from telemed.migrations.columns import MOMENT, one_of, refers

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KINDS = (
    *("care_register", "care", "psychiatric", "work_accident", "traffic_accident"),
    *("death", "incident"),
)


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "rights_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("patient_id", sa.Integer(), nullable=True),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            one_of("rightkind", "view", "correct", "restrict", "withdraw", "delete"),
            nullable=False,
        ),
        sa.Column(
            "purpose",
            one_of("consentpurpose", "consult", "recording", "teaching"),
            nullable=True,
        ),
        sa.Column("asked_by", one_of("askedby", "patient", "guardian"), nullable=False),
        sa.Column("asker_name", sa.String(length=100), nullable=False),
        sa.Column("asked_how", one_of("askedhow", "in_person", "phone", "letter"), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("received_by_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            one_of("rightstate", "received", "accepted", "done", "refused", "lifted"),
            nullable=False,
        ),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_by_id", sa.Integer(), nullable=True),
        sa.Column("reply", sa.String(length=500), nullable=False),
        sa.Column("lifted_at", MOMENT, nullable=True),
        sa.Column("lifted_by_id", sa.Integer(), nullable=True),
        sa.Column("lift_reason", sa.String(length=500), nullable=False),
        refers("rights_request", "patient_id", "patient.id"),
        refers("rights_request", "station_id", "facility.id"),
        *(
            refers("rights_request", f"{act}_by_id", "person.id")
            for act in ("received", "answered", "ended", "lifted")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_request")),
        sa.UniqueConstraint("uid", name=op.f("uq_rights_request_uid")),
    )
    op.create_index(op.f("ix_rights_request_patient_id"), "rights_request", ["patient_id"])
    op.create_index(
        "ix_rights_request_register", "rights_request", ["station_id", "due_on", "id"]
    )
    op.add_column("patient", sa.Column("restricted_at", MOMENT, nullable=True))
    op.add_column(
        "consult",
        sa.Column("is_restricted", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
    op.execute(
        "ALTER TABLE consult ADD COLUMN record_kind VARCHAR(32)"
        f" CONSTRAINT ck_consult_retentionkind CHECK (record_kind IN ({kinds}))"
    )
    connection = op.get_bind()
    allow_tags(connection, "rights:change", "rights:read", "patient:erase")
    allow_values(connection, "notice", "noticekind", "kind", "rights_due")
