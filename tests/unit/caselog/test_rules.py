"""What a row may say, and what may become of it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.training.caselog.rules import (
    MOVES,
    OLDEST,
    RowEvent,
    RowState,
    check_day,
    check_reference,
)

TODAY = date(2026, 11, 23)
S, E = RowState, RowEvent
ALLOWED = {
    (S.WRITTEN, E.CHANGE): S.WRITTEN,
    (S.WRITTEN, E.REMOVE): None,
    (S.WRITTEN, E.CONFIRM): S.CONFIRMED,
    (S.WRITTEN, E.REFUSE): S.REFUSED,
    (S.REFUSED, E.CHANGE): S.WRITTEN,
    (S.REFUSED, E.REMOVE): None,
}


@pytest.mark.parametrize(("state", "event"), list(product(S, E)))
def test_every_event_in_every_state(state: RowState, event: RowEvent) -> None:
    assert ((state, event) in MOVES) is ((state, event) in ALLOWED)
    assert MOVES.get((state, event)) == ALLOWED.get((state, event))


@pytest.mark.parametrize("text", ["HC-1204", "12", "MP 2026/12", "BA.77-3"])
def test_a_number_of_a_paper_is_a_reference(text: str) -> None:
    assert check_reference(text) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", "Lò Văn A", "lo van a", "011159000123", "0912 345 678", "Bà Mai 3", "-12"),
        *("1" * 41, "HC-1204\n", "=1+1", "DT 4 4 1 2 3 4 5 6 7 8"),
    ],
)
def test_what_may_say_who_it_is_is_none(text: str) -> None:
    assert [fault.field for fault in check_reference(text)] == ["reference"]


@given(st.text(max_size=50))
def test_whatever_is_typed_is_judged(text: str) -> None:
    if not check_reference(text):
        assert text.isascii()
        assert sum(mark.isdigit() for mark in text) <= 8


@pytest.mark.parametrize(
    ("days", "code"), [(1, "in_future"), (0, ""), (-180, ""), (-181, "too_old")]
)
def test_a_case_is_done_and_not_long_ago(days: int, code: str) -> None:
    faults = check_day(TODAY + timedelta(days=days), TODAY)
    assert [fault.code for fault in faults] == ([code] if code else [])
    assert OLDEST.days == 180
