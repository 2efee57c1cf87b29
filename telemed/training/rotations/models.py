"""Secondment decisions, the rotations they order, and what is reported of them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column


class RotationKind(StrEnum):
    """As what somebody is sent: to treat, or for preventive medicine."""

    CLINICAL = "clinical"
    PREVENTIVE = "preventive"


class SecondmentDecision(SQLModel, table=True):
    """A decision that sends people to stations (Decision 1816/QĐ-BYT), with its paper if there is one."""

    __tablename__ = "secondment_decision"
    __table_args__ = (UniqueConstraint("number", "issuing_body"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    number: str = Field(max_length=40)
    issuing_body: str = Field(default="", max_length=120)
    signed_on: date
    file_sha256: str | None = Field(default=None, max_length=64)
    file_name: str = Field(default="", max_length=200)
    file_type: str = Field(default="", max_length=60)
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


_rotation_revision = revision_column()


class Rotation(SQLModel, table=True):
    """One person at one station from a day to a day, both included.

    `ended_on` is the last day of whoever came back early. `posting_id` carries the rights at the
    station; preventive staff have none.
    """

    __tablename__ = "rotation"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="order"),
        CheckConstraint("ended_on IS NULL OR ended_on <= ends_on", name="ended"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _rotation_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    decision_id: int = Field(foreign_key="secondment_decision.id", index=True)
    kind: RotationKind = Field(
        default=RotationKind.CLINICAL,
        sa_type=ValueEnum(RotationKind),
    )
    person_id: int = Field(foreign_key="person.id", index=True)
    home_unit_id: int = Field(foreign_key="facility.id")
    station_id: int = Field(foreign_key="facility.id", index=True)
    specialty_id: int | None = Field(default=None, foreign_key="specialty.id")
    starts_on: date
    ends_on: date
    ended_on: date | None = None
    end_reason: str = Field(default="", max_length=300)
    tasks: str = Field(default="", max_length=2000)
    report: str = Field(default="", max_length=8000)
    report_sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    posting_id: int | None = Field(default=None, foreign_key="posting.id")
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_rotation_revision)

    @property
    def last_day(self) -> date:
        """The last day at the station, as far as is known."""
        return self.ended_on or self.ends_on


class RotationLeave(SQLModel, table=True):
    """Days on which somebody who was sent is away, both included."""

    __tablename__ = "rotation_leave"
    __table_args__ = (CheckConstraint("starts_on <= ends_on", name="order"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    rotation_id: int = Field(foreign_key="rotation.id", index=True)
    starts_on: date
    ends_on: date
    reason: str = Field(default="", max_length=300)
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class RotationWeek(SQLModel, table=True):
    """What somebody did in one week, in their own words; the week is known by its Monday."""

    __tablename__ = "rotation_week"
    __table_args__ = (UniqueConstraint("rotation_id", "monday"),)

    id: int | None = Field(default=None, primary_key=True)
    rotation_id: int = Field(foreign_key="rotation.id", index=True)
    monday: date
    text: str = Field(max_length=4000)
    written_at: datetime = Field(sa_type=UtcDateTime)
