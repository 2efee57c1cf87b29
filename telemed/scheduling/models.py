"""Weekly hours of specialists, booked appointments, which never overlap, and addresses of calendars."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, on_create, uid_column

REASON_LENGTH = 300


class BookingState(StrEnum):
    """A cancelled booking frees its time."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class WeeklyHours(SQLModel, table=True):
    """A span of a weekday (0 = Monday, local time) in which a specialist can be booked."""

    __tablename__ = "weekly_hours"
    __table_args__ = (
        CheckConstraint("start_minute < end_minute", name="order"),
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
    )

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    weekday: int
    start_minute: int
    end_minute: int
    slot_minutes: int = 30


class Booking(SQLModel, table=True):
    """An appointment of a specialist about a consult. Times are half-open: [start, end)."""

    __tablename__ = "booking"
    __table_args__ = (CheckConstraint("start_at < end_at", name="order"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id", index=True)
    specialist_id: int = Field(foreign_key="person.id", index=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    start_at: datetime = Field(sa_type=UtcDateTime, index=True)
    end_at: datetime = Field(sa_type=UtcDateTime)
    state: BookingState = Field(
        default=BookingState.BOOKED,
        sa_type=ValueEnum(BookingState),
    )
    booked_by_id: int = Field(foreign_key="person.id")
    cancelled_by_id: int | None = Field(default=None, foreign_key="person.id")
    reason: str = Field(default="", max_length=REASON_LENGTH)
    created_at: datetime = Field(sa_type=UtcDateTime)


class CalendarFeed(SQLModel, table=True):
    """The secret address of one person's calendar; the address itself is known to that person."""

    __tablename__ = "calendar_feed"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", unique=True)
    token_hash: str = Field(max_length=64, unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


_SQLITE = """
CREATE TRIGGER booking_{column}_{verb}_free BEFORE {verb} ON booking WHEN NEW.state = 'booked'
BEGIN SELECT RAISE(ABORT, 'booking_{column}_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE {column} = NEW.{column} AND state = 'booked'
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END
"""
_POSTGRES = """
ALTER TABLE booking ADD CONSTRAINT booking_{column}_free EXCLUDE USING gist
({column} WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (state = 'booked')
"""
_NEVER_TWICE = ("specialist_id", "patient_id")
on_create(
    Booking,
    [
        ("postgresql", "CREATE EXTENSION IF NOT EXISTS btree_gist"),
        *(("postgresql", _POSTGRES.format(column=column)) for column in _NEVER_TWICE),
        *(
            ("sqlite", _SQLITE.format(column=column, verb=verb))
            for column in _NEVER_TWICE
            for verb in ("INSERT", "UPDATE")
        ),
    ],
)
