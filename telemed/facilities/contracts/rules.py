"""What a contract must say, whether it is in force on a day, and what it covers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from telemed.core.errors import N_, FieldError, too_long

LONGEST_NUMBER: Final = 60
LONGEST_SCOPE: Final = 500
LONGEST_REASON: Final = 300
LONGEST_YEARS: Final = 10
# Time enough to sign the next one.
ENDS_SOON: Final = timedelta(days=60)
_YEAR: Final = timedelta(days=366)


class ContractState(StrEnum):
    """Where a contract stands on a day."""

    TO_COME = "to_come"
    IN_FORCE = "in_force"
    ENDS_SOON = "ends_soon"
    OVER = "over"


@dataclass(frozen=True)
class Term:
    """From a day to a day, both included; `ended_on` is the last day where it ended early."""

    starts_on: date
    ends_on: date
    ended_on: date | None = None

    @property
    def last_day(self) -> date:
        """The last day in force."""
        return min(self.ends_on, self.ended_on) if self.ended_on else self.ends_on

    def state(self, today: date) -> ContractState:
        """Where it stands."""
        if today > self.last_day:
            return ContractState.OVER
        if today < self.starts_on:
            return ContractState.TO_COME
        is_near = self.last_day - today <= ENDS_SOON
        return ContractState.ENDS_SOON if is_near else ContractState.IN_FORCE

    def covers(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.starts_on <= day <= self.last_day


@dataclass(frozen=True)
class Draft:
    """A contract as it is to be recorded, before anything is looked up."""

    number: str
    signed_on: date
    term: Term
    stations: frozenset[str]
    scope: str


def check(draft: Draft) -> list[FieldError]:
    """Every field that has to be corrected."""
    errors: list[FieldError] = []
    if not draft.number:
        errors.append(FieldError("number", "number_missing", N_("Ghi số hợp đồng")))
    errors += too_long("number", draft.number, LONGEST_NUMBER)
    errors += too_long("scope", draft.scope, LONGEST_SCOPE)
    if draft.term.ends_on < draft.term.starts_on:
        message = N_("Ngày hết hạn phải từ ngày bắt đầu trở đi")
        errors.append(FieldError("ends_on", "period_inverted", message))
    elif draft.term.ends_on - draft.term.starts_on > LONGEST_YEARS * _YEAR:
        message = N_("Hợp đồng dài nhất {limit} năm")
        params = {"limit": LONGEST_YEARS}
        errors.append(FieldError("ends_on", "period_long", message, params))
    if draft.signed_on > draft.term.ends_on:
        message = N_("Ngày ký không được sau ngày hết hạn")
        errors.append(FieldError("signed_on", "signed_late", message))
    if not draft.stations:
        errors.append(FieldError("stations", "stations_missing", N_("Chọn ít nhất một trạm")))
    return errors


def check_end(term: Term, ended_on: date, reason: str) -> list[FieldError]:
    """What stands against ending a contract early."""
    errors = too_long("reason", reason, LONGEST_REASON)
    if not reason:
        errors.append(FieldError("reason", "reason_missing", N_("Ghi vì sao chấm dứt")))
    if not term.starts_on <= ended_on <= term.ends_on:
        message = N_("Ngày chấm dứt phải trong thời hạn hợp đồng")
        errors.append(FieldError("ended_on", "end_outside", message))
    return errors


def is_in_scope(specialty_id: int | None, covered: Iterable[int]) -> bool:
    """A contract that names no specialty covers them all."""
    named = set(covered)
    return not named or specialty_id in named
