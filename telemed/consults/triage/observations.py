"""What is known of a patient at one time, as the scores take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Sign(StrEnum):
    """A measured sign that a score looks at; the value is its key among the vital signs."""

    RESPIRATION = "respiration"
    SPO2 = "spo2"
    OXYGEN = "oxygen"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    PULSE = "pulse"
    CONSCIOUSNESS = "consciousness"
    TEMPERATURE = "temperature"


# What has a number; the other two are chosen.
MEASURED: Final = tuple(sign for sign in Sign if sign not in {Sign.OXYGEN, Sign.CONSCIOUSNESS})


class Level(StrEnum):
    """How soon somebody has to look, most urgent first; the same three as the doctor's urgency."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    ROUTINE = "routine"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Subject:
    """Who was measured: completed years, completed months where they are known exactly."""

    years: int
    months: int | None = None
    is_pregnant: bool = False
    # A clinician has recorded hypercapnic failure: SpO2 is kept at 88-92 %.
    has_low_target: bool = False


@dataclass(frozen=True)
class Observations:
    """Numbers by their sign; consciousness as one of A C V P U; what was not measured is absent."""

    numbers: dict[Sign, Decimal] = field(default_factory=dict)
    consciousness: str | None = None
    on_oxygen: bool | None = None

    def has(self, sign: Sign) -> bool:
        """Whether it was measured."""
        if sign is Sign.CONSCIOUSNESS:
            return self.consciousness is not None
        if sign is Sign.OXYGEN:
            return self.on_oxygen is not None
        return sign in self.numbers
