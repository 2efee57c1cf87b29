"""What the banner on top of every page of a case says of its patient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from telemed.patients.models import Patient


@dataclass(frozen=True)
class PatientBanner:
    """The right patient at a glance; the names are those that the banner's macro reads."""

    uid: str
    name: str
    number: str
    sex: str
    birth_date: date | None
    birth_year: int
    allergy_state: str
    allergies: str
    asked_on: date | None


def banner_of(patient: Patient) -> PatientBanner:
    """The banner of a patient whom the actor has been given."""
    return PatientBanner(
        uid=patient.uid,
        name=patient.full_name,
        number=patient.personal_number or patient.temporary_code or "",
        sex=patient.sex.value,
        birth_date=patient.birth_date,
        birth_year=patient.birth_year,
        allergy_state=patient.allergy_state.value,
        allergies=patient.allergies,
        asked_on=patient.allergies_asked_on,
    )
