"""A shift is handed over in the morning, whatever the calendar says at midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.clock import LOCAL_ZONE
from telemed.scheduling.duty.days import duty_day, handed_over_at, week_of

YEARS = (datetime(2020, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001 - the zone is put on later


@pytest.mark.parametrize(
    ("hour", "minute", "day"),
    [(0, 0, 22), (6, 59, 22), (7, 0, 23), (12, 0, 23), (23, 59, 23)],
)
def test_until_the_hand_over_yesterdays_people_are_on_duty(
    hour: int, minute: int, day: int
) -> None:
    moment = datetime(2026, 11, 23, hour, minute, tzinfo=LOCAL_ZONE)
    assert duty_day(moment) == date(2026, 11, day)


@given(st.datetimes(*YEARS))
def test_every_moment_belongs_to_the_shift_that_covers_it(naive: datetime) -> None:
    moment = naive.replace(tzinfo=LOCAL_ZONE)
    day = duty_day(moment)
    assert handed_over_at(day) <= moment < handed_over_at(day + timedelta(days=1))


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_a_week_runs_from_monday_to_sunday_around_its_day(day: date) -> None:
    week = week_of(day)
    assert day in week
    assert [each.weekday() for each in week] == list(range(7))
