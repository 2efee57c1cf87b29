"""A valid request becomes the columns of its consult, its number, its questions and its consents."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult, ConsultQuestion, VitalSigns, YearlyCounter
from telemed.consults.request.input import LEGAL_BASES, ConsentInput, RequestInput
from telemed.consults.vitals.assessing import LOW_TARGET, SIGNS
from telemed.consults.vitals.reading import Vitals
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.text import fold
from telemed.patients.allergies import record_allergies
from telemed.patients.birth import Birth, age_on
from telemed.patients.consents import ConsentAnswer, record_consent
from telemed.patients.models import ConsentGiver, ConsentPurpose, Patient
from telemed.patients.service import local_today
from telemed.patients.veil import veil_of


async def freeze(
    work: UnitOfWork, actor: Actor, consult: Consult, patient: Patient, request: RequestInput
) -> None:
    """Write a request down for good; whoever sends it answers for it."""
    assert consult.id
    consult.requester_id = actor.id
    consult.number = await next_number(work, "HC", work.now())
    consult.patient_age_years = age_on(
        Birth(patient.birth_year, patient.birth_date), local_today(work)
    ).years
    for name, value in request_columns(request).items():
        setattr(consult, name, value)
    consult.search_text = search_text(consult, patient, request)
    work.session.add(consult)
    for number, text in enumerate(request.questions, start=1):
        work.session.add(ConsultQuestion(consult_id=consult.id, number=number, text=text))
    if request.taken_at is not None:
        values = vital_values(request.vitals)
        work.session.add(
            VitalSigns(consult_id=consult.id, taken_at=request.taken_at, values=values)
        )
    await record_allergies(work, actor, patient.uid, request.allergy_state, request.allergies)
    for answer in consent_answers(request.consent):
        await record_consent(work, actor, patient.uid, answer, consult_uid=consult.uid)


async def next_number(work: UnitOfWork, kind: str, at: datetime) -> str:
    """The next number of a series of the year, as `HC-2026-000123`.

    One statement takes it, and the row stays locked until the commit: a number that is rolled back
    is given to the next one.
    """
    series = f"{kind}-{at.astimezone(LOCAL_ZONE).year}"
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    step = (
        insert(YearlyCounter)
        .values(series=series, last_number=1)
        .on_conflict_do_update(
            index_elements=["series"], set_={"last_number": YearlyCounter.last_number + 1}
        )
        .returning(col(YearlyCounter.last_number))
    )
    number = (await work.session.exec(step)).one()[0]
    return f"{series}-{number:06}"


def vital_values(vitals: Vitals) -> dict[str, Any]:
    """Measurements as they are stored: numbers by their keys, and what is chosen or ticked."""
    values: dict[str, Any] = {key.value: _number(value) for key, value in vitals.values.items()}
    if vitals.consciousness is not None:
        values["consciousness"] = vitals.consciousness.value
    if vitals.on_oxygen is not None:
        values["oxygen"] = vitals.on_oxygen
    if vitals.has_low_target:
        values[LOW_TARGET] = True
    if vitals.signs:
        values[SIGNS] = sorted(vitals.signs)
    return values


def consent_answers(consent: ConsentInput) -> list[ConsentAnswer]:
    """One answer a purpose; in an emergency nobody was asked beyond the consult itself."""
    is_emergency = consent.giver is ConsentGiver.EMERGENCY
    asked = (ConsentPurpose.CONSULT,) if is_emergency else tuple(ConsentPurpose)
    return [
        ConsentAnswer(
            purpose=purpose,
            is_granted=is_emergency or purpose in consent.agreed,
            given_by=consent.giver,
            giver_name=consent.giver_name,
            language=consent.language,
            interpreter=consent.interpreter,
        )
        for purpose in asked
    ]


def search_text(consult: Consult, patient: Patient, request: RequestInput) -> str:
    """What a search may find a consult by: its clinical words, never whose they are."""
    texts = (
        *request.questions,
        request.reason,
        request.history,
        request.examination,
        request.diagnosis,
    )
    veil = veil_of(patient, (request.consent.giver_name, request.consent.interpreter))
    icd = f"{request.icd.code} {request.icd.title}" if request.icd else ""
    return fold(f"{consult.number or ''} {veil.over(' '.join(texts))} {icd}")


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def request_columns(request: RequestInput) -> dict[str, Any]:
    """The columns that are stored as they were read."""
    names = ("reason", "history", "examination", "medication", "treatment", "diagnosis")
    more = ("transfer_possible", "urgency", "specialty_id", "named_id")
    return {name: getattr(request, name) for name in (*names, *more)} | {
        "legal_basis": LEGAL_BASES[request.consent.giver],
        "icd_code": request.icd.code if request.icd else None,
        "icd_system": request.icd.system if request.icd else None,
        "icd_version": request.icd.version if request.icd else None,
    }
