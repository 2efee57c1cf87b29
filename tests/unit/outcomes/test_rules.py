"""When a station tells what became of a patient, and what can have been so."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.consults.outcomes.rules import (
    PatientStatus,
    TransferResult,
    check,
    due_days,
)
from telemed.core.errors import Invalid

CLOSED = date(2026, 11, 23)
SPANS = st.lists(st.integers(0, 400), max_size=5)


def test_the_usual_days() -> None:
    assert due_days(CLOSED, None, [7, 30]) == [date(2026, 11, 30), date(2026, 12, 23)]


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        (date(2026, 11, 26), ["2026-11-26", "2026-12-23"]),
        (date(2026, 11, 1), ["2026-11-23", "2026-12-23"]),
        (date(2026, 12, 23), ["2026-12-23"]),
        (date(2027, 3, 1), ["2027-03-01"]),
    ],
)
def test_the_specialist_may_ask_for_another_first_day(asked: date, days: list[str]) -> None:
    assert [day.isoformat() for day in due_days(CLOSED, asked, [7, 30])] == days


@given(spans=SPANS, asked=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_days_are_in_order_once_and_never_in_the_past(spans: list[int], asked: date | None) -> None:
    found = due_days(CLOSED, asked, spans)
    assert all(first < second for first, second in pairwise(found))
    assert all(day >= CLOSED for day in found)
    assert bool(found) is bool(spans)


@pytest.mark.parametrize(
    ("status", "transfer"), list(product(PatientStatus, TransferResult)), ids=str
)
def test_only_a_contradiction_is_refused(status: PatientStatus, transfer: TransferResult) -> None:
    contradicts = status is PatientStatus.TRANSFERRED and transfer is not TransferResult.MADE
    if contradicts:
        with pytest.raises(Invalid) as refusal:
            check(status, transfer, CLOSED, asked_on=CLOSED, today=CLOSED)
        assert [each.field for each in refusal.value.fields] == ["transfer"]
    else:
        check(status, transfer, CLOSED, asked_on=CLOSED, today=CLOSED)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_day_that_cannot_be_is_refused(days: int) -> None:
    observed = CLOSED + timedelta(days=days)
    with pytest.raises(Invalid) as refusal:
        check(
            PatientStatus.IMPROVED,
            TransferResult.AVOIDED,
            observed,
            asked_on=CLOSED,
            today=CLOSED,
        )
    assert [each.field for each in refusal.value.fields] == ["observed_on"]
