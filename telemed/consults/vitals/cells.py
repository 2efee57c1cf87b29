"""A set of vital signs as pages show it: known signs in the order of the table, each judged."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from telemed.consults.models import VitalSigns
from telemed.consults.vitals.reading import (
    CONSCIOUSNESS_LABELS,
    Consciousness,
    VitalKey,
    flag_vital,
    format_vital,
)
from telemed.core.errors import N_

_PRESSURE = (VitalKey.SYSTOLIC, VitalKey.DIASTOLIC)


class Judgement(StrEnum):
    """What is said under a value: against the usual range, or of a word that is not the usual one."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    ABNORMAL = "abnormal"


@dataclass(frozen=True)
class VitalCell:
    """One cell; `word` is a catalogue text where the value is no number."""

    key: str
    value: str = ""
    word: str = ""
    flag: Judgement | None = None


def cells_of(signs: VitalSigns, age_years: int | None) -> list[VitalCell]:
    """What was measured; a sign that was not measured has no cell."""
    values, cells = signs.values, []
    for key in VitalKey:
        if key is VitalKey.SYSTOLIC:
            cells += _pressure(values, age_years)
        elif key is not VitalKey.DIASTOLIC and (value := _number(values.get(key))) is not None:
            cells.append(_cell(key, value, age_years))
    return [*cells, *_words(values)]


def _cell(key: VitalKey, value: Decimal, age_years: int | None) -> VitalCell:
    flag = flag_vital(key, value, age_years)
    return VitalCell(key, format_vital(value), flag=Judgement(flag.value) if flag else None)


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _pressure(values: dict[str, Any], age_years: int | None) -> list[VitalCell]:
    upper, lower = (_number(values.get(key)) for key in _PRESSURE)
    pairs = [(key, v) for key, v in zip(_PRESSURE, (upper, lower), strict=True) if v is not None]
    cells = [_cell(key, value, age_years) for key, value in pairs]
    if len(cells) < len(_PRESSURE):
        return cells
    judged = next((c.flag for c in cells if c.flag not in {None, Judgement.NORMAL}), cells[0].flag)
    return [VitalCell("blood_pressure", "/".join(cell.value for cell in cells), flag=judged)]


def _words(values: dict[str, Any]) -> list[VitalCell]:
    cells = []
    level = values.get("consciousness")
    if level in set(Consciousness):
        word = CONSCIOUSNESS_LABELS[Consciousness(level)]
        is_off = Consciousness(level) is not Consciousness.ALERT
        cells.append(
            VitalCell("consciousness", word=word, flag=Judgement.ABNORMAL if is_off else None)
        )
    if isinstance(on_oxygen := values.get("oxygen"), bool):
        cells.append(VitalCell("oxygen", word=N_("Có") if on_oxygen else N_("Không")))
    return cells
