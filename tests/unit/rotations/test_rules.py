"""Days of rotations, counted against the plainest way to count them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.training.rotations.rules import (
    Span,
    gaps,
    is_excused,
    monday_of,
    mondays,
    overlaps,
    served_days,
    union,
)

START = date(2026, 11, 23)
DAYS = st.integers(0, 60).map(lambda number: START + timedelta(days=number))
SPANS = st.tuples(DAYS, DAYS).map(lambda pair: Span(min(pair), max(pair)))


def days_of(*spans: Span) -> set[date]:
    return {span.first + timedelta(days=n) for span in spans for n in range(span.days)}


@given(st.lists(SPANS, max_size=6))
def test_joined_spans_have_the_same_days_and_never_touch(spans: list[Span]) -> None:
    joined = union(spans)
    assert days_of(*joined) == days_of(*spans)
    assert all(
        later.first - earlier.last > timedelta(days=1) for earlier, later in pairwise(joined)
    )


@given(st.lists(SPANS, max_size=6), SPANS)
def test_gaps_are_the_days_that_nobody_has(spans: list[Span], within: Span) -> None:
    found = gaps(spans, within)
    assert days_of(*found) == days_of(within) - days_of(*spans)
    assert sum(span.days for span in found) == len(days_of(*found))


@given(st.lists(SPANS, max_size=6))
def test_overlaps_are_the_days_that_two_have(spans: list[Span]) -> None:
    counted = [day for span in spans for day in days_of(span)]
    assert days_of(*overlaps(spans)) == {day for day in counted if counted.count(day) > 1}


@given(SPANS, st.lists(SPANS, max_size=4), DAYS)
def test_days_served_are_those_until_today_without_leave(
    planned: Span, leaves: list[Span], today: date
) -> None:
    served = {day for day in days_of(planned) - days_of(*leaves) if day <= today}
    assert served_days(planned, leaves, today) == len(served)


@given(SPANS)
def test_every_day_has_its_monday(span: Span) -> None:
    assert list(mondays(span)) == sorted({monday_of(day) for day in days_of(span)})


@pytest.mark.parametrize(
    ("leave", "excused"),
    [
        (Span(date(2026, 11, 23), date(2026, 11, 29)), True),
        (Span(date(2026, 11, 25), date(2026, 11, 29)), True),
        (Span(date(2026, 11, 26), date(2026, 11, 29)), False),
    ],
)
def test_a_week_of_leave_alone_is_not_reported(leave: Span, excused: bool) -> None:
    # The rotation begins on a Wednesday.
    whole = Span(date(2026, 11, 25), date(2027, 1, 31))
    assert is_excused(date(2026, 11, 23), whole, [leave]) is excused
