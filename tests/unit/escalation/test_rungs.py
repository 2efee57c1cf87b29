"""The way up: every rung in its order, nobody twice, the coordinators always at the top."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from telemed.scheduling.escalation.rungs import Place, Rung, climbs_at, ladder, next_place
from tests.conftest import MONDAY_MORNING

ORDER = list(Rung)
somebody = st.none() | st.integers(1, 4)


def climb(rosters: list[list[Place]]) -> list[Place]:
    """Everybody who is told when the roster is another one at each step."""
    told = list[Place]()
    for places in rosters:
        place = next_place(places, told)
        if place is None:
            break
        told.append(place)
    return told


@given(somebody, somebody, somebody, somebody)
def test_everybody_on_the_way_is_told_once_and_in_order(
    named: int | None, first: int | None, second: int | None, coordinator: int | None
) -> None:
    places = ladder(named=named, first=first, second=second, coordinator=coordinator)
    told = climb([places] * 6)
    rungs = [ORDER.index(place.rung) for place in told]
    assert rungs == sorted(set(rungs))
    assert told[-1] == Place(Rung.COORDINATOR, coordinator)
    expected = {person for person in (named, first, second) if person is not None}
    assert {place.person_id for place in told[:-1]} - {None} == expected
    people = [place.person_id for place in told[:-1] if place.person_id is not None]
    assert len(people) == len(set(people))
    assert (Place(Rung.SPECIALTY) in told) == (first is None and second is None)


rosters = st.lists(
    st.builds(
        lambda named, first, second, coordinator: ladder(
            named=named, first=first, second=second, coordinator=coordinator
        ),
        *(somebody, somebody, somebody, somebody),
    ),
    min_size=6,
    max_size=6,
)


@given(rosters)
def test_whoever_comes_on_duty_meanwhile_the_top_is_reached_and_no_rung_is_told_twice(
    changing: list[list[Place]],
) -> None:
    told = climb(changing)
    rungs = [ORDER.index(place.rung) for place in told]
    assert rungs == sorted(set(rungs))
    assert told[-1].rung is Rung.COORDINATOR


minutes = st.integers(0, 600).map(lambda each: MONDAY_MORNING + timedelta(minutes=each))


@given(minutes, st.none() | minutes, minutes, st.integers(1, 60))
def test_nobody_is_passed_over_before_their_time_was_over(
    told_at: object, seen_at: object, since: object, limit: int
) -> None:
    wait = timedelta(minutes=limit)
    due = climbs_at(told_at, seen_at, since, wait)  # type: ignore[arg-type] # moments, drawn above
    for moment in (told_at, seen_at or told_at, since):
        assert due - wait >= moment  # type: ignore[operator] # the same
