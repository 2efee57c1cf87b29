"""What a transfer package must say, and where it stands on a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.facilities.contracts.rules import Term
from telemed.training.packages.rules import (
    LEVELS,
    MOST_TARGET,
    MOST_TECHNIQUES,
    Agreed,
    Draft,
    PackageState,
    TypedTechnique,
    check,
    last_day_allowed,
    read_rows,
    state_of,
)

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))
S = PackageState
GOOD = TypedTechnique("18.1", "Siêu âm ổ bụng", "5", "", "2", "10")


@st.composite
def terms(draw: st.DrawFn) -> Term:
    starts = draw(DAYS)
    ends = starts + draw(st.integers(0, 1096).map(timedelta))
    return Term(starts, ends, draw(st.none() | st.dates(starts, ends)))


@given(terms(), DAYS)
def test_a_package_runs_exactly_on_the_days_of_its_term(term: Term, day: date) -> None:
    assert (state_of(term, day) is S.RUNNING) == term.covers(day)
    order = [S.TO_COME, S.RUNNING, S.OVER]
    tomorrow = state_of(term, day + timedelta(days=1))
    assert order.index(state_of(term, day)) <= order.index(tomorrow)


@given(st.dates(date(1900, 1, 1), date(9999, 12, 31)))
def test_three_years_end_on_the_same_day(starts_on: date) -> None:
    last = last_day_allowed(starts_on)
    assert starts_on <= last
    assert last - starts_on <= timedelta(days=3 * 365 + 1)


def test_three_years_of_a_leap_day_end_on_the_28th() -> None:
    assert last_day_allowed(date(2024, 2, 29)) == date(2027, 2, 28)


def draft(**changes: object) -> Draft:
    fields = {
        "title": "Siêu âm cơ bản 2026",
        "number": "09/HĐCG",
        "signed_on": date(2025, 12, 20),
        "term": Term(date(2026, 1, 1), date(2026, 12, 31)),
        "provider_representative": "BS Lò Văn A, phó giám đốc",
        "receiver_representative": "BS Cà Thị B, trưởng trạm",
        "stations": frozenset({"TYT03127"}),
    }
    return Draft(**(fields | changes))  # type: ignore[arg-type] # a test says what it is about


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "a" * 201}, "title"),
        ({"number": ""}, "number"),
        ({"number": "1" * 61}, "number"),
        ({"signed_on": date(2027, 1, 1)}, "signed_on"),
        ({"term": Term(date(2026, 1, 2), date(2026, 1, 1))}, "ends_on"),
        ({"term": Term(date(2026, 1, 1), date(2029, 1, 2))}, "ends_on"),
        ({"provider_representative": ""}, "provider_representative"),
        ({"provider_representative": "a" * 201}, "provider_representative"),
        ({"receiver_representative": ""}, "receiver_representative"),
        ({"stations": frozenset()}, "stations"),
        ({"survey": "a" * 5001}, "survey"),
        ({"outline": "a" * 10_001}, "outline"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], field: str) -> None:
    assert [error.field for error in check(draft(**changes))] == [field]


def test_three_years_to_the_day_are_taken() -> None:
    assert check(draft()) == []
    assert check(draft(term=Term(date(2026, 1, 1), date(2029, 1, 1)))) == []


# --- techniques ------------------------------------------------------------------------------

NUMBERS = st.integers(0, MOST_TARGET)


@given(
    st.dictionaries(
        st.builds("{}.{}".format, st.integers(1, 28), st.integers(1, 999)),
        st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS).filter(any),
        min_size=1,
        max_size=MOST_TECHNIQUES,
    )
)
def test_rows_are_read_in_their_order(agreed: dict[str, tuple[int, ...]]) -> None:
    rows = [
        row
        for code, targets in agreed.items()
        for row in (TypedTechnique(code, "Tên", *map(str, targets)), TypedTechnique())
    ]
    found, errors = read_rows(rows, {})
    assert errors == []
    assert found == [Agreed(code, "Tên", *targets) for code, targets in agreed.items()]


@given(st.lists(st.builds(TypedTechnique, *[st.text(max_size=8)] * 6), max_size=8))
def test_whatever_is_typed_is_read_or_named_by_its_box(rows: list[TypedTechnique]) -> None:
    found, errors = read_rows(rows, {})
    boxes = {f"{box}.{place}" for box in ("code", "name", *LEVELS) for place in range(8)}
    assert {error.field for error in errors} <= boxes
    assert errors or found


def test_a_name_that_is_left_out_is_the_one_of_the_list() -> None:
    row = TypedTechnique(" bs_2.1 ", "", performed="1")
    assert read_rows([row], {"BS_2.1": "Khí dung"}) == (
        [Agreed("BS_2.1", "Khí dung", performed=1)],
        [],
    )


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ([], ["code.0:techniques_missing"]),
        ([TypedTechnique(" ", "")], ["code.0:techniques_missing"]),
        ([GOOD, TypedTechnique("29.1", "a", "1")], ["code.1:technique_code"]),
        ([GOOD, TypedTechnique("", "a", "1")], ["code.1:technique_code"]),
        ([TypedTechnique("1.1", "", "1")], ["name.0:technique_name_missing"]),
        ([TypedTechnique("1.1", "a" * 301, "1")], ["name.0:technique_name_long"]),
        ([TypedTechnique("1.1", "a", "0", "0")], ["observed.0:targets_missing"]),
        ([TypedTechnique("1.1", "a", "1", "201")], ["assisted.0:target_outside"]),
        ([TypedTechnique("1.1", "a", "1", "", "-1")], ["supervised.0:target_outside"]),
        ([TypedTechnique("1.1", "a", "1", "", "", "1.5")], ["performed.0:target_outside"]),
        ([TypedTechnique("1.1", "a", "٥")], ["observed.0:target_outside"]),
        ([TypedTechnique("1.1", "a", "9" * 5000)], ["observed.0:target_outside"]),
        ([GOOD, TypedTechnique(), GOOD], ["code.2:technique_repeated"]),
    ],
)
def test_a_wrong_row_is_named_by_its_box(rows: list[TypedTechnique], faults: list[str]) -> None:
    _, errors = read_rows(rows, {})
    assert [f"{error.field}:{error.code}" for error in errors] == faults


def test_a_package_has_so_many_techniques() -> None:
    rows = [TypedTechnique(f"1.{n}", "a", "1") for n in range(1, MOST_TECHNIQUES + 2)]
    assert read_rows(rows[:-1], {})[1] == []
    assert [error.code for error in read_rows(rows, {})[1]] == ["techniques_many"]
