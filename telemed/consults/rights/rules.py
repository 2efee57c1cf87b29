"""Requests of patients about their data: kinds, states and clocks. Pure.

Law 91/2025/QH15 and Decree 356/2025: an answer within two working days; withdrawing and restricting
within 15 days, seeing and correcting within 10, deleting within 20, unless a law wants it kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from telemed.core.errors import N_, Conflict

LONGEST_TEXT: Final = 500
LONGEST_NAME: Final = 100
ANSWER_WORKING_DAYS: Final = 2
_SATURDAY: Final = 5


class RightKind(StrEnum):
    """What a patient may ask for."""

    VIEW = "view"
    CORRECT = "correct"
    RESTRICT = "restrict"
    WITHDRAW = "withdraw"
    DELETE = "delete"


class RightState(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    LIFTED = "lifted"


class RightEvent(StrEnum):
    """What may happen to it; a restriction may be lifted again."""

    ACCEPT = "accept"
    COMPLETE = "complete"
    REFUSE = "refuse"
    LIFT = "lift"


class AskedBy(StrEnum):
    """Who asks."""

    PATIENT = "patient"
    GUARDIAN = "guardian"


class AskedHow(StrEnum):
    """By which way."""

    IN_PERSON = "in_person"
    PHONE = "phone"
    LETTER = "letter"


_S, _E = RightState, RightEvent
TRANSITIONS: Mapping[tuple[RightState, RightEvent], RightState] = {
    (_S.RECEIVED, _E.ACCEPT): _S.ACCEPTED,
    (_S.RECEIVED, _E.REFUSE): _S.REFUSED,
    (_S.ACCEPTED, _E.COMPLETE): _S.DONE,
    (_S.ACCEPTED, _E.REFUSE): _S.REFUSED,
    (_S.DONE, _E.LIFT): _S.LIFTED,
}
OPEN: Final = frozenset({_S.RECEIVED, _S.ACCEPTED})
# Days of the calendar from the day of receipt.
DONE_WITHIN: Mapping[RightKind, timedelta] = {
    RightKind.VIEW: timedelta(days=10),
    RightKind.CORRECT: timedelta(days=10),
    RightKind.RESTRICT: timedelta(days=15),
    RightKind.WITHDRAW: timedelta(days=15),
    RightKind.DELETE: timedelta(days=20),
}
KIND_NAMES: Mapping[RightKind, str] = {
    RightKind.VIEW: N_("Xem, nhận bản sao"),
    RightKind.CORRECT: N_("Sửa cho đúng"),
    RightKind.RESTRICT: N_("Hạn chế sử dụng"),
    RightKind.WITHDRAW: N_("Rút lại đồng ý"),
    RightKind.DELETE: N_("Xóa dữ liệu"),
}


def next_state(kind: RightKind, state: RightState, event: RightEvent) -> RightState:
    """The state after an event. Raises Conflict where the table has no row."""
    after = TRANSITIONS.get((state, event))
    if after is None or (event is RightEvent.LIFT and kind is not RightKind.RESTRICT):
        message = N_("Yêu cầu này vừa được người khác xử lý. Tải lại để xem.")
        raise Conflict("right_moved", message)
    return after


def answer_due(received_on: date) -> date:
    """The day by which the patient has an answer.

    Saturdays and Sundays do not count; public holidays do, so that this day is never later than
    the law's.
    """
    day, left = received_on, ANSWER_WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < _SATURDAY
    return day


def done_due(kind: RightKind, received_on: date) -> date:
    """The day by which it is done."""
    return received_on + DONE_WITHIN[kind]


def due(kind: RightKind, state: RightState, received_on: date) -> date | None:
    """The next day that counts; none once it has ended."""
    if state is RightState.RECEIVED:
        return answer_due(received_on)
    return done_due(kind, received_on) if state is RightState.ACCEPTED else None
