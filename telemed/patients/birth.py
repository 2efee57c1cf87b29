"""Dates of birth, often only a year, and ages as clinicians say them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from telemed.core.errors import N_, Invalid, Param
from telemed.core.text import clean_line
from telemed.patients.identity import shown

EARLIEST_YEAR = 1900
# Below six years Vietnamese records count months, below one month days.
_MONTHS_SAID_BELOW = 72
_DAY_FIRST = re.compile(r"([0-9]{1,2})[/.\-]([0-9]{1,2})[/.\-]([0-9]{4})")
_YEAR_FIRST = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_YEAR_ONLY = re.compile(r"[0-9]{4}")


@dataclass(frozen=True)
class Birth:
    """A date of birth, or its year alone."""

    year: int
    on: date | None = None

    @property
    def text(self) -> str:
        """Return it as it is written: dd/MM/yyyy, or the year."""
        return f"{self.on:%d/%m/%Y}" if self.on else str(self.year)


@dataclass(frozen=True)
class Age:
    """Completed years and months; days only count in the first month of life."""

    years: int
    months: int
    days: int
    is_estimate: bool

    def words(self) -> tuple[str, dict[str, Param]]:
        """Return the catalogue text and its parameters."""
        if self.is_estimate and self.years < 1:
            return N_("dưới 1\u00a0tuổi"), {}
        if self.is_estimate:
            return N_("khoảng {count}\u00a0tuổi"), {"count": self.years}
        if self.months < 1:
            return N_("{count}\u00a0ngày tuổi"), {"count": self.days}
        if self.months < _MONTHS_SAID_BELOW:
            return N_("{count}\u00a0tháng tuổi"), {"count": self.months}
        return N_("{count}\u00a0tuổi"), {"count": self.years}


def parse_birth(text: str, today: date, field: str = "birth") -> Birth:
    """Read dd/MM/yyyy or a year; never after today, never before 1900."""
    line = clean_line(text)
    if _YEAR_ONLY.fullmatch(line):
        return checked_birth(Birth(int(line)), today, field)
    if match := _DAY_FIRST.fullmatch(line):
        day, month, year = (int(part) for part in match.groups())
    elif match := _YEAR_FIRST.fullmatch(line):
        year, month, day = (int(part) for part in match.groups())
    else:
        message = N_("Ngày sinh ghi như 12/03/1959, hoặc chỉ ghi năm như 1959 – đang là {given}")
        raise Invalid("birth_malformed", message, field=field, given=shown(text))
    return checked_birth(full_birth(year, month, day, field), today, field)


def full_birth(year: int, month: int, day: int, field: str = "birth") -> Birth:
    """Return a full date of birth; the day must exist in the calendar."""
    try:
        return Birth(year, date(year, month, day))
    except ValueError:
        message = N_("Ngày sinh {given} không có trong lịch")
        given = f"{day:02d}/{month:02d}/{year:04d}"
        raise Invalid("birth_no_such_day", message, field=field, given=given) from None


def checked_birth(birth: Birth, today: date, field: str = "birth") -> Birth:
    """Return the birth if a living person can have it."""
    if birth.year < EARLIEST_YEAR:
        message = N_("Năm sinh phải từ {limit} – đang là {given}")
        raise Invalid(
            "birth_too_early", message, field=field, limit=str(EARLIEST_YEAR), given=birth.text
        )
    if (birth.on or date(birth.year, 1, 1)) > today:
        message = N_("Ngày sinh không được sau hôm nay {limit} – đang là {given}")
        raise Invalid(
            "birth_in_future", message, field=field, limit=f"{today:%d/%m/%Y}", given=birth.text
        )
    return birth


def age_on(birth: Birth, day: date) -> Age:
    """Return the age on a day; from a year alone it is an estimate."""
    if birth.on is None:
        years = max(day.year - birth.year, 0)
        return Age(years, years * 12, 0, is_estimate=True)
    had_day = day.day >= birth.on.day or _is_month_end(day)
    months = (day.year - birth.on.year) * 12 + day.month - birth.on.month - (not had_day)
    months = max(months, 0)
    return Age(months // 12, months, max((day - birth.on).days, 0), is_estimate=False)


def _is_month_end(day: date) -> bool:
    """Someone born on the 31st completes a month on the last day of a shorter one."""
    return date.fromordinal(day.toordinal() + 1).day == 1
