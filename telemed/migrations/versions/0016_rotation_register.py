"""Secondment decisions with their papers, leave, early return, weekly logs and end reports."""

import secrets

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, reword
from telemed.migrations.columns import MOMENT, refers

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_SEVERAL = "FROM rotation GROUP BY decision_number, decision_date ORDER BY MIN(id)"


def upgrade() -> None:
    """Change the tables."""
    _make_decisions()
    _change_rotations()
    _make_reports()
    allow_tags(op.get_bind(), "rotation:report", "decision:file")


def _make_decisions() -> None:
    op.create_table(
        "secondment_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("issuing_body", sa.String(length=120), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("file_type", sa.String(length=60), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        refers("secondment_decision", "created_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secondment_decision")),
        sa.UniqueConstraint(
            "number", "issuing_body", name=op.f("uq_secondment_decision_number_issuing_body")
        ),
        sa.UniqueConstraint("uid", name=op.f("uq_secondment_decision_uid")),
    )


def _change_rotations() -> None:
    connection = op.get_bind()
    refer = "REFERENCES secondment_decision (id)"
    rule = "CONSTRAINT ck_rotation_rotationkind CHECK (kind IN ('clinical', 'preventive'))"
    early = "CONSTRAINT ck_rotation_ended CHECK (ended_on IS NULL OR ended_on <= ends_on)"
    for column in (
        f"decision_id INTEGER CONSTRAINT fk_rotation_decision_id {refer}",
        f"kind VARCHAR(32) NOT NULL DEFAULT 'clinical' {rule}",
        f"ended_on DATE {early}",
        "end_reason VARCHAR(300) NOT NULL DEFAULT ''",
        "report VARCHAR(8000) NOT NULL DEFAULT ''",
    ):
        op.execute(f"ALTER TABLE rotation ADD COLUMN {column}")
    op.add_column("rotation", sa.Column("report_sent_at", MOMENT, nullable=True))
    _give_decisions(connection)
    for column in ("decision_number", "decision_date"):
        op.execute(f"ALTER TABLE rotation DROP COLUMN {column}")
    if connection.dialect.name == "sqlite":
        loose = "decision_id INTEGER CONSTRAINT"
        reword(
            connection,
            "rotation",
            lambda made: made.replace(loose, "decision_id INTEGER NOT NULL CONSTRAINT"),
        )
    else:
        op.alter_column("rotation", "decision_id", nullable=False)
    op.create_index(op.f("ix_rotation_decision_id"), "rotation", ["decision_id"])


def _give_decisions(connection: sa.Connection) -> None:
    """One for each number and day; two of one number and other days are told apart by the body."""
    listed = f"SELECT decision_number, decision_date, MIN(created_by_id), MIN(created_at) {_SEVERAL}"
    met: set[str] = set()
    for number, signed_on, created_by_id, created_at in connection.execute(sa.text(listed)).all():
        values = {
            "uid": secrets.token_urlsafe(16),
            "number": number,
            "issuing_body": str(signed_on) if number in met else "",
            "signed_on": signed_on,
            "by": created_by_id,
            "at": created_at,
        }
        met.add(number)
        connection.execute(
            sa.text(
                "INSERT INTO secondment_decision (uid, number, issuing_body, signed_on, file_name, "
                "file_type, created_by_id, created_at) "
                "VALUES (:uid, :number, :issuing_body, :signed_on, '', '', :by, :at)"
            ),
            values,
        )
        connection.execute(
            sa.text(
                "UPDATE rotation SET decision_id = (SELECT id FROM secondment_decision "
                "WHERE uid = :uid) WHERE decision_number = :number AND decision_date = :signed_on"
            ),
            values,
        )


def _make_reports() -> None:
    op.create_table(
        "rotation_leave",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("rotation_id", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_rotation_leave_order")),
        refers("rotation_leave", "rotation_id", "rotation.id"),
        refers("rotation_leave", "created_by_id", "person.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_leave")),
        sa.UniqueConstraint("uid", name=op.f("uq_rotation_leave_uid")),
    )
    op.create_index(op.f("ix_rotation_leave_rotation_id"), "rotation_leave", ["rotation_id"])
    op.create_table(
        "rotation_week",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rotation_id", sa.Integer(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("text", sa.String(length=4000), nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        refers("rotation_week", "rotation_id", "rotation.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rotation_week")),
        sa.UniqueConstraint(
            "rotation_id", "monday", name=op.f("uq_rotation_week_rotation_id_monday")
        ),
    )
    op.create_index(op.f("ix_rotation_week_rotation_id"), "rotation_week", ["rotation_id"])
