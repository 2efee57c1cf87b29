"""The life of a consult: the whole product of states and events, against the words of the product."""

from __future__ import annotations

from itertools import product

import pytest

from telemed.consults.lifecycle import (
    OPEN,
    OVER,
    TRANSITIONS,
    UNCLAIMED,
    UNDER_WAY,
    WAITING,
    ConsultEvent,
    ConsultState,
    next_state,
)
from telemed.consults.service import FACTS
from telemed.core.errors import Conflict, IllegalTransition

# Written from the product's own sentence, state by state, not from the table under test.
EXPECTED = """
draft       submit requested, cancel cancelled, expire expired
requested   claim accepted, ask_info needs_info, pass_on requested, decline declined,
            cancel cancelled, expire expired, withdraw_consent cancelled
needs_info  answer_info requested, cancel cancelled, expire expired, withdraw_consent cancelled
declined    submit requested, cancel cancelled, expire expired, withdraw_consent cancelled
accepted    schedule scheduled, start_session in_session, answer answered, release requested,
            pass_on requested, decline declined, cancel cancelled, withdraw_consent cancelled
scheduled   unschedule accepted, start_session in_session, answer answered, release requested,
            pass_on requested, cancel cancelled, withdraw_consent cancelled
in_session  pause_session paused, answer answered
paused      start_session in_session, schedule scheduled, answer answered, release requested,
            cancel cancelled, withdraw_consent cancelled
answered    close closed
closed
cancelled
expired
"""


def _expected() -> dict[tuple[ConsultState, ConsultEvent], ConsultState]:
    table = {}
    for line in EXPECTED.replace(",\n  ", ", ").strip().splitlines():
        state, *rest = line.split(maxsplit=1)
        steps = [step.split() for step in " ".join(rest).split(",") if step]
        for event, after in steps:
            table[ConsultState(state), ConsultEvent(event)] = ConsultState(after)
    return table


ALL = set(product(ConsultState, ConsultEvent))
LEGAL = _expected()


def test_the_sentence_of_the_product_covers_every_state() -> None:
    assert {line.split()[0] for line in EXPECTED.splitlines() if line[:1].strip()} == set(
        ConsultState
    )


@pytest.mark.parametrize(("state", "event"), sorted(LEGAL))
def test_a_legal_event_leads_to_its_state(state: ConsultState, event: ConsultEvent) -> None:
    assert next_state(state, event) is LEGAL[state, event]


@pytest.mark.parametrize(("state", "event"), sorted(ALL - set(LEGAL)))
def test_every_other_event_is_refused_as_a_conflict_that_names_both(
    state: ConsultState, event: ConsultEvent
) -> None:
    with pytest.raises(IllegalTransition) as refusal:
        next_state(state, event)
    assert isinstance(refusal.value, Conflict)
    assert (refusal.value.state, refusal.value.event) == (state, event)


@pytest.mark.parametrize("state", OVER)
def test_nothing_happens_to_what_is_over(state: ConsultState) -> None:
    assert not [event for at, event in TRANSITIONS if at is state]


@pytest.mark.parametrize("state", OPEN)
def test_everything_open_can_come_to_an_end(state: ConsultState) -> None:
    reached, frontier = {state}, {state}
    while frontier:
        frontier = {after for (at, _), after in TRANSITIONS.items() if at in frontier} - reached
        reached |= frontier
    assert reached & OVER


def test_the_groups_of_states_do_not_overlap() -> None:
    assert WAITING < UNCLAIMED
    assert not UNCLAIMED & UNDER_WAY
    assert not OPEN & OVER


def test_every_event_has_a_fact_of_its_own_for_the_log() -> None:
    assert set(FACTS) == set(ConsultEvent)
    assert len(set(FACTS.values())) == len(FACTS)
    assert all(len(fact) <= 40 for fact in FACTS.values())
