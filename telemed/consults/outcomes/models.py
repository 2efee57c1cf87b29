"""Tables of what is due, what was told, and who was content."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from telemed.consults.outcomes.rules import LONGEST_NOTE, PatientStatus, TransferResult
from telemed.core.columns import Json, UtcDateTime, ValueEnum, new_uid, uid_column

_OPEN = text("done_at IS NULL")


class FollowUp(SQLModel, table=True):
    """A day on which the station tells what became of the patient; open until it has."""

    __tablename__ = "follow_up"
    __table_args__ = (
        UniqueConstraint("consult_id", "due_on"),
        Index(
            "ix_follow_up_station",
            *("station_id", "due_on", "id"),
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index(
            "ix_follow_up_specialist",
            *("specialist_id", "due_on", "id"),
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id")
    station_id: int = Field(foreign_key="facility.id")
    specialist_id: int | None = Field(default=None, foreign_key="person.id")
    due_on: date
    reminders: int = 0
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Outcome(SQLModel, table=True):
    """What the station knows of the patient on a day; never edited, only followed by another."""

    __tablename__ = "outcome"
    __table_args__ = (
        Index(
            "ix_outcome_unseen",
            *("specialist_id", "id"),
            sqlite_where=text("seen_at IS NULL"),
            postgresql_where=text("seen_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id", index=True)
    specialist_id: int | None = Field(default=None, foreign_key="person.id")
    observed_on: date
    status: PatientStatus = Field(sa_type=ValueEnum(PatientStatus))
    transfer: TransferResult = Field(sa_type=ValueEnum(TransferResult))
    note: str = Field(default="", max_length=LONGEST_NOTE)
    recorded_by_id: int = Field(foreign_key="person.id")
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Asked(StrEnum):
    """Who is asked how it was."""

    PATIENT = "patient"
    REQUESTER = "requester"


class SatisfactionAsk(SQLModel, table=True):
    """Somebody of a case was asked; of a patient nothing leads from here to the answer."""

    __tablename__ = "satisfaction_ask"
    __table_args__ = (UniqueConstraint("consult_id", "asked"),)

    id: int | None = Field(default=None, primary_key=True)
    consult_id: int = Field(foreign_key="consult.id")
    station_id: int = Field(foreign_key="facility.id")
    asked: Asked = Field(sa_type=ValueEnum(Asked))
    month: str = Field(max_length=7, index=True)
    is_answered: bool = False


class SatisfactionAnswer(SQLModel, table=True):
    """One to three marks from 1 to 5. A random key and the month alone: no time, no order."""

    __tablename__ = "satisfaction_answer"

    key: str = Field(default_factory=new_uid, primary_key=True, max_length=22)
    station_id: int = Field(foreign_key="facility.id", index=True)
    asked: Asked = Field(sa_type=ValueEnum(Asked))
    month: str = Field(max_length=7, index=True)
    marks: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
