"""Files of one person are joined and parted again; who speaks for a patient."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags
from telemed.migrations.columns import MOMENT, refers

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

LIVE = sa.text("undone_at IS NULL")
_RELATIONS = "'mother', 'father', 'spouse', 'child', 'grandparent', 'sibling', 'relative', 'institution'"


def upgrade() -> None:
    """Change the tables."""
    # Both engines take a column together with its rule in these words.
    op.execute(
        "ALTER TABLE patient ADD COLUMN merged_into_id INTEGER"
        " CONSTRAINT fk_patient_merged_into_id REFERENCES patient (id)"
    )
    op.create_index(op.f("ix_patient_merged_into_id"), "patient", ["merged_into_id"])
    op.execute(
        "ALTER TABLE patient ADD COLUMN guardian_relation VARCHAR(32)"
        f" CONSTRAINT ck_patient_guardianrelation CHECK (guardian_relation IN ({_RELATIONS}))"
    )
    op.create_table(
        "patient_merge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column(
            "basis",
            sa.Enum(
                *("document", "family", "staff"),
                name="mergebasis",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("filled", sa.JSON(), nullable=False),
        sa.Column("merged_by_id", sa.Integer(), nullable=False),
        sa.Column("merged_at", MOMENT, nullable=False),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", MOMENT, nullable=True),
        sa.Column("undo_reason", sa.String(length=300), nullable=False),
        refers("patient_merge", "source_id", "patient.id"),
        refers("patient_merge", "target_id", "patient.id"),
        refers("patient_merge", "merged_by_id", "person.id"),
        refers("patient_merge", "undone_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_merge")),
        sa.UniqueConstraint("uid", name=op.f("uq_patient_merge_uid")),
    )
    op.create_index(op.f("ix_patient_merge_target_id"), "patient_merge", ["target_id"])
    op.create_index(
        "uq_patient_merge_live",
        "patient_merge",
        ["source_id"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    allow_tags(op.get_bind(), "patient:merge", "patient:unmerge")
