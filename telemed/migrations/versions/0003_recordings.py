"""Recordings of sessions with everybody's consent, and acts of theirs in the audit chain."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags
from telemed.migrations.columns import one_of

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            one_of(
                *("recordingstate", "asked", "running", "paused", "awaiting", "refused"),
                "stopped",
            ),
            nullable=False,
        ),
        sa.Column("asked_by_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retained_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["person.id"], name=op.f("fk_recording_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["live_session.id"], name=op.f("fk_recording_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("uid", name=op.f("uq_recording_uid")),
    )
    op.create_index(op.f("ix_recording_session_id"), "recording", ["session_id"])
    op.create_index(op.f("ix_recording_retained_until"), "recording", ["retained_until"])
    op.create_table(
        "recording_consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column(
            "answer", one_of("answer", "open", "agreed", "refused", "withdrawn"), nullable=False
        ),
        sa.Column("text_version", sa.String(length=20), nullable=True),
        sa.Column("noted_by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["noted_by_id"], ["person.id"], name=op.f("fk_recording_consent_noted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_recording_consent_participant_id"),
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_recording_consent_recording_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_consent")),
        sa.UniqueConstraint(
            *("recording_id", "participant_id"),
            name=op.f("uq_recording_consent_recording_id_participant_id"),
        ),
    )
    op.create_index(
        op.f("ix_recording_consent_recording_id"), "recording_consent", ["recording_id"]
    )
    op.create_table(
        "recording_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_ms", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_recording_file_participant_id")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_recording_file_recording_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_file")),
        sa.UniqueConstraint("uid", name=op.f("uq_recording_file_uid")),
        sa.UniqueConstraint(
            "recording_id", "sha256", name=op.f("uq_recording_file_recording_id_sha256")
        ),
    )
    op.create_index(op.f("ix_recording_file_recording_id"), "recording_file", ["recording_id"])
    allow_tags(op.get_bind(), "recording:change", "recording:read", "recording:delete")
