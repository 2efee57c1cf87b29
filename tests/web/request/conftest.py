"""One desk for every test of the request form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.request.service import create_draft
from telemed.core.db import UnitOfWork
from tests.factories import Factory
from tests.web.request.desk import Client, Desk

SignIn = Callable[[Actor], Awaitable[Client]]


@pytest.fixture
async def desk(make: Factory, work: UnitOfWork, signed_in: SignIn) -> Desk:
    station = await make.facility()
    doctor = await make.actor(Role.COMMUNE_DOCTOR, at=station)
    await make.actor(Role.SPECIALIST, specialty=await make.specialty())
    patient = await make.patient(station, by=doctor, full_name="Lò Văn Pánh")
    consult = await create_draft(work, doctor, patient.uid)
    return Desk(station, doctor, patient, consult.uid, await signed_in(doctor))
