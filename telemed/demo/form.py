"""The request form as a doctor of a station types it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from random import Random

from telemed.consults.models import Urgency
from telemed.consults.request.fields import QUESTIONS, TICKS, VITAL_PREFIX
from telemed.core.clock import LOCAL_ZONE
from telemed.demo.texts import CaseText, Span
from telemed.patients.languages import VIETNAMESE
from telemed.patients.models import ConsentGiver, Patient

MOST_HOURS = 3
DAYS = (2, 6)
ADULT_YEARS = 16
AGREES = {"agree_recording": 0.35, "agree_teaching": 0.45}
IN_EMERGENCY_UNASKED = 0.3


def type_form(
    case: CaseText,
    patient: Patient,
    urgency: Urgency,
    taken_at: datetime,
    *,
    age_years: int,
    chance: Random,
    interpreter: str,
) -> dict[str, str]:
    """Every box of the form, as text."""
    said = {"days": chance.randint(*DAYS), "hours": chance.randint(1, MOST_HOURS)}
    taken = taken_at.astimezone(LOCAL_ZONE)
    fields = dict(zip(QUESTIONS, case.questions, strict=False)) | {
        "reason": case.reason.format_map(said),
        "history": case.history.format_map(said),
        "examination": case.examination.format_map(said),
        "diagnosis": case.diagnosis,
        "icd": case.icd,
        "medication": case.medication,
        "treatment": case.treatment,
        "taken_time": f"{taken:%H:%M}",
        "taken_date": f"{taken:%d/%m/%Y}",
        "allergy_state": patient.allergy_state.value,
        "allergies": patient.allergies,
        "transfer_possible": chance.choice(("yes", "yes", "no", "")),
        "urgency": urgency.value,
        "specialty": case.specialty,
    }
    fields |= _vitals(case.vitals, age_years, chance)
    fields |= _consent(patient, urgency, age_years, chance, interpreter)
    return {name: text for name, text in fields.items() if text}


def _vitals(spans: Mapping[str, Span], age_years: int, chance: Random) -> dict[str, str]:
    typed = {f"{VITAL_PREFIX}{key}": _value(span, chance) for key, span in spans.items()}
    if "gcs" not in spans:
        typed[f"{VITAL_PREFIX}consciousness"] = "A"
    if "spo2" in spans and age_years >= ADULT_YEARS:
        typed[f"{VITAL_PREFIX}oxygen"] = "no"
    return typed


def _value(span: Span, chance: Random) -> str:
    low, high = span
    if isinstance(low, int) and isinstance(high, int):
        return str(chance.randint(low, high))
    return f"{chance.uniform(low, high):.1f}".replace(".", ",")


def _consent(
    patient: Patient, urgency: Urgency, age_years: int, chance: Random, interpreter: str
) -> dict[str, str]:
    is_unasked = urgency is Urgency.EMERGENCY and chance.random() < IN_EMERGENCY_UNASKED
    language = patient.interpreter_language or VIETNAMESE
    if is_unasked:
        return {"basis": ConsentGiver.EMERGENCY.value, "language": language}
    basis = ConsentGiver.GUARDIAN if age_years < ADULT_YEARS else ConsentGiver.PATIENT
    answers = {"agree_consult": TICKS["agree_consult"]}
    answers |= {name: TICKS[name] for name, share in AGREES.items() if chance.random() < share}
    return answers | {
        "basis": basis.value,
        "giver_name": patient.guardian_name if basis is ConsentGiver.GUARDIAN else "",
        "language": language,
        "interpreter": interpreter if patient.interpreter_language else "",
    }
