"""When a contract is in force, and what it must say."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.facilities.contracts.rules import (
    ENDS_SOON,
    ContractState,
    Draft,
    Term,
    check,
    check_end,
    is_in_scope,
)

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
SPANS = st.integers(0, 3000).map(timedelta)
S = ContractState


@st.composite
def terms(draw: st.DrawFn) -> Term:
    starts = draw(DAYS)
    ends = starts + draw(SPANS)
    return Term(starts, ends, draw(st.none() | st.dates(starts, ends)))


@given(terms(), DAYS)
def test_a_day_is_covered_exactly_when_the_state_says_so(term: Term, day: date) -> None:
    assert term.covers(day) == (term.state(day) in {S.IN_FORCE, S.ENDS_SOON})
    assert term.covers(term.starts_on)
    assert term.covers(term.last_day)
    assert not term.covers(term.last_day + timedelta(days=1))
    assert not term.covers(term.starts_on - timedelta(days=1))


@given(terms(), DAYS)
def test_states_follow_each_other_and_never_come_back(term: Term, day: date) -> None:
    order = [S.TO_COME, S.IN_FORCE, S.ENDS_SOON, S.OVER]
    today, tomorrow = term.state(day), term.state(day + timedelta(days=1))
    assert order.index(today) <= order.index(tomorrow)


@given(terms(), DAYS)
def test_ending_early_only_ever_takes_days_away(term: Term, day: date) -> None:
    whole = Term(term.starts_on, term.ends_on)
    assert term.covers(day) <= whole.covers(day)


def test_who_must_sign_the_next_one_hears_of_it_two_months_before() -> None:
    last = date(2026, 12, 31)
    term = Term(date(2026, 1, 1), last)
    assert term.state(last - ENDS_SOON) is S.ENDS_SOON
    assert term.state(last - ENDS_SOON - timedelta(days=1)) is S.IN_FORCE


def draft(**changes: object) -> Draft:
    fields = {
        "number": "12/HĐ-BVĐK",
        "signed_on": date(2025, 12, 20),
        "term": Term(date(2026, 1, 1), date(2027, 12, 31)),
        "stations": frozenset({"TYT03127"}),
        "scope": "",
    }
    return Draft(**(fields | changes))  # type: ignore[arg-type] # a test says what it is about


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": ""}, "number"),
        ({"number": "1" * 61}, "number"),
        ({"scope": "a" * 501}, "scope"),
        ({"term": Term(date(2026, 1, 2), date(2026, 1, 1))}, "ends_on"),
        ({"term": Term(date(2026, 1, 1), date(2037, 1, 1))}, "ends_on"),
        ({"signed_on": date(2028, 1, 1)}, "signed_on"),
        ({"stations": frozenset()}, "stations"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], field: str) -> None:
    assert [error.field for error in check(draft(**changes))] == [field]
    assert check(draft()) == []


@pytest.mark.parametrize(
    ("on", "reason", "fields"),
    [
        (date(2026, 6, 1), "Hai bên thỏa thuận", []),
        (date(2025, 12, 31), "Hai bên thỏa thuận", ["ended_on"]),
        (date(2028, 1, 1), "", ["reason", "ended_on"]),
        (date(2026, 6, 1), "a" * 301, ["reason"]),
    ],
)
def test_an_early_end_lies_within_the_term_and_has_a_reason(
    on: date, reason: str, fields: list[str]
) -> None:
    assert [error.field for error in check_end(draft().term, on, reason)] == fields


@given(st.none() | st.integers(1, 9), st.frozensets(st.integers(1, 9)))
def test_a_contract_that_names_nothing_covers_everything(
    asked: int | None, named: frozenset[int]
) -> None:
    assert is_in_scope(asked, named) == (not named or asked in named)
