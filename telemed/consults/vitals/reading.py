"""Vital signs as they are typed: reading, refusing, and what stands out in an adult."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from telemed.consults.triage.danger_signs import DangerSign
from telemed.consults.vitals.table import (
    CONSCIOUSNESS_LABELS,
    VITALS,
    Consciousness,
    Vital,
    VitalKey,
)
from telemed.core.errors import N_, FieldError, Invalid
from telemed.core.text import clean_line

__all__ = [
    "ADULT_FROM_YEARS",
    "CONSCIOUSNESS_LABELS",
    "VITALS",
    "Consciousness",
    "Flag",
    "Vital",
    "VitalKey",
    "Vitals",
    "flag_vital",
    "format_vital",
    "parse_vital",
    "read_vitals",
]

ADULT_FROM_YEARS = 16
_SHOWN = 20
_NUMBER = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,3}))?")


class Flag(StrEnum):
    """Where a value stands against the usual range."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


@dataclass(frozen=True)
class Vitals:
    """What was measured; a sign that was not measured is simply absent."""

    values: Mapping[VitalKey, Decimal]
    consciousness: Consciousness | None = None
    on_oxygen: bool | None = None
    # Hypercapnic failure is on record: SpO2 is kept at 88-92 %.
    has_low_target: bool = False
    signs: frozenset[DangerSign] = frozenset()


def parse_vital(key: VitalKey, text: str, field: str | None = None) -> Decimal | None:
    """Read a typed value with a decimal comma or point; nothing typed is nothing measured."""
    vital = VITALS[key]
    line = clean_line(text)
    if not line:
        return None
    value = _number(line)
    if value is None or not vital.low <= value <= vital.high:
        raise _refusal("vital_out_of_bounds", vital.out_of_bounds, field or key, line)
    if vital.decimals == 0 and value != value.to_integral_value():
        raise _refusal("vital_not_whole", vital.not_whole, field or key, line)
    return value.to_integral_value() if vital.decimals == 0 else value


def read_vitals(
    values: Mapping[VitalKey, str],
    *,
    consciousness: str = "",
    on_oxygen: bool | None = None,
    has_low_target: bool = False,
    signs: frozenset[DangerSign] = frozenset(),
    prefix: str = "",
) -> Vitals:
    """Read all signs of a form; raises once, with every field that has to be corrected."""
    errors: list[FieldError] = []
    read: dict[VitalKey, Decimal] = {}
    for key, text in values.items():
        try:
            value = parse_vital(key, text, f"{prefix}{key}")
        except Invalid as refusal:
            errors.extend(refusal.fields)
        else:
            read |= {} if value is None else {key: value}
    errors.extend(_pressure_errors(read, prefix))
    level = _consciousness(consciousness)
    if consciousness.strip() and level is None:
        message = N_("Chọn tri giác theo A, C, V, P, U – đang là {given}")
        given = {"given": _short(clean_line(consciousness))}
        errors.append(FieldError(f"{prefix}consciousness", "consciousness_unknown", message, given))
    if errors:
        raise Invalid.of(errors)
    return Vitals(read, level, on_oxygen, has_low_target, signs)


def flag_vital(key: VitalKey, value: Decimal, age_years: int | None) -> Flag | None:
    """Compare with the usual range of an adult; nothing is said of children or unknown ages."""
    usual = VITALS[key].usual
    if usual is None or age_years is None or age_years < ADULT_FROM_YEARS:
        return None
    if value < usual[0]:
        return Flag.LOW
    return Flag.HIGH if value > usual[1] else Flag.NORMAL


def format_vital(value: Decimal, *, decimal_mark: str = ",") -> str:
    """Return a value as it is written: decimal comma, no idle zeros."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(".", decimal_mark)


def _number(line: str) -> Decimal | None:
    match = _NUMBER.fullmatch(line)
    return Decimal(f"{match.group(1)}.{match.group(2) or 0}") if match else None


def _refusal(code: str, message: str, field: str, given: str) -> Invalid:
    return Invalid(code, message, field=field, given=_short(given))


def _short(given: str) -> str:
    return given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"


def _pressure_errors(read: Mapping[VitalKey, Decimal], prefix: str) -> list[FieldError]:
    systolic, diastolic = read.get(VitalKey.SYSTOLIC), read.get(VitalKey.DIASTOLIC)
    if systolic is None or diastolic is None or systolic > diastolic:
        return []
    message = N_("HA tâm thu phải lớn hơn HA tâm trương – đang là {systolic}/{diastolic}")
    given = {"systolic": int(systolic), "diastolic": int(diastolic)}
    return [FieldError(f"{prefix}{VitalKey.SYSTOLIC}", "pressure_order", message, given)]


def _consciousness(text: str) -> Consciousness | None:
    levels = {level.value: level for level in Consciousness}
    return levels.get(clean_line(text).upper())
