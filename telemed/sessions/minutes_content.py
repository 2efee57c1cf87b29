"""What signed minutes hold: the fields of form 27/BV2, as they stood when they were signed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult, ConsultQuestion
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.sessions.minutes_form import Minutes


def fixed_content(
    consult: Consult,
    minutes: Minutes,
    *,
    patient: Patient,
    station: Facility,
    requester: Person,
    chair: Actor,
    questions: Sequence[ConsultQuestion],
    meetings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Everything that the signatures stand for."""
    return {
        "number": consult.number,
        "patient": patient_facts(patient, consult),
        "station": station.name,
        "hospital": chair.place,
        "chair": {"name": chair.name, "title": chair.title},
        "requester": {"name": requester.full_name, "title": requester.title},
        "requested_at": _iso(consult.requested_at),
        "summary": {
            "reason": consult.reason,
            "history": consult.history,
            "examination": consult.examination,
            "treatment": consult.treatment,
            "diagnosis": consult.diagnosis,
            "icd_code": consult.icd_code,
            "icd_version": consult.icd_version,
        },
        "meetings": list(meetings),
        "findings": minutes.findings,
        "conclusions": [
            {
                "number": question.number,
                "question": question.text,
                "conclusion": minutes.conclusions[question.number],
            }
            for question in questions
        ],
        "dissent": minutes.dissent,
        "advice": minutes.advice,
        "referral": minutes.referral.value,
        "follow_up_on": minutes.follow_up_on.isoformat() if minutes.follow_up_on else None,
    }


def patient_facts(patient: Patient, consult: Consult) -> dict[str, Any]:
    """Who the paper is about, as known now."""
    return {
        "full_name": patient.full_name,
        "sex": patient.sex.value,
        "birth": patient.birth_date.isoformat() if patient.birth_date else str(patient.birth_year),
        "age_years": consult.patient_age_years,
        "number": patient.personal_number or patient.temporary_code,
        "insurance_number": patient.insurance_number,
        "ethnic_code": patient.ethnic_code,
        "address": patient.address,
        "allergy_state": patient.allergy_state.value,
        "allergies": patient.allergies,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
