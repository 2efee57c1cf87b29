"""Levels of entrustment, what a decision must rest on, acceptance and its re-checks. Pure.

A level is a decision about supervision and no mark: it is never averaged, and one for the case at
hand is kept apart from one that lasts.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from telemed.core.errors import N_, FieldError
from telemed.training.caselog.rules import Level
from telemed.training.entrustment.levels import Basis, Entrusted, Standing, Verdict

LONGEST_LIMITS, LONGEST_REASON = 500, 1000
LONGEST_NUMBER = 60
RECHECK_MONTHS: Final = (3, 6)
# A station tells of these months; more than a few cases a day would be a slip of the keyboard.
MOST_TIMES = 2000
_MONTHS = 12


LONGEST_TERM: Final[Mapping[Basis, timedelta]] = MappingProxyType(
    {Basis.AD_HOC: timedelta(days=7), Basis.SUMMATIVE: timedelta(days=731)}
)
# One confirmed case of these levels, at least, stands under a decision that lasts.
NEEDED: Final[Mapping[Entrusted, frozenset[Level]]] = MappingProxyType(
    {
        Entrusted.DIRECTLY_SUPERVISED: frozenset(Level),
        Entrusted.HELP_AT_HAND: frozenset({Level.SUPERVISED, Level.PERFORMED}),
        Entrusted.ALONE: frozenset({Level.PERFORMED}),
        Entrusted.SUPERVISES: frozenset({Level.PERFORMED}),
    }
)
_MISSING: Final[Mapping[Entrusted, str]] = MappingProxyType(
    {
        Entrusted.DIRECTLY_SUPERVISED: N_("Chọn ít nhất một ca đã xác nhận"),
        Entrusted.HELP_AT_HAND: N_("Chọn ít nhất một ca làm có giám sát hoặc tự làm"),
        Entrusted.ALONE: N_("Chọn ít nhất một ca tự làm"),
        Entrusted.SUPERVISES: N_("Chọn ít nhất một ca tự làm"),
    }
)


def check_decision(
    level: Entrusted, basis: Basis, *, today: date, expires_on: date, evidence: Collection[Level]
) -> list[FieldError]:
    """What is wrong with a decision, by field."""
    faults = check_term(basis, today, expires_on)
    needed = NEEDED.get(level)
    if basis is Basis.SUMMATIVE and needed is not None and needed.isdisjoint(evidence):
        faults.append(FieldError("evidence", "evidence_missing", _MISSING[level]))
    return faults


def check_term(basis: Basis, today: date, expires_on: date) -> list[FieldError]:
    """What is wrong with the last day of a decision."""
    if expires_on < today:
        return [FieldError("expires_on", "in_past", N_("Ngày hết hiệu lực không được đã qua"))]
    most = LONGEST_TERM[basis]
    if expires_on - today > most:
        text = N_("Hiệu lực dài nhất {days} ngày")
        return [FieldError("expires_on", "term_long", text, {"days": most.days})]
    return []


def standing(
    *, is_replaced: bool, withdrawn_on: date | None, expires_on: date, today: date
) -> Standing:
    """What a decision is worth on a day."""
    if withdrawn_on is not None:
        return Standing.WITHDRAWN
    if is_replaced:
        return Standing.REPLACED
    return Standing.HOLDS if today <= expires_on else Standing.EXPIRED


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of a shorter month."""
    turns, month = divmod(day.month - 1 + months, _MONTHS)
    year = day.year + turns
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def check_verdict(verdict: Verdict, conditions: str) -> list[FieldError]:
    """What is wrong with a verdict."""
    if verdict is Verdict.CONDITIONAL and not conditions:
        text = N_("Ghi điều kiện phải đạt")
        return [FieldError("conditions", "conditions_missing", text)]
    return []


def check_answer(*, is_still_done: bool, times: int, reason: str) -> list[FieldError]:
    """What is wrong with the answer to a re-check."""
    if is_still_done and times < 1:
        return [FieldError("times", "times_missing", N_("Ghi đã làm bao nhiêu lần"))]
    if not is_still_done and times:
        text = N_("Không còn làm thì số lần là 0")
        return [FieldError("times", "times_unexpected", text)]
    if not is_still_done and not reason:
        return [FieldError("reason", "reason_missing", N_("Ghi vì sao không còn làm"))]
    return []
