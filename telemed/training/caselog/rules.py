"""What a row of the case log may say, and what may become of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from telemed.core.errors import N_, FieldError

OLDEST: Final = timedelta(days=180)
# A trainer who was sent may confirm for so long after going home.
CONFIRMS_UNTIL: Final = timedelta(days=30)
LONGEST_REFERENCE: Final = 40
# A number of nine digits or more is a person's: an identity number, an insurance number, a phone.
_MOST_DIGITS = 8
_REFERENCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./-]*")


class Level(StrEnum):
    """How somebody took part in a case, in the order in which trainees climb."""

    OBSERVED = "observed"
    ASSISTED = "assisted"
    SUPERVISED = "supervised"
    PERFORMED = "performed"


class RowState(StrEnum):
    """Where a row stands."""

    WRITTEN = "written"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class RowEvent(StrEnum):
    """What somebody does with a row."""

    CHANGE = "change"
    REMOVE = "remove"
    CONFIRM = "confirm"
    REFUSE = "refuse"


# None: the row is no more. What is missing cannot be done.
MOVES: Final[Mapping[tuple[RowState, RowEvent], RowState | None]] = MappingProxyType(
    {
        (RowState.WRITTEN, RowEvent.CHANGE): RowState.WRITTEN,
        (RowState.WRITTEN, RowEvent.REMOVE): None,
        (RowState.WRITTEN, RowEvent.CONFIRM): RowState.CONFIRMED,
        (RowState.WRITTEN, RowEvent.REFUSE): RowState.REFUSED,
        (RowState.REFUSED, RowEvent.CHANGE): RowState.WRITTEN,
        (RowState.REFUSED, RowEvent.REMOVE): None,
    }
)
BY_TRAINEE: Final = frozenset({RowEvent.CHANGE, RowEvent.REMOVE})
BY_TRAINER: Final = frozenset({RowEvent.CONFIRM, RowEvent.REFUSE})


def check_reference(text: str) -> list[FieldError]:
    """What is wrong with a reference to a patient: it must lead to a paper, never say who it is."""
    if not text:
        message = N_("Ghi số phiếu hoặc số ca, không ghi tên")
        return [FieldError("reference", "reference_missing", message)]
    digits = sum(mark.isdigit() for mark in text)
    is_fine = _REFERENCE.fullmatch(text) and 0 < digits <= _MOST_DIGITS
    if len(text) <= LONGEST_REFERENCE and is_fine:
        return []
    message = N_("Chỉ ghi số phiếu hoặc số ca, như HC-1204: không tên, không số định danh")
    return [FieldError("reference", "reference_personal", message)]


def check_day(day: date, today: date) -> list[FieldError]:
    """What is wrong with the day of a case."""
    if day > today:
        return [FieldError("performed_on", "in_future", N_("Chỉ ghi ca đã làm"))]
    if day < today - OLDEST:
        text = N_("Chỉ ghi ca trong {days} ngày gần đây")
        return [FieldError("performed_on", "too_old", text, {"days": OLDEST.days})]
    return []
