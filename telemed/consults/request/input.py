"""A request that can be sent, and what may be chosen for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from telemed.consults.models import LegalBasis, Urgency
from telemed.consults.vitals.reading import Vitals
from telemed.patients.models import AllergyState, ConsentGiver, ConsentPurpose

LEGAL_BASES: Mapping[ConsentGiver, LegalBasis] = {
    ConsentGiver.PATIENT: LegalBasis.CONSENT,
    ConsentGiver.GUARDIAN: LegalBasis.GUARDIAN_CONSENT,
    ConsentGiver.EMERGENCY: LegalBasis.EMERGENCY,
}


@dataclass(frozen=True)
class IcdChoice:
    """A code with the list it comes from."""

    code: str
    title: str
    system: str
    version: str


@dataclass(frozen=True)
class Colleague:
    """A specialist who may be asked by name."""

    id: int
    uid: str
    name: str
    specialty_ids: frozenset[int]


@dataclass(frozen=True)
class Choices:
    """What may be chosen now, and what is known of the patient."""

    now: datetime
    age_years: int
    specialties: Mapping[str, int]
    colleagues: Mapping[str, Colleague] = field(default_factory=dict)
    icd: IcdChoice | None = None
    allergy: tuple[AllergyState, str] = (AllergyState.NOT_ASKED, "")


@dataclass(frozen=True)
class ConsentInput:
    """Who answered, and to what they agreed; what is not in `agreed` was refused or not asked."""

    giver: ConsentGiver
    giver_name: str
    agreed: frozenset[ConsentPurpose]
    language: str
    interpreter: str


@dataclass(frozen=True)
class RequestInput:
    """A request that can be sent."""

    questions: tuple[str, ...]
    reason: str
    history: str
    examination: str
    diagnosis: str
    icd: IcdChoice | None
    vitals: Vitals
    taken_at: datetime | None
    allergy_state: AllergyState
    allergies: str
    medication: str
    treatment: str
    transfer_possible: bool | None
    urgency: Urgency
    specialty_id: int
    named_id: int | None
    consent: ConsentInput
