"""The gate before a recording: every state and event, and what each participant may say when."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.core.errors import IllegalTransition
from telemed.sessions.recording import lifecycle
from telemed.sessions.recording.consent_texts import CURRENT, find_text
from telemed.sessions.recording.lifecycle import (
    ANSWERS,
    TRANSITIONS,
    Answer,
    Gate,
    Move,
    RecordingEvent,
    RecordingState,
    agree,
    ask,
    come,
    leave,
    next_state,
    pause,
    refuse,
    resume,
    stop,
    withdraw,
)

STATION, SPECIALIST, LATECOMER = "station", "specialist", "latecomer"
VERSION = CURRENT.version
S = RecordingState
Step = Callable[[Gate], Gate]


def says(move: Callable[..., Gate], *words: str) -> Step:
    return lambda gate: move(gate, *words)


def after(*steps: Step) -> Gate:
    """A session of two that is asked, and what follows."""
    gate = ask(frozenset({STATION, SPECIALIST}))
    for step in steps:
        gate = step(gate)
    return gate


BOTH = (says(agree, STATION, VERSION), says(agree, SPECIALIST, VERSION))
CAME = says(come, LATECOMER)


ROWS = list(TRANSITIONS.items())
GAPS = [pair for pair in product(RecordingState, RecordingEvent) if pair not in TRANSITIONS]


@pytest.mark.parametrize(("pair", "state"), ROWS)
def test_every_row_of_the_table_is_a_step(
    pair: tuple[RecordingState, RecordingEvent], state: RecordingState
) -> None:
    assert next_state(*pair) is state


@pytest.mark.parametrize(("state", "event"), GAPS)
def test_every_other_step_is_refused_by_name(state: RecordingState, event: RecordingEvent) -> None:
    with pytest.raises(IllegalTransition) as refusal:
        next_state(state, event)
    assert (refusal.value.state, refusal.value.event) == (state, event)


def test_only_agreement_starts_it_and_final_is_final() -> None:
    starts = {pair for pair, state in TRANSITIONS.items() if state is S.RUNNING}
    assert starts == {
        (S.ASKED, RecordingEvent.ALL_AGREED),
        (S.AWAITING, RecordingEvent.ALL_AGREED),
        (S.PAUSED, RecordingEvent.RESUME),
    }
    assert {state for state, _ in TRANSITIONS}.isdisjoint({S.REFUSED, S.STOPPED})


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), S.ASKED),
        (BOTH[:1], S.ASKED),
        (BOTH, S.RUNNING),
        ((BOTH[0], says(refuse, SPECIALIST, VERSION)), S.REFUSED),
        ((BOTH[0], says(withdraw, STATION)), S.REFUSED),
        ((BOTH[0], says(leave, SPECIALIST)), S.RUNNING),
        ((BOTH[0], CAME, BOTH[1]), S.ASKED),
        ((stop,), S.STOPPED),
        ((*BOTH, CAME), S.AWAITING),
        ((*BOTH, CAME, says(agree, LATECOMER, VERSION)), S.RUNNING),
        ((*BOTH, CAME, says(leave, LATECOMER)), S.RUNNING),
        ((*BOTH, CAME, says(refuse, LATECOMER, VERSION)), S.STOPPED),
        ((*BOTH, CAME, says(withdraw, STATION)), S.STOPPED),
        ((*BOTH, says(leave, STATION), says(come, STATION)), S.RUNNING),
        ((*BOTH, says(leave, STATION), says(withdraw, STATION)), S.STOPPED),
        ((*BOTH, says(withdraw, STATION)), S.STOPPED),
        ((*BOTH, pause), S.PAUSED),
        ((*BOTH, pause, resume), S.RUNNING),
        ((*BOTH, pause, CAME, resume), S.AWAITING),
        ((*BOTH, pause, CAME, says(agree, LATECOMER, VERSION)), S.PAUSED),
        ((*BOTH, pause, CAME, says(agree, LATECOMER, VERSION), resume), S.RUNNING),
        ((*BOTH, CAME, pause, says(leave, LATECOMER), resume), S.RUNNING),
        ((*BOTH, pause, CAME, says(refuse, LATECOMER, VERSION)), S.STOPPED),
        ((*BOTH, stop, CAME), S.STOPPED),
        ((*BOTH, says(leave, STATION), says(leave, SPECIALIST)), S.STOPPED),
    ],
)
def test_it_runs_only_while_everybody_present_has_agreed(
    steps: tuple[Step, ...], state: RecordingState
) -> None:
    gate = after(*steps)
    assert gate.state is state
    assert gate.may_record is (state is S.RUNNING)


@pytest.mark.parametrize(
    "steps",
    [
        (says(agree, "stranger", VERSION),),
        (BOTH[0], BOTH[0]),
        (says(refuse, "stranger", VERSION),),
        (says(withdraw, STATION),),
        (*BOTH, says(refuse, STATION, VERSION)),
        (*BOTH, stop, says(withdraw, STATION)),
        (*BOTH, stop, stop),
        (pause,),
        (resume,),
    ],
)
def test_what_makes_no_sense_is_refused(steps: tuple[Step, ...]) -> None:
    *before, last = steps
    gate = after(*before)
    with pytest.raises(IllegalTransition):
        last(gate)


def test_what_was_agreed_to_is_kept_with_its_version() -> None:
    gate = after(*BOTH, says(withdraw, STATION))
    assert gate.consents[SPECIALIST] == lifecycle.Consent(Answer.AGREED, VERSION)
    assert gate.consents[STATION] == lifecycle.Consent(Answer.WITHDRAWN, VERSION)
    assert find_text(VERSION) is CURRENT
    assert find_text("1999-01") is None


def test_an_answer_is_given_once_and_only_agreement_can_be_taken_back() -> None:
    assert set(ANSWERS) == {
        (Answer.OPEN, Move.AGREE),
        (Answer.OPEN, Move.REFUSE),
        (Answer.AGREED, Move.WITHDRAW),
    }


def attempt(gate: Gate, step: Step) -> Gate:
    """As a service does: a refused step changes nothing."""
    try:
        return step(gate)
    except IllegalTransition:
        return gate


PEOPLE = (STATION, SPECIALIST, LATECOMER)
STEPS = (
    *(pause, resume, stop),
    *(says(move, who) for move, who in product((come, leave, withdraw), PEOPLE)),
    *(says(agree, who, VERSION) for who in PEOPLE * 3),
    says(refuse, LATECOMER, VERSION),
)


@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_no_order_of_things_records_somebody_who_has_not_agreed(steps: list[Step]) -> None:
    gate = after(*BOTH)
    for step in steps:
        gate = attempt(gate, step)
        agreed = {who for who in gate.present if gate.consents[who].answer is Answer.AGREED}
        assert gate.present == agreed or not gate.may_record
        assert gate.present or not gate.may_record
