"""Leave and hours of single days; rooms of stations; times that are held and times that move."""

import sqlalchemy as sa
from alembic import op

from telemed.migrations.checks import allow_tags, allow_values, write_anew

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NEVER_TWICE = {
    "specialist": ("specialist_id",),
    "patient": ("patient_id",),
    "room": ("station_id", "room"),
}
_TAKES_TIME = "state IN ('booked', 'held')"
_HOLD = "CONSTRAINT ck_booking_hold CHECK ((state = 'held') = (held_until IS NOT NULL))"
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


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "day_hours",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.CheckConstraint("start_minute < end_minute", name=op.f("ck_day_hours_order")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_day_hours_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_day_hours")),
        sa.UniqueConstraint("uid", name=op.f("uq_day_hours_uid")),
    )
    op.create_index(op.f("ix_day_hours_person_id"), "day_hours", ["person_id"])
    op.create_table(
        "leave",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=22), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_leave_order")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_leave_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leave")),
        sa.UniqueConstraint("uid", name=op.f("uq_leave_uid")),
    )
    op.create_index(op.f("ix_leave_person_id"), "leave", ["person_id"])
    op.add_column(
        "facility", sa.Column("rooms", sa.Integer(), nullable=False, server_default="1")
    )
    _drop_guards()
    _change_booking()
    _give_rooms()
    _make_guards()
    allow_tags(op.get_bind(), "booking:move")


def _drop_guards() -> None:
    for column in ("specialist_id", "patient_id"):
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE booking DROP CONSTRAINT booking_{column}_free")
        else:
            for verb in ("INSERT", "UPDATE"):
                op.execute(f"DROP TRIGGER booking_{column}_{verb}_free")


def _change_booking() -> None:
    for column in (
        sa.Column("room", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moves", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("booking", column)
    connection = op.get_bind()
    allow_values(connection, "booking", "bookingstate", "state", "held")
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE booking ADD {_HOLD}")
    else:
        write_anew(connection, "booking", lambda made: f"{made.rstrip().removesuffix(')')}, {_HOLD})")
    op.create_index("ix_booking_held_until", "booking", ["held_until"])


def _give_rooms() -> None:
    """Whoever was booked at one station at the same time had more than one room."""
    connection = op.get_bind()
    booking = sa.table(
        "booking",
        *(sa.column(name) for name in ("id", "station_id", "room", "start_at", "end_at", "state")),
    )
    facility = sa.table("facility", sa.column("id"), sa.column("rooms"))
    columns = (booking.c.id, booking.c.station_id, booking.c.start_at, booking.c.end_at)
    query = sa.select(*columns).where(booking.c.state == "booked").order_by(booking.c.start_at)
    ends = dict[int, list[object]]()
    for key, station, start, end in connection.execute(query).all():
        rooms = ends.setdefault(station, [])
        free = next((n for n, last in enumerate(rooms) if last <= start), len(rooms))  # type: ignore[operator] # times
        rooms[free : free + 1] = [end]
        if free:
            change = booking.update().where(booking.c.id == key).values(room=free + 1)
            connection.execute(change)
    for station, rooms in ends.items():
        if len(rooms) > 1:
            change = facility.update().where(facility.c.id == station).values(rooms=len(rooms))
            connection.execute(change)


def _make_guards() -> None:
    for name, columns in _NEVER_TWICE.items():
        if op.get_bind().dialect.name == "postgresql":
            same = ", ".join(f"{column} WITH =" for column in columns)
            op.execute(_POSTGRES.format(name=name, same=same, takes_time=_TAKES_TIME))
        else:
            same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
            for verb in ("INSERT", "UPDATE"):
                op.execute(
                    _SQLITE.format(name=name, verb=verb, same=same, takes_time=_TAKES_TIME)
                )
