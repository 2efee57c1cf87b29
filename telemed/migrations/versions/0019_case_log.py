"""The case log of trainees."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags
from telemed.migrations.columns import MOMENT, one_of, refers

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "case_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("trainee_id", sa.Integer(), nullable=False),
        sa.Column("trainer_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("package_id", sa.Integer(), nullable=True),
        sa.Column("technique_code", sa.String(length=12), nullable=False),
        sa.Column("technique_name", sa.String(length=300), nullable=False),
        sa.Column("performed_on", sa.Date(), nullable=False),
        sa.Column(
            "level",
            one_of("level", "observed", "assisted", "supervised", "performed"),
            nullable=False,
        ),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("icd_code", sa.String(length=7), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column(
            "state", one_of("rowstate", "written", "confirmed", "refused"), nullable=False
        ),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("refusal", sa.String(length=300), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("trainer_id <> trainee_id", name=op.f("ck_case_row_two")),
        refers("case_row", "trainee_id", "person.id"),
        refers("case_row", "trainer_id", "person.id"),
        refers("case_row", "station_id", "facility.id"),
        refers("case_row", "package_id", "transfer_package.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_row")),
        sa.UniqueConstraint("uid", name=op.f("uq_case_row_uid")),
        sa.UniqueConstraint(
            *("trainee_id", "performed_on", "technique_name", "reference"),
            name=op.f("uq_case_row_trainee_id_performed_on_technique_name_reference"),
        ),
    )
    for column in ("trainee_id", "trainer_id", "station_id", "package_id"):
        op.create_index(op.f(f"ix_case_row_{column}"), "case_row", [column])
    allow_tags(op.get_bind(), "caselog:write", "caselog:decide")
