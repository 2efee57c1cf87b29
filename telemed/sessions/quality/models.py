"""What each page of each participant measured of a call."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import Json, UtcDateTime


class CallQuality(SQLModel, table=True):
    """Sums over the life of one page; a summary with a greater number replaces the one before."""

    __tablename__ = "call_quality"
    __table_args__ = (UniqueConstraint("participant_id", "page"),)

    id: int | None = Field(default=None, primary_key=True)
    session_id: int = Field(foreign_key="live_session.id", index=True)
    participant_id: int = Field(foreign_key="participant.id")
    page: str = Field(max_length=22)
    number: int
    began_at: datetime = Field(sa_type=UtcDateTime)
    heard_at: datetime = Field(sa_type=UtcDateTime)
    media_ms: int = 0
    setup_ms: int | None = None
    mode_changes: int = 0
    packets_received: int = Field(default=0, sa_type=BigInteger)
    packets_lost: int = Field(default=0, sa_type=BigInteger)
    audio_ms: int = 0
    concealed_ms: int = 0
    freezes: int = 0
    freeze_ms: int = 0
    bytes_up: int = Field(default=0, sa_type=BigInteger)
    bytes_down: int = Field(default=0, sa_type=BigInteger)
    rtt_ms: int | None = None
    worst_rtt_ms: int | None = None
    up_kbps: int | None = None
    down_kbps: int | None = None
    timeline: list[list[int]] = Field(default_factory=list, sa_type=Json)
    modes: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
