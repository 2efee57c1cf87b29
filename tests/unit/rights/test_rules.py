"""Clocks and states of requests about data, and how long records are kept."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.consults.retention import kinds_of
from telemed.consults.rights.rules import (
    DONE_WITHIN,
    OPEN,
    RightEvent,
    RightKind,
    RightState,
    answer_due,
    done_due,
    due,
    next_state,
)
from telemed.core.errors import Conflict
from telemed.patients.retention import YEARS, RetentionKind, kept_until, longest

K, S, E = RightKind, RightState, RightEvent
DAYS = st.dates(date(2026, 1, 1), date(2040, 12, 31))
KINDS = st.frozensets(st.sampled_from(RetentionKind), min_size=1)
# Written down a second time on purpose.
LEGAL = {
    (S.RECEIVED, E.ACCEPT): S.ACCEPTED,
    (S.RECEIVED, E.REFUSE): S.REFUSED,
    (S.ACCEPTED, E.COMPLETE): S.DONE,
    (S.ACCEPTED, E.REFUSE): S.REFUSED,
}


@pytest.mark.parametrize(("kind", "state", "event"), list(product(K, S, E)))
def test_every_state_and_event_of_every_kind(
    kind: RightKind, state: RightState, event: RightEvent
) -> None:
    expected = LEGAL.get((state, event))
    if kind is K.RESTRICT and (state, event) == (S.DONE, E.LIFT):
        expected = S.LIFTED
    if expected is not None:
        assert next_state(kind, state, event) is expected
        return
    with pytest.raises(Conflict) as refusal:
        next_state(kind, state, event)
    assert refusal.value.code == "right_moved"


@given(DAYS)
def test_an_answer_has_two_working_days(received: date) -> None:
    last = answer_due(received)
    between = [received + timedelta(days=n) for n in range(1, (last - received).days + 1)]
    assert sum(day.weekday() < 5 for day in between) == 2
    assert last.weekday() < 5


@pytest.mark.parametrize(
    ("received", "last"),
    [
        (date(2026, 11, 23), date(2026, 11, 25)),
        (date(2026, 11, 26), date(2026, 11, 30)),
        (date(2026, 11, 27), date(2026, 12, 1)),
        (date(2026, 11, 28), date(2026, 12, 1)),
    ],
)
def test_a_weekend_does_not_count(received: date, last: date) -> None:
    assert answer_due(received) == last


def test_each_kind_has_the_days_of_the_law() -> None:
    days = {kind: span.days for kind, span in DONE_WITHIN.items()}
    assert days == {K.VIEW: 10, K.CORRECT: 10, K.RESTRICT: 15, K.WITHDRAW: 15, K.DELETE: 20}


@given(st.sampled_from(K), st.sampled_from(S), DAYS)
def test_what_is_open_has_a_day_and_what_has_ended_has_none(
    kind: RightKind, state: RightState, received: date
) -> None:
    day = due(kind, state, received)
    assert (day is not None) == (state in OPEN)
    if day is not None:
        assert received < day <= max(answer_due(received), done_due(kind, received))


# --- retention -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "until"),
    [
        (RetentionKind.CARE_REGISTER, date(2031, 12, 31)),
        (RetentionKind.CARE, date(2036, 12, 31)),
        (RetentionKind.PSYCHIATRIC, date(2046, 12, 31)),
        (RetentionKind.WORK_ACCIDENT, date(2046, 12, 31)),
        (RetentionKind.TRAFFIC_ACCIDENT, date(2046, 12, 31)),
        (RetentionKind.DEATH, date(2056, 12, 31)),
        (RetentionKind.INCIDENT, None),
    ],
)
def test_the_annex_of_the_circular(kind: RetentionKind, until: date | None) -> None:
    for closed in (date(2026, 1, 1), date(2026, 12, 31)):
        assert kept_until(kind, closed) == until


@given(KINDS, DAYS)
def test_the_longest_of_several_wins(kinds: frozenset[RetentionKind], closed: date) -> None:
    days = [kept_until(kind, closed) or date.max for kind in kinds]
    assert (kept_until(longest(kinds), closed) or date.max) == max(days)


@pytest.mark.parametrize(
    ("code", "specialty", "has_died", "chosen", "kind"),
    [
        (None, None, False, None, RetentionKind.CARE),
        ("J18.9", "internal", False, None, RetentionKind.CARE),
        ("F32", "internal", False, None, RetentionKind.PSYCHIATRIC),
        ("J18.9", "psychiatry", False, None, RetentionKind.PSYCHIATRIC),
        ("V23", "surgery", False, None, RetentionKind.TRAFFIC_ACCIDENT),
        ("Y96", "surgery", False, None, RetentionKind.WORK_ACCIDENT),
        ("F32", "psychiatry", True, None, RetentionKind.DEATH),
        ("J18.9", "internal", True, RetentionKind.INCIDENT, RetentionKind.INCIDENT),
        ("J18.9", "internal", False, RetentionKind.WORK_ACCIDENT, RetentionKind.WORK_ACCIDENT),
        # What a station chooses may lengthen the time, never shorten it.
        ("J18.9", "internal", True, RetentionKind.CARE_REGISTER, RetentionKind.DEATH),
        ("J18.9", "internal", False, RetentionKind.CARE_REGISTER, RetentionKind.CARE),
    ],
)
def test_what_a_case_is_by_its_facts(  # the columns of the table above
    code: str | None,
    specialty: str | None,
    has_died: bool,
    chosen: RetentionKind | None,
    kind: RetentionKind,
) -> None:
    assert longest(kinds_of(code, specialty, has_died=has_died, chosen=chosen)) is kind
    assert set(YEARS) == set(RetentionKind)
