"""A doctor, a patient, a form that was begun, and one that can be sent."""

from __future__ import annotations

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.models import Consult
from telemed.consults.request import service as request
from telemed.consults.request.fields import TICKS
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from tests.factories import Factory

Fields = dict[str, str]


@pytest.fixture
def complete(clock: FakeClock) -> Fields:
    """A form that can be sent."""
    return {
        "question_1": "Cần chuyển viện ngay không?",
        "question_2": "Dị ứng penicillin – chọn kháng sinh nào?",
        "reason": "Sốt 3 ngày, khó thở tăng",
        "history": "Tăng huyết áp",
        "examination": "Ran nổ đáy phổi phải",
        "diagnosis": "Viêm phổi thùy",
        "vital_spo2": "93",
        "vital_temperature": "38,6",
        "vital_consciousness": "A",
        "vital_oxygen": "no",
        "taken_time": "08:40",
        "taken_date": "23/11/2026",
        "allergy_state": "known",
        "allergies": "Penicillin",
        "medication": "Amlodipin 5 mg",
        "treatment": "Paracetamol",
        "transfer_possible": "yes",
        "urgency": "urgent",
        "specialty": "internal",
        "basis": "patient",
        "agree_consult": TICKS["agree_consult"],
        "agree_teaching": TICKS["agree_teaching"],
        "language": "tai",
        "interpreter": "Lò Thị Mai",
    }


@pytest.fixture
async def doctor(make: Factory) -> Actor:
    return await make.actor(Role.COMMUNE_DOCTOR)


@pytest.fixture
async def patient(make: Factory, doctor: Actor, work: UnitOfWork) -> Patient:
    await make.specialty()
    station = await work.session.get_one(Facility, doctor.facility_id)
    return await make.patient(station, by=doctor, full_name="Lò Văn Pánh")


@pytest.fixture
async def draft(work: UnitOfWork, doctor: Actor, patient: Patient) -> Consult:
    return await request.create_draft(work, doctor, patient.uid)
