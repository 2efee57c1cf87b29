"""Live sessions of both kinds, who took part and when."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column
from telemed.sessions.lifecycle import SessionKind, SessionState


class ParticipantRole(StrEnum):
    """As what somebody is in the room."""

    REQUESTER = "requester"
    SPECIALIST = "specialist"
    TRAINER = "trainer"
    TRAINEE = "trainee"
    GUEST = "guest"


class Capacity(StrEnum):
    """As what a third party is asked to come in."""

    COLLEAGUE = "colleague"
    INTERPRETER = "interpreter"
    TRAINER = "trainer"
    TRAINEE = "trainee"


class LeaveReason(StrEnum):
    """Why a stay ended; a lost link is part of the minutes."""

    LEFT = "left"
    REJOINED = "rejoined"
    LINK_LOST = "link_lost"
    SESSION_ENDED = "session_ended"
    REVOKED = "revoked"


_session_revision = revision_column()


class LiveSession(SQLModel, table=True):
    """One meeting: an episode of a consult, or of a technical transfer."""

    __tablename__ = "live_session"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _session_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    kind: SessionKind = Field(sa_type=ValueEnum(SessionKind))
    consult_id: int | None = Field(default=None, foreign_key="consult.id", index=True)
    title: str = Field(default="", max_length=200)
    station_id: int | None = Field(default=None, foreign_key="facility.id", index=True)
    state: SessionState = Field(
        default=SessionState.RINGING,
        sa_type=ValueEnum(SessionState),
    )
    opened_by_id: int = Field(foreign_key="person.id")
    opened_at: datetime = Field(sa_type=UtcDateTime)
    met_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    epoch: int = 0
    revision: int = Field(default=None, sa_column=_session_revision)


class Participant(SQLModel, table=True):
    """A person invited to, or seen in, a session. `uid` is the id used in signalling."""

    __tablename__ = "participant"
    __table_args__ = (UniqueConstraint("session_id", "person_id"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    session_id: int = Field(foreign_key="live_session.id", index=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    role: ParticipantRole = Field(sa_type=ValueEnum(ParticipantRole))
    invited_at: datetime = Field(sa_type=UtcDateTime)
    ring_ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Invitation(SQLModel, table=True):
    """Who asked a third party to come in, as what; good while the session is open and it stands."""

    __tablename__ = "invitation"

    id: int | None = Field(default=None, primary_key=True)
    participant_id: int = Field(foreign_key="participant.id", unique=True)
    inviter_id: int = Field(foreign_key="person.id")
    capacity: Capacity = Field(sa_type=ValueEnum(Capacity))
    invited_at: datetime = Field(sa_type=UtcDateTime)
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    removed_by_id: int | None = Field(default=None, foreign_key="person.id")


class Attendance(SQLModel, table=True):
    """One stay of a participant in the room. `last_seen_at` ends it when nobody saw them leave."""

    __tablename__ = "attendance"

    id: int | None = Field(default=None, primary_key=True)
    participant_id: int = Field(foreign_key="participant.id", index=True)
    joined_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    leave_reason: LeaveReason | None = Field(
        default=None,
        sa_type=ValueEnum(LeaveReason),
    )
