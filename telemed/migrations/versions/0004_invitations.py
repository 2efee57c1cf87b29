"""Invitations of third parties to live sessions, and the act of inviting in the audit chain."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LAST_TAG = "'recording:delete'"
NEW_TAGS = "'session:invite'"


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("inviter_id", sa.Integer(), nullable=False),
        sa.Column(
            "capacity",
            sa.Enum(
                *("colleague", "interpreter", "trainer", "trainee"),
                name="capacity",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inviter_id"], ["person.id"], name=op.f("fk_invitation_inviter_id")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_invitation_participant_id")
        ),
        sa.ForeignKeyConstraint(
            ["removed_by_id"], ["person.id"], name=op.f("fk_invitation_removed_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("participant_id", name=op.f("uq_invitation_participant_id")),
    )
    _widen_audit_tags(op.get_bind())


def _widen_audit_tags(connection: sa.Connection) -> None:
    """Let the audit chain name the new acts; what was written before stays as it is."""
    if connection.dialect.name == "sqlite":
        _make_anew(connection, "audit_record", LAST_TAG, f"{LAST_TAG}, {NEW_TAGS}")
        return
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    name = "ck_audit_record_audittag"
    (before,) = connection.execute(sa.text(definition), {"name": name}).one()
    # The server writes its rule in words of its own; what it lists is the same.
    tags = ", ".join([*re.findall(r"'[^']+'", before), NEW_TAGS])
    op.execute(f"ALTER TABLE audit_record DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE audit_record ADD CONSTRAINT {name} CHECK (tag IN ({tags}))")


def _make_anew(connection: sa.Connection, table: str, old: str, new: str) -> None:
    """SQLite keeps a table's rules in its text: another table with the same rows takes its place."""
    kept = "SELECT type, sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    found = connection.execute(sa.text(kept), {"table": table}).all()
    made = {kind: sql for kind, sql in found if kind == "table"}
    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_before")
    connection.exec_driver_sql(made["table"].replace(old, new))
    connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {table}_before")
    connection.exec_driver_sql(f"DROP TABLE {table}_before")
    for kind, sql in found:
        if kind != "table":
            connection.exec_driver_sql(sql)
