"""Free slots, whatever the weekly hours and whatever is taken. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import Invalid
from telemed.scheduling.availability import (
    DAY_MINUTES,
    SLOT_CHOICES,
    Availability,
    Hours,
    Rooms,
    Span,
    check_hours,
    format_clock,
    free_slots,
    parse_clock,
    slots_of_day,
)

MONDAY = date(2026, 11, 23)
ONE_ROOM = Rooms(1)
hours = st.builds(
    Hours,
    weekday=st.integers(0, 6),
    start_minute=st.integers(0, DAY_MINUTES),
    end_minute=st.integers(0, DAY_MINUTES),
    slot_minutes=st.sampled_from(SLOT_CHOICES),
)
moments = st.datetimes(
    datetime(2026, 11, 20),  # noqa: DTZ001 - the zone is drawn beside it
    datetime(2026, 12, 20),  # noqa: DTZ001 - the same
    timezones=st.sampled_from([UTC, LOCAL_ZONE]),
)
spans = st.builds(
    lambda start, minutes: Span(start, start + timedelta(minutes=minutes)),
    moments,
    st.integers(1, 600),
)


def faults_of(given_hours: list[Hours]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refusal:
        check_hours(given_hours)
    return [(fault.field, fault.code) for fault in refusal.value.fields]


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=LOCAL_ZONE)


@given(st.lists(hours, max_size=8), st.lists(spans, max_size=12), moments, st.integers(0, 14))
def test_a_free_slot_lies_ahead_inside_the_hours_and_touches_nothing(
    week: list[Hours], taken: list[Span], now: datetime, days: int
) -> None:
    free = free_slots(Availability(week), taken, ONE_ROOM, first=MONDAY, days=days, now=now)
    for slot in free:
        start, end = slot.start.astimezone(LOCAL_ZONE), slot.end.astimezone(LOCAL_ZONE)
        minute = start.hour * 60 + start.minute
        assert slot.start > now
        assert not any(slot.overlaps(other) for other in taken)
        assert MONDAY <= start.date() < MONDAY + timedelta(days=days)
        assert any(
            span.weekday == start.weekday()
            and span.start_minute <= minute
            and minute + span.slot_minutes <= span.end_minute
            and end - start == timedelta(minutes=span.slot_minutes)
            for span in week
        )


@given(st.lists(hours, max_size=8), st.lists(spans, max_size=12))
def test_what_is_taken_takes_away_and_adds_nothing(week: list[Hours], taken: list[Span]) -> None:
    now = local(20, 0)
    everything = free_slots(Availability(week), (), ONE_ROOM, first=MONDAY, days=14, now=now)
    left = free_slots(Availability(week), taken, ONE_ROOM, first=MONDAY, days=14, now=now)
    gone = [slot for slot in everything if slot not in left]
    assert [slot for slot in everything if slot in left] == left
    assert all(any(slot.overlaps(other) for other in taken) for slot in gone)


@given(hours, st.integers(0, 400))
def test_slots_of_a_span_follow_each_other_and_fill_it(span: Hours, offset: int) -> None:
    day = MONDAY + timedelta(days=offset)
    slots = slots_of_day([span], day)
    room = max(0, span.end_minute - span.start_minute) // span.slot_minutes
    assert len(slots) == (room if day.weekday() == span.weekday else 0)
    assert all(before.end == after.start for before, after in pairwise(slots))


@given(st.dates(date(1980, 1, 1), date(2100, 1, 1)))
def test_every_local_day_has_its_twenty_four_hours(day: date) -> None:
    slots = slots_of_day([Hours(day.weekday(), 0, DAY_MINUTES, 60)], day)
    starts = [slot.start.astimezone(UTC) for slot in slots]
    assert len(starts) == 24
    assert starts[-1] - starts[0] == timedelta(hours=23)
    assert slots[0].start.astimezone(LOCAL_ZONE).date() == day


def test_a_slot_that_has_begun_is_not_offered() -> None:
    week = [Hours(0, 8 * 60, 9 * 60, 30)]
    starts = [
        slot.start
        for now in (local(23, 7, 59), local(23, 8), local(23, 8, 30))
        for slot in free_slots(Availability(week), (), ONE_ROOM, first=MONDAY, days=1, now=now)
    ]
    assert starts == [local(23, 8), local(23, 8, 30), local(23, 8, 30)]


def test_ends_that_touch_do_not_overlap() -> None:
    eight, nine, ten = local(23, 8), local(23, 9), local(23, 10)
    assert not Span(eight, nine).overlaps(Span(nine, ten))
    assert Span(eight, nine + timedelta(seconds=1)).overlaps(Span(nine, ten))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("07:30", 450), ("7:30", 450), (" 00:00 ", 0), ("24:00", 1440), ("23:59", 1439), ("7:5", 425)],
)
def test_a_clock_is_read(text: str, minutes: int) -> None:
    assert parse_clock(text, "start_0") == minutes


@pytest.mark.parametrize(
    "text", ["", "7", "7h30", "07:60", "24:01", "-1:00", "07:30:00", "٠٧:٣٠", "7:", ":30", "1e1:00"]
)
def test_what_is_no_clock_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_clock(text, "start_3")
    assert [fault.field for fault in refusal.value.fields] == ["start_3"]


@given(st.integers(0, DAY_MINUTES))
def test_a_clock_is_written_as_it_is_read(minutes: int) -> None:
    assert parse_clock(format_clock(minutes), "start_0") == minutes


@pytest.mark.parametrize(
    ("week", "faults"),
    [
        ([Hours(7, 0, 60, row=2)], [("weekday_2", "weekday_unknown")]),
        ([Hours(-1, 0, 60)], [("weekday_0", "weekday_unknown")]),
        ([Hours(0, 60, 60, row=4)], [("end_4", "hours_reversed")]),
        ([Hours(0, 60, 89)], [("end_0", "hours_reversed")]),
        ([Hours(0, 0, 60, 25, row=1)], [("slot_1", "slot_unknown")]),
        ([Hours(0, 60, 120, row=3), Hours(0, 90, 180, row=7)], [("start_7", "hours_overlap")]),
        ([Hours(0, 60, 120, row=3), Hours(0, 60, 120, row=7)], [("start_7", "hours_overlap")]),
        ([Hours(0, 60, 300, row=0), Hours(0, 90, 120, row=1)], [("start_1", "hours_overlap")]),
        (
            [Hours(9, 0, 60, row=0), Hours(0, 90, 60, row=1)],
            [("weekday_0", "weekday_unknown"), ("end_1", "hours_reversed")],
        ),
    ],
)
def test_hours_that_cannot_be_are_refused_in_their_row(
    week: list[Hours], faults: list[tuple[str, str]]
) -> None:
    assert faults_of(week) == faults


@pytest.mark.parametrize(
    "week",
    [
        [],
        [Hours(0, 0, DAY_MINUTES, 60)],
        [Hours(0, 60, 120), Hours(0, 120, 180)],
        [Hours(0, 60, 120), Hours(1, 60, 120)],
        [Hours(6, 0, 15, 15)],
    ],
)
def test_hours_that_can_be_are_taken(week: list[Hours]) -> None:
    check_hours(week)


# --- single days, leave, rooms -------------------------------------------------------------------


days_of_the_week = st.dates(MONDAY, MONDAY + timedelta(days=13))
leaves = st.builds(
    lambda first, length: (first, first + timedelta(days=length)),
    days_of_the_week,
    st.integers(0, 5),
)


@given(
    st.lists(hours, max_size=6),
    st.dictionaries(days_of_the_week, st.lists(hours, min_size=1, max_size=3), max_size=4),
    st.lists(leaves, max_size=3),
    days_of_the_week,
)
def test_leave_comes_before_the_day_and_the_day_before_the_week(
    week: list[Hours],
    days: dict[date, list[Hours]],
    leave: list[tuple[date, date]],
    day: date,
) -> None:
    slots = Availability(week, days, leave).slots(day)
    if any(first <= day <= last for first, last in leave):
        assert slots == []
    else:
        assert slots == slots_of_day(days.get(day, week), day)


room_numbers = st.integers(1, 4)


@given(st.integers(1, 3), st.lists(st.tuples(room_numbers, spans), max_size=10), spans)
def test_a_free_room_is_one_of_the_station_in_which_nobody_is(
    count: int, taken: list[tuple[int, Span]], wanted: Span
) -> None:
    busy = {room for room, other in taken if other.overlaps(wanted)}
    free = Rooms(count, taken).free(wanted)
    if free is None:
        assert set(range(1, count + 1)) <= busy
    else:
        assert free not in busy
        assert set(range(1, free)) <= busy
        assert free <= count


def test_where_every_room_is_taken_nothing_is_free() -> None:
    week = [Hours(0, 8 * 60, 9 * 60, 30)]
    rooms = Rooms(1, [(1, Span(local(23, 8), local(23, 8, 15)))])
    now = local(23, 7)
    free = free_slots(Availability(week), (), rooms, first=MONDAY, days=1, now=now)
    assert [slot.start for slot in free] == [local(23, 8, 30)]
