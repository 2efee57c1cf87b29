"""The life of a consult, on one screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from telemed.core.errors import IllegalTransition


class ConsultState(StrEnum):
    """Where a consult stands (product: the consult, from start to end)."""

    DRAFT = "draft"
    REQUESTED = "requested"
    NEEDS_INFO = "needs_info"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    IN_SESSION = "in_session"
    PAUSED = "paused"
    ANSWERED = "answered"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ConsultEvent(StrEnum):
    """What may happen to it."""

    SUBMIT = "submit"
    ASK_INFO = "ask_info"
    ANSWER_INFO = "answer_info"
    CLAIM = "claim"
    DECLINE = "decline"
    PASS_ON = "pass_on"
    RELEASE = "release"
    SCHEDULE = "schedule"
    UNSCHEDULE = "unschedule"
    START_SESSION = "start_session"
    PAUSE_SESSION = "pause_session"
    ANSWER = "answer"
    CLOSE = "close"
    CANCEL = "cancel"
    EXPIRE = "expire"
    WITHDRAW_CONSENT = "withdraw_consent"


_S = ConsultState
_E = ConsultEvent

TRANSITIONS: Mapping[tuple[ConsultState, ConsultEvent], ConsultState] = {
    (_S.DRAFT, _E.SUBMIT): _S.REQUESTED,
    (_S.DRAFT, _E.CANCEL): _S.CANCELLED,
    (_S.DRAFT, _E.EXPIRE): _S.EXPIRED,
    (_S.REQUESTED, _E.CLAIM): _S.ACCEPTED,
    (_S.REQUESTED, _E.ASK_INFO): _S.NEEDS_INFO,
    (_S.REQUESTED, _E.PASS_ON): _S.REQUESTED,
    (_S.REQUESTED, _E.DECLINE): _S.DECLINED,
    (_S.REQUESTED, _E.CANCEL): _S.CANCELLED,
    (_S.REQUESTED, _E.EXPIRE): _S.EXPIRED,
    (_S.REQUESTED, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.NEEDS_INFO, _E.ANSWER_INFO): _S.REQUESTED,
    (_S.NEEDS_INFO, _E.CANCEL): _S.CANCELLED,
    (_S.NEEDS_INFO, _E.EXPIRE): _S.EXPIRED,
    (_S.NEEDS_INFO, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.DECLINED, _E.SUBMIT): _S.REQUESTED,
    (_S.DECLINED, _E.CANCEL): _S.CANCELLED,
    (_S.DECLINED, _E.EXPIRE): _S.EXPIRED,
    (_S.DECLINED, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.ACCEPTED, _E.SCHEDULE): _S.SCHEDULED,
    (_S.ACCEPTED, _E.START_SESSION): _S.IN_SESSION,
    (_S.ACCEPTED, _E.ANSWER): _S.ANSWERED,
    (_S.ACCEPTED, _E.RELEASE): _S.REQUESTED,
    (_S.ACCEPTED, _E.PASS_ON): _S.REQUESTED,
    (_S.ACCEPTED, _E.DECLINE): _S.DECLINED,
    (_S.ACCEPTED, _E.CANCEL): _S.CANCELLED,
    (_S.ACCEPTED, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.SCHEDULED, _E.UNSCHEDULE): _S.ACCEPTED,
    (_S.SCHEDULED, _E.START_SESSION): _S.IN_SESSION,
    (_S.SCHEDULED, _E.ANSWER): _S.ANSWERED,
    (_S.SCHEDULED, _E.RELEASE): _S.REQUESTED,
    (_S.SCHEDULED, _E.PASS_ON): _S.REQUESTED,
    (_S.SCHEDULED, _E.CANCEL): _S.CANCELLED,
    (_S.SCHEDULED, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.IN_SESSION, _E.PAUSE_SESSION): _S.PAUSED,
    (_S.IN_SESSION, _E.ANSWER): _S.ANSWERED,
    (_S.PAUSED, _E.START_SESSION): _S.IN_SESSION,
    (_S.PAUSED, _E.SCHEDULE): _S.SCHEDULED,
    (_S.PAUSED, _E.ANSWER): _S.ANSWERED,
    (_S.PAUSED, _E.RELEASE): _S.REQUESTED,
    (_S.PAUSED, _E.CANCEL): _S.CANCELLED,
    (_S.PAUSED, _E.WITHDRAW_CONSENT): _S.CANCELLED,
    (_S.ANSWERED, _E.CLOSE): _S.CLOSED,
}

WAITING = frozenset({_S.REQUESTED})
UNCLAIMED = frozenset({_S.REQUESTED, _S.NEEDS_INFO})
UNDER_WAY = frozenset({_S.ACCEPTED, _S.SCHEDULED, _S.IN_SESSION, _S.PAUSED})
OVER = frozenset({_S.CLOSED, _S.CANCELLED, _S.EXPIRED})
OPEN = frozenset(_S) - OVER


def next_state(state: ConsultState, event: ConsultEvent) -> ConsultState:
    """The state after an event. Raises IllegalTransition where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None
