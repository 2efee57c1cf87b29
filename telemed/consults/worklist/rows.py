"""Rows of lists of consults, none with more than its reader may see, and the place of a row.

A triage row has no name and a queue row no clinical word: what is not there cannot leak.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Urgency
from telemed.core.errors import N_, Invalid
from telemed.patients.birth import Age, Birth
from telemed.patients.models import Sex

# What both engines take for a key or a number.
LARGEST_KEY = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class TriageRow:
    """What may be known before a claim: enough to judge how urgent, not who it is."""

    id: int
    uid: str
    state: ConsultState
    urgency: Urgency
    rank: int
    due_at: datetime
    requested_at: datetime
    station: str
    specialty: str
    is_named: bool
    sex: Sex
    age: Age
    question: str


@dataclass(frozen=True)
class QueueRow:
    """What a coordinator sees of a case: where it waits and with whom, nothing of the patient."""

    id: int
    uid: str
    number: str
    state: ConsultState
    urgency: Urgency
    rank: int
    due_at: datetime
    requested_at: datetime
    station: str
    specialty: str
    specialist: str
    is_outside_contract: bool


@dataclass(frozen=True)
class CaseRow:
    """A case of one's own: station or specialist who took it."""

    id: int
    uid: str
    number: str
    state: ConsultState
    urgency: Urgency | None
    rank: int
    due_at: datetime | None
    requested_at: datetime | None
    state_at: datetime | None
    state_reason: str
    answered_at: datetime | None
    closed_at: datetime | None
    station: str
    specialty: str
    specialist: str
    name: str
    sex: Sex
    birth: Birth
    reason: str
    unread: int = 0


def _malformed() -> Invalid:
    return Invalid("after_malformed", N_("Trang danh sách không đúng dạng"), field="after")


@dataclass(frozen=True)
class Cursor:
    """The last row of a page in the order of its list."""

    rank: int = 0
    due_at: datetime | None = None
    id: int = 0

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """From an address. Raises Invalid for anything we have not written ourselves."""
        if not text:
            return None
        parts = text.split(".")
        if len(parts) != 3 or any(not (p.isascii() and p.isdigit() and len(p) < 19) for p in parts):
            raise _malformed()
        rank, due, row_id = (int(part) for part in parts)
        try:
            place = cls(rank, _EPOCH + due * _MICROSECOND if due else None, row_id)
        except OverflowError:
            raise _malformed() from None
        if max(rank, row_id) > LARGEST_KEY:
            raise _malformed()
        return place

    @classmethod
    def of(cls, row: TriageRow | QueueRow | CaseRow) -> Cursor:
        """The place of a row."""
        return cls(row.rank, row.due_at, row.id)

    def __str__(self) -> str:
        due = (self.due_at - _EPOCH) // _MICROSECOND if self.due_at else 0
        return f"{self.rank}.{due}.{self.id}"
