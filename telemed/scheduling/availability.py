"""Free slots from hours, leave, and what is taken already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import N_, FieldError, Invalid

DAY_MINUTES = 24 * 60
SLOT_CHOICES = (15, 20, 30, 45, 60)


@dataclass(frozen=True, order=True)
class Hours:
    """A span of a weekday (0 = Monday) in minutes of local time, cut into slots.

    `row` is where it stands in a form, so that what is wrong is shown there.
    """

    weekday: int
    start_minute: int
    end_minute: int
    slot_minutes: int = 30
    row: int = field(default=0, compare=False)


@dataclass(frozen=True, order=True)
class Span:
    """Half-open time: [start, end), aware UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """True when both share a moment; touching ends do not."""
        return self.start < other.end and other.start < self.end


def parse_clock(text: str, field: str) -> int:
    """`07:30` → 450 minutes; `24:00` is the end of the day. Raises Invalid naming the field."""
    hour, _, minute = text.strip().partition(":")
    if hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit():
        total = int(hour) * 60 + int(minute)
        if int(minute) < 60 and total <= DAY_MINUTES:
            return total
    raise Invalid("clock_malformed", N_("Giờ ghi như 07:30"), field=field)


def format_clock(minutes: int) -> str:
    """450 → `07:30`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _cell(name: str, row: int) -> str:
    return f"{name}_{row}"


def check_hours(hours: Sequence[Hours], field_of: Callable[[str, int], str] = _cell) -> None:
    """Hours must run forward, hold a slot, and not overlap. Raises Invalid.

    `field_of` names the field of a form for `weekday`, `start`, `end` or `slot` of a row.
    """
    faults = [fault for span in hours for fault in _faults(span, field_of)]
    ordered = sorted(hours)
    for before, after in pairwise(ordered):
        if before.weekday == after.weekday and after.start_minute < before.end_minute:
            text = N_("Giờ này trùng với khung khác")
            faults.append(FieldError(field_of("start", after.row), "hours_overlap", text))
    if faults:
        raise Invalid.of(faults)


def _faults(span: Hours, field_of: Callable[[str, int], str]) -> Iterator[FieldError]:
    if not 0 <= span.weekday <= 6:
        text = N_("Chọn một ngày trong tuần")
        yield FieldError(field_of("weekday", span.row), "weekday_unknown", text)
    if span.slot_minutes not in SLOT_CHOICES:
        text = N_("Chọn một trong các giá trị có sẵn")
        yield FieldError(field_of("slot", span.row), "slot_unknown", text)
    elif span.start_minute + span.slot_minutes > span.end_minute:
        text = N_("Giờ kết thúc phải sau giờ bắt đầu ít nhất một lượt")
        yield FieldError(field_of("end", span.row), "hours_reversed", text)


def slots_of_day(hours: Iterable[Hours], day: date) -> list[Span]:
    """Every slot of a local day, taken or not, in order."""
    midnight = datetime.combine(day, time(), LOCAL_ZONE)
    slots = []
    for span in sorted(hours):
        if span.weekday != day.weekday():
            continue
        starts = range(
            span.start_minute, span.end_minute - span.slot_minutes + 1, span.slot_minutes
        )
        for minute in starts:
            start = midnight + timedelta(minutes=minute)
            slots.append(Span(start, start + timedelta(minutes=span.slot_minutes)))
    return slots


@dataclass(frozen=True)
class Availability:
    """When somebody can be booked: by the week, but on some days otherwise, and not on leave."""

    weekly: Sequence[Hours] = ()
    days: Mapping[date, Sequence[Hours]] = field(default_factory=dict)
    leave: Collection[tuple[date, date]] = ()

    def is_away(self, day: date) -> bool:
        """On leave, from the first day to the last."""
        return any(first <= day <= last for first, last in self.leave)

    def slots(self, day: date) -> list[Span]:
        """Every slot of a local day, taken or not, in order."""
        if self.is_away(day):
            return []
        return slots_of_day(self.days.get(day, self.weekly), day)


@dataclass(frozen=True)
class Rooms:
    """The rooms of a station, numbered from 1, and when each is taken."""

    count: int
    taken: Sequence[tuple[int, Span]] = ()

    def free(self, span: Span) -> int | None:
        """The first room that nobody is in at that time."""
        busy = {room for room, other in self.taken if span.overlaps(other)}
        return next((room for room in range(1, self.count + 1) if room not in busy), None)


def free_slots(
    hours: Availability,
    taken: Sequence[Span],
    rooms: Rooms,
    *,
    first: date,
    days: int,
    now: datetime,
) -> list[Span]:
    """Slots of some days that lie ahead, overlap nothing taken, and have a room."""
    return [
        slot
        for offset in range(days)
        for slot in hours.slots(first + timedelta(days=offset))
        if slot.start > now
        and not any(slot.overlaps(other) for other in taken)
        and rooms.free(slot) is not None
    ]
