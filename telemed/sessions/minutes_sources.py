"""What signed minutes rest on, as it stands at the moment of signing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult, ConsultQuestion
from telemed.consults.request.sheet import read_sheet
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility, Specialty
from telemed.patients.models import Consent, Patient
from telemed.sessions.attendance import list_meetings
from telemed.sessions.minutes_content import fixed_content
from telemed.sessions.minutes_form import Minutes


async def fix(
    work: UnitOfWork,
    chair: Actor,
    consult: Consult,
    questions: Sequence[ConsultQuestion],
    minutes: Minutes,
) -> dict[str, Any]:
    """The content that the signatures stand for."""
    patient = await work.session.get_one(Patient, consult.patient_id)
    specialty = await work.session.get(Specialty, consult.specialty_id or 0)
    content = fixed_content(
        consult,
        minutes,
        patient=patient,
        station=await work.session.get_one(Facility, consult.station_id),
        requester=await work.session.get_one(Person, consult.requester_id),
        chair=chair,
        questions=questions,
        meetings=await list_meetings(work, consult),
    )
    return content | {
        "specialty": specialty.name if specialty else "",
        "scores": await _scores(work, consult),
        "consents": await _consents(work, consult),
    }


async def _scores(work: UnitOfWork, consult: Consult) -> dict[str, Any] | None:
    """NEWS2 of the newest measurements, where it applies and nothing is missing."""
    for signs, _, assessment in (await read_sheet(work, consult)).vitals:
        score = assessment.news2
        if score and score.total is not None:
            return {
                "news2": score.total,
                "scale": score.scale,
                "taken_at": signs.taken_at.isoformat(),
            }
    return None


async def _consents(work: UnitOfWork, consult: Consult) -> list[dict[str, Any]]:
    query = select(Consent).where(col(Consent.consult_uid) == consult.uid, col(Consent.is_granted))
    return [
        {
            "purpose": each.purpose.value,
            "given_by": each.given_by.value,
            "giver_name": each.giver_name,
            "text_version": each.text_version,
            "at": each.at.isoformat(),
        }
        for each in (await work.session.exec(query.order_by(col(Consent.id)))).all()
        if each.withdrawn_at is None
    ]
