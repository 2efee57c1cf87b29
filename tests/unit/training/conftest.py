"""Fixtures of technical transfer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telemed.accounts.permissions import Role
from telemed.training.models import TransferPlace, TransferType
from telemed.training.transfer_input import TransferInput
from tests.factories import Factory
from tests.unit.training.classroom import STARTS, Class


@pytest.fixture
async def lesson(make: Factory) -> Class:
    station = await make.facility(name="Trạm Y tế Nà Tấu")
    author = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
    trainer = await make.actor(Role.TRAINER)
    trainees = [await make.actor(Role.COMMUNE_DOCTOR, at=station) for _ in range(2)]
    given = TransferInput(
        station_id=station.id or 0,
        technique_code="18.2",
        technique_name="Siêu âm tim cấp cứu",
        type=TransferType.HANDS_ON,
        place=TransferPlace.ON_SITE,
        starts_at=STARTS,
        ends_at=STARTS + timedelta(hours=2),
        trainer_ids=[author.id, trainer.id],
        trainee_ids=[trainee.id for trainee in trainees],
        observed=3,
        assisted=2,
        performed=1,
        evaluation="Đặt đầu dò đúng",
    )
    return Class(station, author, trainer, trainees, given)
