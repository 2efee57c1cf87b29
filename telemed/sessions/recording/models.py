"""Recordings of sessions: what everybody said to them, and the files that they left."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column
from telemed.sessions.recording.lifecycle import Answer, RecordingState

_recording_revision = revision_column()


class Recording(SQLModel, table=True):
    """One recording from being asked for to its deletion. `outcome` is the code of what broke it."""

    __tablename__ = "recording"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _recording_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    session_id: int = Field(foreign_key="live_session.id", index=True)
    state: RecordingState = Field(
        default=RecordingState.ASKED,
        sa_type=ValueEnum(RecordingState),
    )
    asked_by_id: int = Field(foreign_key="person.id")
    asked_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = Field(default="", max_length=40)
    kept_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    retained_until: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_recording_revision)


class RecordingConsent(SQLModel, table=True):
    """What one participant said; without a participant it is the patient, noted by the station."""

    __tablename__ = "recording_consent"
    __table_args__ = (UniqueConstraint("recording_id", "participant_id"),)

    id: int | None = Field(default=None, primary_key=True)
    recording_id: int = Field(foreign_key="recording.id", index=True)
    participant_id: int | None = Field(default=None, foreign_key="participant.id")
    answer: Answer = Field(default=Answer.OPEN, sa_type=ValueEnum(Answer))
    text_version: str | None = Field(default=None, max_length=20)
    noted_by_id: int | None = Field(default=None, foreign_key="person.id")
    at: datetime = Field(sa_type=UtcDateTime)


class RecordingFile(SQLModel, table=True):
    """The voice and picture of one participant; the bytes lie in storage under their SHA-256."""

    __tablename__ = "recording_file"
    __table_args__ = (UniqueConstraint("recording_id", "sha256"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    recording_id: int = Field(foreign_key="recording.id", index=True)
    participant_id: int | None = Field(default=None, foreign_key="participant.id")
    sha256: str = Field(max_length=64)
    size_bytes: int = Field(sa_type=BigInteger)
    offset_ms: int
    duration_ms: int
    is_whole: bool = True
