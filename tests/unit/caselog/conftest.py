"""A trainee of a station, a trainer of the hospital, and a doctor who was sent there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.caselog.rules import Level
from telemed.training.caselog.service import RowInput
from telemed.training.rotations import service as rotations
from telemed.training.rotations.service import RotationInput
from tests.factories import Factory

TODAY = date(2026, 11, 23)


@dataclass
class Practice:
    """Who practises with whom, and a case as it would be written today."""

    station: Facility
    trainee: Actor
    trainer: Actor
    sent: Actor
    given: RowInput


@pytest.fixture
async def practice(make: Factory, work: UnitOfWork) -> Practice:
    station = await make.facility()
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=station)
    trainer = await make.actor(Role.TRAINER)
    sent = await make.actor(Role.ROTATED_DOCTOR)
    rotation = RotationInput(
        decision_number="1/QĐ",
        decision_date=TODAY - timedelta(days=90),
        person_id=sent.id,
        station_id=station.id or 0,
        starts_on=TODAY - timedelta(days=60),
        ends_on=TODAY + timedelta(days=10),
    )
    await rotations.save(work, await make.actor(Role.COORDINATOR), rotation)
    given = RowInput(
        technique_name="Siêu âm ổ bụng",
        technique_code="18.1",
        performed_on=TODAY,
        level=Level.ASSISTED,
        reference="HC-1204",
        trainer_id=sent.id,
    )
    return Practice(station, trainee, trainer, sent, given)
