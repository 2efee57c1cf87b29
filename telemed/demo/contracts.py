"""Under which contracts the synthetic hospital supports its stations."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmodel import col, select

from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.demo.world import World
from telemed.facilities.contracts.models import (
    ContractSpecialty,
    ContractStation,
    SupportContract,
)
from telemed.facilities.models import Facility, FacilityKind

NUMBER = "21/HĐ-BVĐK"
_STARTS_BEFORE, _LASTS = 2, 4
_SUPPORTED_FIRST = 8


async def write_contracts(work: UnitOfWork, world: World) -> None:
    """One for all stations, and an earlier one that ends soon."""
    hospital = (
        await work.session.exec(select(Facility).where(col(Facility.kind) == FacilityKind.HOSPITAL))
    ).first()
    assert hospital
    assert hospital.id
    today = world.now.astimezone(LOCAL_ZONE).date()
    starts = date(today.year - _STARTS_BEFORE, 1, 1)
    whole = SupportContract(
        number=NUMBER,
        supporter_id=hospital.id,
        signed_on=starts - timedelta(days=9),
        starts_on=starts,
        ends_on=date(starts.year + _LASTS, 12, 31),
        created_by_id=world.cast.coordinator.id,
        created_at=world.now,
    )
    ending = SupportContract(
        number="08/HĐ-BVĐK",
        supporter_id=hospital.id,
        signed_on=starts + timedelta(days=60),
        starts_on=starts + timedelta(days=75),
        ends_on=today + timedelta(days=37),
        created_by_id=world.cast.coordinator.id,
        created_at=world.now,
    )
    work.session.add_all([whole, ending])
    await work.session.flush()
    assert whole.id
    assert ending.id
    work.session.add_all(
        ContractStation(contract_id=whole.id, station_id=key) for key in world.stations
    )
    work.session.add_all(
        ContractStation(contract_id=ending.id, station_id=key)
        for key in list(world.stations)[:_SUPPORTED_FIRST]
    )
    pediatrics = sorted(world.specialties.values(), key=lambda each: each.sort_order)[:1]
    work.session.add_all(
        ContractSpecialty(contract_id=ending.id, specialty_id=each.id or 0) for each in pediatrics
    )
    await work.session.flush()
