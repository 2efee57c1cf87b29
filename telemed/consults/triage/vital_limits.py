"""High-risk vital signs by age, and fast breathing of small children.

The limits are those of the Interagency Integrated Triage Tool (WHO, ICRC, MSF; charts for under 12
and from 12 years on), and of WHO for breathing (IMCI: 60, 50 and 40 breaths a minute).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from telemed.consults.triage.observations import Level, Observations, Sign, Subject

ADULT_CHART_FROM_YEARS: Final = 12
FAST_BREATHING_BELOW_YEARS: Final = 5
YOUNG_INFANT_BELOW_MONTHS: Final = 2

# From so many years on: the highest that is too low, and the lowest that is too high, exclusive.
_Limits = tuple[int, tuple[int, int]]
_PULSE: Final[Sequence[_Limits]] = ((12, (60, 130)), (5, (70, 140)), (1, (80, 160)), (0, (90, 180)))
_BREATHS: Final[Sequence[_Limits]] = ((12, (10, 30)), (5, (10, 30)), (1, (20, 40)), (0, (25, 50)))
_TEMPERATURE: Final = (36, 39)
_LEAST_SPO2: Final = 92
_EMERGENCY_PULSE: Final = (50, 150)
_PRESSURE_IN_PREGNANCY: Final = ((Sign.SYSTOLIC, 160), (Sign.DIASTOLIC, 110))
# Below so many months: breaths a minute from which on it is fast.
_FAST_BREATHING: Final = ((2, 60), (12, 50), (60, 40))
# Comas of the emergency signs for children (WHO, ETAT).
_COMA: Final = frozenset({"P", "U"})


class Bound(StrEnum):
    """Which way a value is out of its limit."""

    BELOW = "below"
    ABOVE = "above"
    FROM = "from"
    NOT_ALERT = "not_alert"
    COMA = "coma"
    FAST_BREATHING = "fast_breathing"


@dataclass(frozen=True)
class Finding:
    """A measured sign outside its limit; a limit only where it is a number."""

    sign: Sign
    bound: Bound
    level: Level
    limit: Decimal | None = None


def find_vitals(subject: Subject, seen: Observations) -> tuple[Finding, ...]:
    """What is out of its limits, one finding for each sign, the most urgent of it."""
    found: dict[Sign, Finding] = {}
    for each in _all(subject, seen):
        if each.sign not in found or each.level.rank < found[each.sign].level.rank:
            found[each.sign] = each
    return tuple(sorted(found.values(), key=lambda each: each.level.rank))


def _all(subject: Subject, seen: Observations) -> Iterator[Finding]:
    yield from _consciousness(seen)
    yield from _outside(seen, Sign.PULSE, _for_age(_PULSE, subject), Level.URGENT)
    yield from _outside(seen, Sign.RESPIRATION, _for_age(_BREATHS, subject), Level.URGENT)
    yield from _outside(seen, Sign.TEMPERATURE, _TEMPERATURE, _level_of_temperature(subject))
    yield from _outside(seen, Sign.SPO2, (_LEAST_SPO2, None), Level.URGENT)
    if subject.years >= ADULT_CHART_FROM_YEARS:
        yield from _outside(seen, Sign.PULSE, _EMERGENCY_PULSE, Level.EMERGENCY)
    if subject.is_pregnant:
        for sign, limit in _PRESSURE_IN_PREGNANCY:
            yield from _reached(seen, sign, limit, Bound.FROM, Level.EMERGENCY)
    if subject.years < FAST_BREATHING_BELOW_YEARS and subject.months is not None:
        limit = next(each for below, each in _FAST_BREATHING if subject.months < below)
        yield from _reached(seen, Sign.RESPIRATION, limit, Bound.FAST_BREATHING, Level.URGENT)


def _consciousness(seen: Observations) -> Iterator[Finding]:
    if seen.consciousness in _COMA:
        yield Finding(Sign.CONSCIOUSNESS, Bound.COMA, Level.EMERGENCY)
    elif seen.consciousness not in {None, "A"}:
        yield Finding(Sign.CONSCIOUSNESS, Bound.NOT_ALERT, Level.URGENT)


def _level_of_temperature(subject: Subject) -> Level:
    is_young = subject.months is not None and subject.months < YOUNG_INFANT_BELOW_MONTHS
    return Level.EMERGENCY if is_young else Level.URGENT


def _for_age(table: Sequence[_Limits], subject: Subject) -> tuple[int, int]:
    return next(limits for years, limits in table if subject.years >= years)


def _outside(
    seen: Observations, sign: Sign, limits: tuple[int, int | None], level: Level
) -> Iterator[Finding]:
    value = seen.numbers.get(sign)
    low, high = limits
    if value is not None and value < low:
        yield Finding(sign, Bound.BELOW, level, Decimal(low))
    elif value is not None and high is not None and value > high:
        yield Finding(sign, Bound.ABOVE, level, Decimal(high))


def _reached(
    seen: Observations, sign: Sign, limit: int, bound: Bound, level: Level
) -> Iterator[Finding]:
    value = seen.numbers.get(sign)
    if value is not None and value >= limit:
        yield Finding(sign, bound, level, Decimal(limit))
