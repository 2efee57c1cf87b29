"""What is taken out of the free text of a case before somebody may learn from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from telemed.core.scrub import scrub
from telemed.patients.models import Patient

# Parts of an address are written about apart: “người Co Chạy”.
_PARTS = re.compile(r"[,;\n–-]")


@dataclass(frozen=True)
class Veil:
    """Everything that is known of who the case is about."""

    secrets: tuple[str, ...]
    names: tuple[str, ...]

    def over(self, text: str) -> str:
        """Text as whoever only learns from it reads it."""
        return scrub(text, self.secrets, self.names)


def veil_of(patient: Patient, others: Iterable[str] = ()) -> Veil:
    """The veil over texts about a patient; `others` are names of people who stood by."""
    numbers = (
        patient.personal_number,
        patient.old_number,
        patient.insurance_number,
        patient.temporary_code,
        patient.phone,
        patient.guardian_phone,
    )
    places = (patient.address, *_PARTS.split(patient.address))
    names = (patient.full_name, patient.guardian_name, *others)
    return Veil(
        secrets=tuple(secret for secret in (*numbers, *places) if secret),
        names=tuple(name for name in names if name),
    )
