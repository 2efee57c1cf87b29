"""From vital signs, typed or stored, to what the triage scores say of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from telemed.consults.models import VitalSigns
from telemed.consults.triage.assessment import Assessment, assess
from telemed.consults.triage.danger_signs import DangerSign
from telemed.consults.triage.observations import MEASURED, Observations, Sign, Subject
from telemed.consults.vitals.reading import Consciousness, VitalKey, Vitals
from telemed.core.clock import LOCAL_ZONE
from telemed.patients.birth import Age, Birth, age_on
from telemed.patients.models import Patient

LOW_TARGET = "low_target"
SIGNS = "signs"


def birth_of(patient: Patient) -> Birth:
    """When a patient was born, as far as that is known."""
    return Birth(patient.birth_year, patient.birth_date)


def assess_stored(stored: VitalSigns, birth: Birth) -> Assessment:
    """Of one set of measurements, at the age on that day."""
    age = age_on(birth, stored.taken_at.astimezone(LOCAL_ZONE).date())
    return assess_vitals(_stored_vitals(stored.values), age)


def assess_vitals(vitals: Vitals, age: Age) -> Assessment:
    """Every score that was made for somebody of this age."""
    numbers: dict[Sign, Decimal] = {}
    for sign in MEASURED:
        if (value := vitals.values.get(VitalKey(sign.value))) is not None:
            numbers[sign] = value
    subject = Subject(
        years=age.years,
        months=None if age.is_estimate else age.months,
        is_pregnant=VitalKey.GESTATION in vitals.values
        or DangerSign.PREGNANCY_DANGER in vitals.signs,
        has_low_target=vitals.has_low_target,
    )
    letter = vitals.consciousness.value if vitals.consciousness else None
    return assess(subject, Observations(numbers, letter, vitals.on_oxygen), vitals.signs)


def _stored_vitals(values: Mapping[str, Any]) -> Vitals:
    """What is not known today, because it was stored by another version, is left out."""
    numbers = {key: number for key in VitalKey if (number := _number(values.get(key))) is not None}
    level, on_oxygen = values.get("consciousness"), values.get("oxygen")
    known = {sign.value for sign in DangerSign}
    return Vitals(
        numbers,
        Consciousness(level) if level in set(Consciousness) else None,
        on_oxygen if isinstance(on_oxygen, bool) else None,
        has_low_target=values.get(LOW_TARGET) is True,
        signs=frozenset(DangerSign(sign) for sign in values.get(SIGNS, ()) if sign in known),
    )


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
