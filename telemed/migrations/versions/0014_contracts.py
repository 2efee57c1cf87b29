"""Support contracts, and under which of them a request was made."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags
from telemed.migrations.columns import refers

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "support_contract",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("supporter_id", sa.Integer(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("scope", sa.String(length=500), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.String(length=300), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_support_contract_order")),
        refers("support_contract", "supporter_id", "facility.id"),
        refers("support_contract", "created_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_contract")),
        sa.UniqueConstraint(
            "supporter_id", "number", name=op.f("uq_support_contract_supporter_id_number")
        ),
        sa.UniqueConstraint("uid", name=op.f("uq_support_contract_uid")),
    )
    for what in ("station", "specialty"):
        table, to = f"contract_{what}", "facility.id" if what == "station" else "specialty.id"
        op.create_table(
            table,
            sa.Column("contract_id", sa.Integer(), nullable=False),
            sa.Column(f"{what}_id", sa.Integer(), nullable=False),
            refers(table, "contract_id", "support_contract.id"),
            refers(table, f"{what}_id", to),
            sa.PrimaryKeyConstraint("contract_id", f"{what}_id", name=op.f(f"pk_{table}")),
        )
    op.create_index(op.f("ix_contract_station_station_id"), "contract_station", ["station_id"])
    op.add_column("consult", sa.Column("contract_number", sa.String(length=60), nullable=True))
    op.create_index(op.f("ix_consult_contract_number"), "consult", ["contract_number"])
    op.add_column(
        "consult",
        sa.Column("is_outside_contract", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    allow_tags(op.get_bind(), "contract:change")
