"""The gate before a recording: it runs only while everybody present has agreed. Pure.

One table for the recording, one for what each participant says; `step` joins them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from telemed.core.errors import IllegalTransition


class RecordingState(StrEnum):
    """Of a session's recording. Refused and stopped are final: asking again is a new recording."""

    ASKED = "asked"
    RUNNING = "running"
    PAUSED = "paused"
    AWAITING = "awaiting"
    REFUSED = "refused"
    STOPPED = "stopped"


class RecordingEvent(StrEnum):
    """What may happen to it."""

    ALL_AGREED = "all_agreed"
    SOMEBODY_REFUSED = "somebody_refused"
    SOMEBODY_CAME = "somebody_came"
    SOMEBODY_WITHDREW = "somebody_withdrew"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


class Answer(StrEnum):
    """Where a participant stands."""

    OPEN = "open"
    AGREED = "agreed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Move(StrEnum):
    """What a participant does."""

    COME = "come"
    LEAVE = "leave"
    AGREE = "agree"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


_S = RecordingState
_E = RecordingEvent

# A refusal by a latecomer is a refusal: what was recorded before they came stays.
TRANSITIONS: Mapping[tuple[RecordingState, RecordingEvent], RecordingState] = {
    (_S.ASKED, _E.ALL_AGREED): _S.RUNNING,
    (_S.ASKED, _E.SOMEBODY_REFUSED): _S.REFUSED,
    (_S.ASKED, _E.SOMEBODY_WITHDREW): _S.REFUSED,
    (_S.ASKED, _E.SOMEBODY_CAME): _S.ASKED,
    (_S.ASKED, _E.STOP): _S.STOPPED,
    (_S.RUNNING, _E.SOMEBODY_CAME): _S.AWAITING,
    (_S.RUNNING, _E.SOMEBODY_WITHDREW): _S.STOPPED,
    (_S.RUNNING, _E.PAUSE): _S.PAUSED,
    (_S.RUNNING, _E.STOP): _S.STOPPED,
    (_S.PAUSED, _E.SOMEBODY_CAME): _S.PAUSED,
    (_S.PAUSED, _E.SOMEBODY_REFUSED): _S.STOPPED,
    (_S.PAUSED, _E.SOMEBODY_WITHDREW): _S.STOPPED,
    (_S.PAUSED, _E.RESUME): _S.RUNNING,
    (_S.PAUSED, _E.STOP): _S.STOPPED,
    (_S.AWAITING, _E.ALL_AGREED): _S.RUNNING,
    (_S.AWAITING, _E.SOMEBODY_CAME): _S.AWAITING,
    (_S.AWAITING, _E.SOMEBODY_REFUSED): _S.STOPPED,
    (_S.AWAITING, _E.SOMEBODY_WITHDREW): _S.STOPPED,
    (_S.AWAITING, _E.PAUSE): _S.PAUSED,
    (_S.AWAITING, _E.STOP): _S.STOPPED,
}

ANSWERS: Mapping[tuple[Answer, Move], Answer] = {
    (Answer.OPEN, Move.AGREE): Answer.AGREED,
    (Answer.OPEN, Move.REFUSE): Answer.REFUSED,
    (Answer.AGREED, Move.WITHDRAW): Answer.WITHDRAWN,
}


def next_state(state: RecordingState, event: RecordingEvent) -> RecordingState:
    """The state after an event. Raises IllegalTransition where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


@dataclass(frozen=True)
class Consent:
    """What a participant said, and to which wording."""

    answer: Answer = Answer.OPEN
    text_version: str | None = None


@dataclass(frozen=True)
class Gate:
    """A recording with everybody's consent. `present` are keys of `consents`."""

    state: RecordingState
    consents: Mapping[str, Consent] = field(default_factory=lambda: MappingProxyType({}))
    present: frozenset[str] = frozenset()

    @property
    def may_record(self) -> bool:
        """The only question that the recorder asks."""
        return self.state is RecordingState.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in {RecordingState.REFUSED, RecordingState.STOPPED}

    @property
    def missing(self) -> frozenset[str]:
        """Who is present and has not agreed."""
        return frozenset(
            who for who in self.present if self.consents[who].answer is not Answer.AGREED
        )


def ask(present: frozenset[str]) -> Gate:
    """Somebody wants the session recorded: everybody present is asked, they as well."""
    consents = MappingProxyType(dict.fromkeys(present, Consent()))
    return Gate(RecordingState.ASKED, consents, present)


def come(gate: Gate, who: str) -> Gate:
    """Somebody enters; who has agreed to this recording before need not be asked again."""
    consents = {who: Consent(), **gate.consents}
    gate = replace(gate, consents=MappingProxyType(consents), present=gate.present | {who})
    if gate.is_over or who not in gate.missing:
        return gate
    return replace(gate, state=next_state(gate.state, RecordingEvent.SOMEBODY_CAME))


def leave(gate: Gate, who: str) -> Gate:
    """Somebody leaves; what they said stays said, and nobody waits for them any more."""
    gate = replace(gate, present=gate.present - {who})
    if not gate.present and not gate.is_over:
        return replace(gate, state=next_state(gate.state, RecordingEvent.STOP))
    return settle(gate)


def agree(gate: Gate, who: str, text_version: str) -> Gate:
    """Somebody present agrees to the wording they read."""
    gate = _answer(gate, who, Move.AGREE, text_version)
    return settle(gate)


def refuse(gate: Gate, who: str, text_version: str) -> Gate:
    """One refusal is enough."""
    gate = _answer(gate, who, Move.REFUSE, text_version)
    return replace(gate, state=next_state(gate.state, RecordingEvent.SOMEBODY_REFUSED))


def withdraw(gate: Gate, who: str) -> Gate:
    """Somebody takes their consent back: it ends there. They may have left already."""
    said = gate.consents.get(who, Consent())
    gate = _answer(gate, who, Move.WITHDRAW, said.text_version)
    return replace(gate, state=next_state(gate.state, RecordingEvent.SOMEBODY_WITHDREW))


def pause(gate: Gate) -> Gate:
    """Nothing is written until it is resumed."""
    return replace(gate, state=next_state(gate.state, RecordingEvent.PAUSE))


def resume(gate: Gate) -> Gate:
    """Go on, or wait for those who came in between and have not agreed."""
    gate = replace(gate, state=next_state(gate.state, RecordingEvent.RESUME))
    if gate.missing:
        return replace(gate, state=next_state(gate.state, RecordingEvent.SOMEBODY_CAME))
    return gate


def stop(gate: Gate) -> Gate:
    """It is over, with what was written."""
    return replace(gate, state=next_state(gate.state, RecordingEvent.STOP))


def _answer(gate: Gate, who: str, move: Move, text_version: str | None) -> Gate:
    said = gate.consents.get(who, Consent())
    is_here = who in gate.present or move is Move.WITHDRAW
    answer = ANSWERS.get((said.answer, move))
    if gate.is_over or not is_here or answer is None:
        raise IllegalTransition(said.answer, move)
    consents = {**gate.consents, who: Consent(answer, text_version)}
    return replace(gate, consents=MappingProxyType(consents))


def settle(gate: Gate) -> Gate:
    """It begins, or goes on, once nobody present is waited for any more."""
    is_waiting = gate.state in {RecordingState.ASKED, RecordingState.AWAITING}
    if is_waiting and gate.present and not gate.missing:
        return replace(gate, state=next_state(gate.state, RecordingEvent.ALL_AGREED))
    return gate
