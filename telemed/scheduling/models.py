"""Hours of specialists, appointments, which never overlap, and addresses of calendars."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, on_create, uid_column

REASON_LENGTH = 300


class BookingState(StrEnum):
    """A held time is nobody else's for a few minutes; a cancelled booking frees its time."""

    HELD = "held"
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


class DayHours(SQLModel, table=True):
    """A span of one day in which a specialist can be booked, instead of that weekday's hours."""

    __tablename__ = "day_hours"
    __table_args__ = (CheckConstraint("start_minute < end_minute", name="order"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    person_id: int = Field(foreign_key="person.id", index=True)
    day: date
    start_minute: int
    end_minute: int
    slot_minutes: int = 30


class Leave(SQLModel, table=True):
    """Days on which a person is not there, the first and the last among them."""

    __tablename__ = "leave"
    __table_args__ = (CheckConstraint("first_day <= last_day", name="order"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    person_id: int = Field(foreign_key="person.id", index=True)
    first_day: date
    last_day: date
    created_at: datetime = Field(sa_type=UtcDateTime)


class Booking(SQLModel, table=True):
    """An appointment of a specialist about a consult, in one of the rooms of the station.

    Times are half-open: [start, end). `moves` counts how often it was given another time.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("start_at < end_at", name="order"),
        CheckConstraint("(state = 'held') = (held_until IS NOT NULL)", name="hold"),
        Index("ix_booking_held_until", "held_until"),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id", index=True)
    specialist_id: int = Field(foreign_key="person.id", index=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    room: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
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
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    moves: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CalendarFeed(SQLModel, table=True):
    """The secret address of one person's calendar; the address itself is known to that person."""

    __tablename__ = "calendar_feed"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", unique=True)
    token_hash: str = Field(max_length=64, unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


# By whom or what a time is taken: nobody and no room is in two places at once.
_NEVER_TWICE = {
    "specialist": ("specialist_id",),
    "patient": ("patient_id",),
    "room": ("station_id", "room"),
}
_TAKES_TIME = "state IN ('booked', 'held')"
_SQLITE = """
CREATE TRIGGER booking_{name}_{verb}_free BEFORE {verb} ON booking WHEN NEW.{takes_time}
BEGIN SELECT RAISE(ABORT, 'booking_{name}_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE {same} AND {takes_time}
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END
"""
_POSTGRES = """
ALTER TABLE booking ADD CONSTRAINT booking_{name}_free EXCLUDE USING gist
({same}, tstzrange(start_at, end_at) WITH &&) WHERE ({takes_time})
"""


def never_twice(dialect: str) -> list[str]:
    """The statements that let the database itself refuse what would overlap."""
    statements = list[str]()
    for name, columns in _NEVER_TWICE.items():
        if dialect == "postgresql":
            same = ", ".join(f"{column} WITH =" for column in columns)
            statements.append(_POSTGRES.format(name=name, same=same, takes_time=_TAKES_TIME))
        else:
            same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
            statements += [
                _SQLITE.format(name=name, verb=verb, same=same, takes_time=_TAKES_TIME)
                for verb in ("INSERT", "UPDATE")
            ]
    return statements


on_create(
    Booking,
    [
        ("postgresql", "CREATE EXTENSION IF NOT EXISTS btree_gist"),
        *((dialect, text) for dialect in ("postgresql", "sqlite") for text in never_twice(dialect)),
    ],
)
