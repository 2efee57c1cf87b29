"""The province on first start: communes, their stations, the hospital, the specialties."""

from __future__ import annotations

import asyncio

from sqlmodel import col, select

from telemed.core.db import UnitOfWork
from telemed.core.text import fold
from telemed.facilities import reference
from telemed.facilities.models import Commune, Department, Facility, FacilityKind, Specialty


async def seed_province(work: UnitOfWork) -> None:
    """Add whatever of the province is not there yet; what is there stays as it was changed."""
    communes = await asyncio.to_thread(reference.read_communes)
    await _seed_communes(work, communes)
    await _seed_facilities(work, communes)
    await _seed_departments(work)
    await _seed_specialties(work)
    await work.session.flush()


async def _seed_communes(work: UnitOfWork, communes: list[reference.CommuneLine]) -> None:
    known = set((await work.session.exec(select(Commune.code))).all())
    work.session.add_all(
        Commune(
            code=line.code,
            name=line.name,
            kind=line.kind,
            province_code=reference.PROVINCE_CODE,
            folded_name=fold(line.name),
        )
        for line in communes
        if line.code not in known
    )
    await work.session.flush()


async def _seed_facilities(work: UnitOfWork, communes: list[reference.CommuneLine]) -> None:
    known = set((await work.session.exec(select(Facility.code))).all())
    wanted = [
        _facility(FacilityKind.HOSPITAL, reference.HOSPITAL_CODE, reference.HOSPITAL_NAME),
        _facility(
            FacilityKind.DEPARTMENT_OF_HEALTH,
            reference.HEALTH_DEPARTMENT_CODE,
            reference.HEALTH_DEPARTMENT_NAME,
        ),
        *(
            _facility(FacilityKind.STATION, line.station_code, line.station_name, line.code)
            for line in communes
        ),
    ]
    work.session.add_all(facility for facility in wanted if facility.code not in known)
    await work.session.flush()


def _facility(kind: FacilityKind, code: str, name: str, commune: str | None = None) -> Facility:
    return Facility(kind=kind, code=code, name=name, folded_name=fold(name), commune_code=commune)


async def _seed_departments(work: UnitOfWork) -> None:
    hospital = select(Facility.id).where(col(Facility.code) == reference.HOSPITAL_CODE)
    hospital_id = (await work.session.exec(hospital)).one()
    assert hospital_id is not None
    names = select(Department.name).where(col(Department.facility_id) == hospital_id)
    known = set((await work.session.exec(names)).all())
    work.session.add_all(
        Department(facility_id=hospital_id, name=name)
        for name in reference.HOSPITAL_DEPARTMENTS
        if name not in known
    )


async def _seed_specialties(work: UnitOfWork) -> None:
    known = set((await work.session.exec(select(Specialty.code))).all())
    work.session.add_all(
        Specialty(code=code, name=name, sort_order=order)
        for order, (code, name) in enumerate(reference.SPECIALTIES, start=1)
        if code not in known
    )
