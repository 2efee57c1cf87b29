"""What was measured of calls, and what is known of the links of stations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "call_quality",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("page", sa.String(length=22), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_ms", sa.Integer(), nullable=False),
        sa.Column("setup_ms", sa.Integer(), nullable=True),
        sa.Column("mode_changes", sa.Integer(), nullable=False),
        sa.Column("packets_received", sa.BigInteger(), nullable=False),
        sa.Column("packets_lost", sa.BigInteger(), nullable=False),
        sa.Column("audio_ms", sa.Integer(), nullable=False),
        sa.Column("concealed_ms", sa.Integer(), nullable=False),
        sa.Column("freezes", sa.Integer(), nullable=False),
        sa.Column("freeze_ms", sa.Integer(), nullable=False),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.Column("bytes_down", sa.BigInteger(), nullable=False),
        sa.Column("rtt_ms", sa.Integer(), nullable=True),
        sa.Column("worst_rtt_ms", sa.Integer(), nullable=True),
        sa.Column("up_kbps", sa.Integer(), nullable=True),
        sa.Column("down_kbps", sa.Integer(), nullable=True),
        sa.Column("timeline", sa.JSON(), nullable=False),
        sa.Column("modes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name=op.f("fk_call_quality_participant_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["live_session.id"], name=op.f("fk_call_quality_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_quality")),
        sa.UniqueConstraint(
            "participant_id", "page", name=op.f("uq_call_quality_participant_id_page")
        ),
    )
    op.create_index(op.f("ix_call_quality_session_id"), "call_quality", ["session_id"])
    op.create_table(
        "link_observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                *("call", "check", "drill"),
                name="linksource",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_well", sa.Boolean(), nullable=False),
        sa.Column("up_kbps", sa.Integer(), nullable=True),
        sa.Column("down_kbps", sa.Integer(), nullable=True),
        sa.Column("rtt_ms", sa.Integer(), nullable=True),
        sa.Column("loss_permille", sa.Integer(), nullable=True),
        sa.Column("relay_udp", sa.Boolean(), nullable=True),
        sa.Column("relay_tcp", sa.Boolean(), nullable=True),
        sa.Column("relay_tls", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["station_id"], ["facility.id"], name=op.f("fk_link_observation_station_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_observation")),
        sa.UniqueConstraint(
            "station_id",
            "source",
            "key",
            name=op.f("uq_link_observation_station_id_source_key"),
        ),
    )
    op.create_index(
        "ix_link_observation_station_id_at", "link_observation", ["station_id", "at"]
    )
