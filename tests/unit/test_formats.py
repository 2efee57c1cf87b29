"""Dates, times, numbers and sizes as they are written in Viet Nam."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.web.formats import (
    format_date,
    format_datetime,
    format_iso_date,
    format_iso_datetime,
    format_number,
    format_size,
    format_time,
)

LATE = datetime(2026, 11, 22, 18, 5, tzinfo=UTC)


def test_a_moment_is_written_by_the_clock_of_the_province() -> None:
    assert format_date(LATE) == "23/11/2026"
    assert format_time(LATE) == "01:05"
    assert format_datetime(LATE) == "01:05 23/11/2026"
    assert format_iso_datetime(LATE.isoformat()) == "01:05 23/11/2026"


def test_a_day_has_no_zone_and_a_year_alone_stays_a_year() -> None:
    assert format_date(date(1985, 3, 8)) == "08/03/1985"
    assert format_iso_date("1985-03-08") == "08/03/1985"
    assert format_iso_date("1985") == "1985"


def test_nothing_is_written_as_nothing() -> None:
    assert [format_date(None), format_time(None), format_datetime(None)] == ["", "", ""]
    assert format_number(None) == ""


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [
        (0, None, "0"),
        (1234567, None, "1.234.567"),
        (37.5, None, "37,5"),
        (1234.5, 1, "1.234,5"),
        (-1234, None, "-1.234"),
        (2, 2, "2,00"),
    ],
)
def test_a_number_has_a_decimal_comma_and_thousand_dots(
    value: float, decimals: int | None, written: str
) -> None:
    assert format_number(value, decimals) == written


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "1\u00a0kB"), (38_000, "38\u00a0kB"), (1_900_000, "1,9\u00a0MB"), (2**20, "1,0\u00a0MB")],
)
def test_a_size_keeps_its_unit(size: int, written: str) -> None:
    assert format_size(size) == written


@given(st.integers(-(10**12), 10**12))
def test_a_written_number_is_the_number(value: int) -> None:
    assert int(format_number(value).replace(".", "")) == value
