"""NEWS2, the National Early Warning Score 2 (Royal College of Physicians, London 2017).

From 16 years on and not in pregnancy. The college lets anybody use it who credits it and leaves its
chart as it is: the bands below are those of the chart, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from telemed.consults.triage.observations import Level, Observations, Sign, Subject

FROM_YEARS: Final = 16

PARAMETERS: Final = (
    Sign.RESPIRATION,
    Sign.SPO2,
    Sign.OXYGEN,
    Sign.SYSTOLIC,
    Sign.PULSE,
    Sign.CONSCIOUSNESS,
    Sign.TEMPERATURE,
)
ON_OXYGEN: Final = 2
NOT_ALERT: Final = 3
_LONE: Final = 3

# Up to and including a value so many points; the last band has no end.
_Bands = Sequence[tuple[str, int]]
_END: Final = "Infinity"
_BANDS: Final[Mapping[Sign, _Bands]] = {
    Sign.RESPIRATION: (("8", 3), ("11", 1), ("20", 0), ("24", 2), (_END, 3)),
    Sign.SPO2: (("91", 3), ("93", 2), ("95", 1), (_END, 0)),
    Sign.SYSTOLIC: (("90", 3), ("100", 2), ("110", 1), ("219", 0), (_END, 3)),
    Sign.PULSE: (("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), (_END, 3)),
    Sign.TEMPERATURE: (("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), (_END, 2)),
}
# SpO2 scale 2, for a target of 88-92 %: above that, only oxygen makes it too much.
_SCALE_2_ON_AIR: Final = (("83", 3), ("85", 2), ("87", 1), (_END, 0))
_SCALE_2_ON_OXYGEN: Final = (
    *(("83", 3), ("85", 2), ("87", 1)),
    *(("92", 0), ("94", 1), ("96", 2), (_END, 3)),
)


class Risk(StrEnum):
    """The clinical risk that the college attaches to a total."""

    LOW = "low"
    # Any single parameter with 3 points.
    LOW_MEDIUM = "low_medium"
    MEDIUM = "medium"
    HIGH = "high"


_LEVELS: Final = {
    Risk.LOW: Level.ROUTINE,
    Risk.LOW_MEDIUM: Level.URGENT,
    Risk.MEDIUM: Level.URGENT,
    Risk.HIGH: Level.EMERGENCY,
}


@dataclass(frozen=True)
class News2:
    """Points of what was measured; a total only where nothing is missing."""

    points: Mapping[Sign, int]
    missing: tuple[Sign, ...]
    scale: int

    @property
    def total(self) -> int | None:
        """The sum, 0 to 20."""
        return None if self.missing else sum(self.points.values())

    @property
    def risk(self) -> Risk | None:
        """What the total stands for."""
        total = self.total
        if total is None:
            return None
        if total >= 7:
            return Risk.HIGH
        if total >= 5:
            return Risk.MEDIUM
        return Risk.LOW_MEDIUM if _LONE in self.points.values() else Risk.LOW

    @property
    def level(self) -> Level | None:
        """How soon somebody has to look."""
        risk = self.risk
        return _LEVELS[risk] if risk else None


def applies_to(subject: Subject) -> bool:
    """Whether the score was made for such a patient."""
    return subject.years >= FROM_YEARS and not subject.is_pregnant


def score_news2(subject: Subject, seen: Observations) -> News2:
    """Points per parameter. What is missing has none, and is never taken for normal."""
    scale = 2 if subject.has_low_target else 1
    missing = [sign for sign in PARAMETERS if not seen.has(sign)]
    # Whether 95 % is too much for the second scale depends on the oxygen.
    is_open = scale == 2 and Sign.OXYGEN in missing
    points = {
        sign: _points(sign, seen, scale)
        for sign in PARAMETERS
        if sign not in missing and not (is_open and sign is Sign.SPO2)
    }
    return News2(points, tuple(missing), scale)


def _points(sign: Sign, seen: Observations, scale: int) -> int:
    if sign is Sign.OXYGEN:
        return ON_OXYGEN if seen.on_oxygen else 0
    if sign is Sign.CONSCIOUSNESS:
        return 0 if seen.consciousness == "A" else NOT_ALERT
    bands = _BANDS[sign]
    if sign is Sign.SPO2 and scale == 2:
        bands = _SCALE_2_ON_OXYGEN if seen.on_oxygen else _SCALE_2_ON_AIR
    value = seen.numbers[sign]
    return next(points for limit, points in bands if value <= Decimal(limit))
