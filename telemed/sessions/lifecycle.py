"""The life of a live session of either kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from telemed.core.errors import IllegalTransition


class SessionKind(StrEnum):
    """Why people meet."""

    CONSULTATION = "consultation"
    TECHNICAL_TRANSFER = "technical_transfer"


class SessionState(StrEnum):
    """Ringing: nobody answered yet. Live: two or more met. Idle: fewer than two are left."""

    RINGING = "ringing"
    LIVE = "live"
    IDLE = "idle"
    ENDED = "ended"


class SessionEvent(StrEnum):
    """What may happen to it."""

    MEET = "meet"
    PART = "part"
    END = "end"
    EXPIRE = "expire"


_S = SessionState
_E = SessionEvent

TRANSITIONS: Mapping[tuple[SessionState, SessionEvent], SessionState] = {
    (_S.RINGING, _E.MEET): _S.LIVE,
    (_S.RINGING, _E.END): _S.ENDED,
    (_S.RINGING, _E.EXPIRE): _S.ENDED,
    (_S.LIVE, _E.PART): _S.IDLE,
    (_S.LIVE, _E.END): _S.ENDED,
    (_S.IDLE, _E.MEET): _S.LIVE,
    (_S.IDLE, _E.END): _S.ENDED,
    (_S.IDLE, _E.EXPIRE): _S.ENDED,
}


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """The state after an event. Raises IllegalTransition where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None
