"""Levels, terms, verdicts, months: whole products and properties."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.training.caselog.rules import Level
from telemed.training.entrustment.levels import Basis, Entrusted, Standing, Verdict
from telemed.training.entrustment.repository import technique_key
from telemed.training.entrustment.rules import (
    LONGEST_TERM,
    check_answer,
    check_decision,
    check_verdict,
    months_later,
    standing,
)

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
EVIDENCES = list(chain.from_iterable(combinations(Level, count) for count in range(5)))


@pytest.mark.parametrize(("level", "basis"), list(product(Entrusted, Basis)))
def test_what_a_decision_needs_under_it(level: Entrusted, basis: Basis) -> None:
    for evidence in EVIDENCES:
        faults = check_decision(level, basis, today=TODAY, expires_on=TODAY, evidence=evidence)
        by_hand = (
            basis is Basis.AD_HOC
            or level is Entrusted.OBSERVES
            or (level is Entrusted.DIRECTLY_SUPERVISED and len(evidence) > 0)
            or (
                level is Entrusted.HELP_AT_HAND
                and (Level.SUPERVISED in evidence or Level.PERFORMED in evidence)
            )
            or (level >= Entrusted.ALONE and Level.PERFORMED in evidence)
        )
        assert (not faults) == by_hand, evidence


@pytest.mark.parametrize("basis", list(Basis))
def test_a_decision_ends_within_its_term(basis: Basis) -> None:
    most = LONGEST_TERM[basis]

    def fault(day: date) -> list[str]:
        found = check_decision(Entrusted.OBSERVES, basis, today=TODAY, expires_on=day, evidence=())
        return [each.code for each in found]

    assert fault(TODAY - DAY) == ["in_past"]
    assert fault(TODAY) == fault(TODAY + most) == []
    assert fault(TODAY + most + DAY) == ["term_long"]


@pytest.mark.parametrize(
    ("is_replaced", "withdrawn_on", "left", "expected"),
    [
        (False, None, 0, Standing.HOLDS),
        (False, None, -1, Standing.EXPIRED),
        (True, None, 5, Standing.REPLACED),
        (True, TODAY, 5, Standing.WITHDRAWN),
    ],
)
def test_what_a_decision_is_worth(
    is_replaced: bool, withdrawn_on: date | None, left: int, expected: Standing
) -> None:
    found = standing(
        is_replaced=is_replaced,
        withdrawn_on=withdrawn_on,
        expires_on=TODAY + left * DAY,
        today=TODAY,
    )
    assert found is expected


@given(st.dates(date(2000, 1, 1), date(2900, 1, 1)), st.integers(0, 24))
def test_months_later_is_a_day_of_that_month(day: date, months: int) -> None:
    later = months_later(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later + DAY).day == 1


def test_the_last_day_of_a_month_stays_a_last_day() -> None:
    assert months_later(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert months_later(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert months_later(date(2027, 8, 31), 6) == date(2028, 2, 29)


def test_a_technique_without_a_code_goes_by_its_name_without_signs() -> None:
    assert technique_key("18.1", "Siêu âm") == "18.1"
    assert technique_key("", "Tiêm  chủng") == technique_key("", "tiem chung")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_conditions_belong_to_a_conditional_verdict(verdict: Verdict) -> None:
    assert bool(check_verdict(verdict, "")) == (verdict is Verdict.CONDITIONAL)
    assert check_verdict(verdict, "Mua máy") == []


@pytest.mark.parametrize(
    ("is_still_done", "times", "reason", "field"),
    [
        (True, 1, "", None),
        (True, 0, "", "times"),
        (True, -1, "", "times"),
        (False, 0, "Hỏng máy", None),
        (False, 0, "", "reason"),
        (False, 3, "Hỏng máy", "times"),
    ],
)
def test_an_answer_says_how_often_or_why_not(
    is_still_done: bool, times: int, reason: str, field: str | None
) -> None:
    found = check_answer(is_still_done=is_still_done, times=times, reason=reason)
    assert [each.field for each in found] == ([field] if field else [])
