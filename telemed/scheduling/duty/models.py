"""The table of shifts."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum


class DutyRank(StrEnum):
    """In which order people on duty are turned to."""

    FIRST = "first"
    SECOND = "second"
    COORDINATOR = "coordinator"


OF_SPECIALTY = (DutyRank.FIRST, DutyRank.SECOND)
_FOR_ALL = text("specialty_id IS NULL")


class DutyShift(SQLModel, table=True):
    """Who is on duty on a day, for a specialty; the coordinator is so for all of them."""

    __tablename__ = "duty_shift"
    __table_args__ = (
        UniqueConstraint("day", "specialty_id", "rank"),
        # To both engines no two NULLs are the same.
        Index(
            "uq_duty_shift_coordinator",
            "day",
            unique=True,
            sqlite_where=_FOR_ALL,
            postgresql_where=_FOR_ALL,
        ),
        CheckConstraint("(rank = 'coordinator') = (specialty_id IS NULL)", name="whom"),
    )

    id: int | None = Field(default=None, primary_key=True)
    day: date
    specialty_id: int | None = Field(default=None, foreign_key="specialty.id")
    rank: DutyRank = Field(sa_type=ValueEnum(DutyRank))
    person_id: int = Field(foreign_key="person.id", index=True)
    changed_at: datetime = Field(sa_type=UtcDateTime)
