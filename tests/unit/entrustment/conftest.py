"""A station whose doctor has practised, whoever taught there, and somebody who did not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level, RowState
from telemed.training.entrustment.levels import Basis, Entrusted
from telemed.training.entrustment.service import DecisionInput
from tests.factories import Factory

TODAY = date(2026, 11, 23)
CODE, NAME = "18.1", "Siêu âm ổ bụng"


@dataclass
class School:
    """People of one technique at one station, and a decision as it would be signed today."""

    station: Facility
    trainee: Actor
    sent: Actor
    trainer: Actor
    assessor: Actor
    coordinator: Actor
    rows: list[CaseRow]
    given: DecisionInput


async def practised(
    work: UnitOfWork, trainee: Actor, trainer: Actor, level: Level, number: int
) -> CaseRow:
    """A confirmed case."""
    row = CaseRow(
        trainee_id=trainee.id,
        trainer_id=trainer.id,
        station_id=trainee.facility_id or 0,
        technique_code=CODE,
        technique_name=NAME,
        performed_on=TODAY - timedelta(days=number),
        level=level,
        reference=f"HC-{number}",
        state=RowState.CONFIRMED,
        decided_at=work.now(),
        created_at=work.now(),
    )
    work.session.add(row)
    await work.session.flush()
    return row


@pytest.fixture
async def school(make: Factory, work: UnitOfWork) -> School:
    station = await make.facility()
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=station)
    sent = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
    rows = [
        await practised(work, trainee, sent, level, number)
        for number, level in enumerate(Level, start=1)
    ]
    given = DecisionInput(
        person_uid=trainee.uid,
        technique_key=CODE,
        level=Entrusted.ALONE,
        basis=Basis.SUMMATIVE,
        limits="Chỉ người lớn",
        expires_on=TODAY + timedelta(days=365),
        evidence=[row.uid for row in rows],
    )
    return School(
        station=station,
        trainee=trainee,
        sent=sent,
        trainer=await make.actor(Role.TRAINER),
        assessor=await make.actor(Role.SPECIALIST),
        coordinator=await make.actor(Role.COORDINATOR),
        rows=rows,
        given=given,
    )
