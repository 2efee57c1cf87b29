"""The national list of techniques, transfer packages, and under which of them a session was."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, reword
from telemed.migrations.columns import MOMENT, refers

revision = "0017"
down_revision = "0016"
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
    _make_packages()
    # Both engines take a column together with its rule in these words.
    op.execute(
        "ALTER TABLE transfer_log ADD COLUMN package_id INTEGER"
        " CONSTRAINT fk_transfer_log_package_id REFERENCES transfer_package (id)"
    )
    op.create_index(op.f("ix_transfer_log_package_id"), "transfer_log", ["package_id"])
    _widen_names(op.get_bind())
    allow_tags(op.get_bind(), "package:change")


def _make_packages() -> None:
    op.create_table(
        "transfer_package",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("provider_id", sa.Integer(), nullable=False),
        sa.Column("provider_representative", sa.String(length=200), nullable=False),
        sa.Column("receiver_representative", sa.String(length=200), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("survey", sa.String(length=5000), nullable=False),
        sa.Column("outline", sa.String(length=10000), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("end_reason", sa.String(length=300), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_transfer_package_order")),
        refers("transfer_package", "provider_id", "facility.id"),
        refers("transfer_package", "created_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_package")),
        sa.UniqueConstraint(
            "provider_id", "number", name=op.f("uq_transfer_package_provider_id_number")
        ),
        sa.UniqueConstraint("uid", name=op.f("uq_transfer_package_uid")),
    )
    op.create_table(
        "package_station",
        sa.Column("package_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        refers("package_station", "package_id", "transfer_package.id"),
        refers("package_station", "station_id", "facility.id"),
        sa.PrimaryKeyConstraint("package_id", "station_id", name=op.f("pk_package_station")),
    )
    op.create_index(op.f("ix_package_station_station_id"), "package_station", ["station_id"])
    op.create_table(
        "package_technique",
        sa.Column("package_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        *(
            sa.Column(level, sa.Integer(), nullable=False)
            for level in ("observed", "assisted", "supervised", "performed")
        ),
        sa.CheckConstraint(
            "observed + assisted + supervised + performed > 0",
            name=op.f("ck_package_technique_targets"),
        ),
        refers("package_technique", "package_id", "transfer_package.id"),
        sa.PrimaryKeyConstraint("package_id", "position", name=op.f("pk_package_technique")),
        sa.UniqueConstraint(
            "package_id", "code", name=op.f("uq_package_technique_package_id_code")
        ),
    )


def _widen_names(connection: sa.Connection) -> None:
    """A log takes whatever the list calls a technique."""
    if connection.dialect.name == "sqlite":
        before, after = "technique_name VARCHAR(200)", "technique_name VARCHAR(300)"
        reword(connection, "transfer_log", lambda made: made.replace(before, after))
        return
    op.alter_column("transfer_log", "technique_name", type_=sa.String(length=300))
