"""A coordinator, a station and somebody to be sent there."""

from __future__ import annotations

from datetime import date

import pytest

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor, Role
from telemed.facilities.models import Facility
from telemed.training.rotations.service import RotationInput
from tests.factories import Factory

FIRST, LAST = date(2026, 12, 1), date(2027, 2, 28)


@pytest.fixture
async def coordinator(make: Factory) -> Actor:
    return await make.actor(Role.COORDINATOR)


@pytest.fixture
async def station(make: Factory) -> Facility:
    return await make.facility()


@pytest.fixture
async def doctor(make: Factory) -> Person:
    return await make.person(Role.ROTATED_DOCTOR)


@pytest.fixture
def given(station: Facility, doctor: Person) -> RotationInput:
    return RotationInput(
        decision_number="123/QĐ-SYT",
        decision_date=date(2026, 11, 20),
        person_id=doctor.id or 0,
        station_id=station.id or 0,
        starts_on=FIRST,
        ends_on=LAST,
        tasks="Siêu âm tim cấp cứu",
    )
