"""Places and specialties: what everybody may look up, and what an administrator may change."""

from __future__ import annotations

import re

from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid, Missing, require_short
from telemed.core.text import clean_line, fold, sort_key_vi
from telemed.facilities.models import Commune, Department, Facility, FacilityKind, Specialty
from telemed.facilities.province import seed_province

__all__ = [
    "add_department",
    "add_specialty",
    "change_facility",
    "find_specialty",
    "get_facility",
    "get_facility_by_uid",
    "get_specialty",
    "list_communes",
    "list_departments",
    "list_facilities",
    "list_specialties",
    "list_stations",
    "rename_department",
    "rename_specialty",
    "seed_province",
]

_PHONE_MARKS = re.compile(r"[\s.()-]")
_PHONE = re.compile(r"\+?[0-9]{3,15}")
_CODE = re.compile(r"[a-z][a-z0-9_]{1,19}")


async def get_facility(work: UnitOfWork, facility_id: int) -> Facility:
    """The facility of this key. Raises Missing."""
    facility = await work.session.get(Facility, facility_id)
    if facility is None:
        raise Missing
    return facility


async def get_facility_by_uid(work: UnitOfWork, uid: str) -> Facility:
    """The facility that a URL names. Raises Missing."""
    query = select(Facility).where(col(Facility.uid) == uid)
    facility = (await work.session.exec(query)).one_or_none()
    if facility is None:
        raise Missing
    return facility


async def list_facilities(
    work: UnitOfWork, kind: FacilityKind | None = None, *, with_closed: bool = False
) -> list[Facility]:
    """Facilities in the order of their names: open ones, unless the closed are wanted too."""
    query = select(Facility)
    if kind is not None:
        query = query.where(col(Facility.kind) == kind)
    if not with_closed:
        query = query.where(col(Facility.is_active))
    rows = (await work.session.exec(query)).all()
    return sorted(rows, key=lambda facility: sort_key_vi(facility.name))


async def list_stations(work: UnitOfWork) -> list[Facility]:
    """The health stations that are open, by name."""
    return await list_facilities(work, FacilityKind.STATION)


async def list_communes(work: UnitOfWork) -> list[Commune]:
    """Communes and wards, by name."""
    rows = (await work.session.exec(select(Commune))).all()
    return sorted(rows, key=lambda commune: sort_key_vi(commune.name))


async def list_departments(work: UnitOfWork, facility_id: int | None = None) -> list[Department]:
    """Departments of one facility or of all, by name."""
    query = select(Department)
    if facility_id is not None:
        query = query.where(col(Department.facility_id) == facility_id)
    rows = (await work.session.exec(query)).all()
    return sorted(rows, key=lambda department: sort_key_vi(department.name))


async def list_specialties(work: UnitOfWork) -> list[Specialty]:
    """Specialties in the order in which they are offered."""
    query = select(Specialty).order_by(col(Specialty.sort_order), col(Specialty.id))
    return list((await work.session.exec(query)).all())


async def get_specialty(work: UnitOfWork, specialty_id: int) -> Specialty:
    """The specialty of this key. Raises Missing."""
    specialty = await work.session.get(Specialty, specialty_id)
    if specialty is None:
        raise Missing
    return specialty


async def find_specialty(work: UnitOfWork, code: str) -> Specialty | None:
    """The specialty of this code, or None."""
    query = select(Specialty).where(col(Specialty.code) == code)
    return (await work.session.exec(query)).one_or_none()


async def change_facility(
    work: UnitOfWork,
    actor: Actor,
    uid: str,
    *,
    name: str,
    phone: str,
    is_active: bool,
    rooms: int | None = None,
) -> Facility:
    """Correct the name, phone or rooms of a facility, close it or open it again.

    Appointments that were made while there were more rooms stay.
    """
    require(actor, Action.FACILITY_WRITE)
    facility = await get_facility_by_uid(work, uid)
    facility.name = _name(name, longest=120)
    facility.folded_name = fold(facility.name)
    facility.phone = parse_phone(phone)
    facility.is_active = is_active
    facility.rooms = facility.rooms if rooms is None else rooms
    work.session.add(facility)
    await work.session.flush()
    work.audit(AuditTag.FACILITY_CHANGE, actor, f"facility:{uid}", is_active=is_active)
    return facility


async def add_department(
    work: UnitOfWork, actor: Actor, facility_uid: str, name: str
) -> Department:
    """A new department of a facility. Raises Invalid when the facility has one of that name."""
    require(actor, Action.FACILITY_WRITE)
    facility = await get_facility_by_uid(work, facility_uid)
    assert facility.id is not None
    department = Department(
        facility_id=facility.id, name=await _free_department(work, facility.id, name)
    )
    work.session.add(department)
    await work.session.flush()
    work.audit(
        AuditTag.FACILITY_CHANGE, actor, f"facility:{facility_uid}", department=department.id
    )
    return department


async def rename_department(
    work: UnitOfWork, actor: Actor, facility_uid: str, department_id: int, name: str
) -> Department:
    """Another name for a department of this facility. Raises Missing, Invalid."""
    require(actor, Action.FACILITY_WRITE)
    facility = await get_facility_by_uid(work, facility_uid)
    department = await work.session.get(Department, department_id)
    if department is None or facility.id is None or department.facility_id != facility.id:
        raise Missing
    if clean_line(name) != department.name:
        department.name = await _free_department(work, facility.id, name)
    work.session.add(department)
    await work.session.flush()
    work.audit(
        AuditTag.FACILITY_CHANGE, actor, f"facility:{facility_uid}", department=department_id
    )
    return department


async def add_specialty(work: UnitOfWork, actor: Actor, *, code: str, name: str) -> Specialty:
    """A new specialty at the end of the list. Raises Invalid for a code that is taken."""
    require(actor, Action.FACILITY_WRITE)
    if not _CODE.fullmatch(code):
        raise Invalid(
            "code_malformed", N_("Mã gồm chữ thường không dấu, số và gạch dưới"), field="code"
        )
    if await find_specialty(work, code) is not None:
        raise Invalid("code_taken", N_("Mã này đã có"), field="code")
    others = await list_specialties(work)
    last = max((specialty.sort_order for specialty in others), default=0)
    specialty = Specialty(code=code, name=_name(name, longest=80), sort_order=last + 1)
    work.session.add(specialty)
    await work.session.flush()
    work.audit(AuditTag.FACILITY_CHANGE, actor, f"specialty:{code}")
    return specialty


async def rename_specialty(work: UnitOfWork, actor: Actor, code: str, name: str) -> Specialty:
    """Another name for a specialty. Raises Missing."""
    require(actor, Action.FACILITY_WRITE)
    specialty = await find_specialty(work, code)
    if specialty is None:
        raise Missing
    specialty.name = _name(name, longest=80)
    work.session.add(specialty)
    await work.session.flush()
    work.audit(AuditTag.FACILITY_CHANGE, actor, f"specialty:{code}")
    return specialty


def parse_phone(text: str) -> str:
    """A phone number as digits, with + for a foreign one; empty when not given."""
    digits = _PHONE_MARKS.sub("", text)
    if digits and not _PHONE.fullmatch(digits):
        raise Invalid(
            "phone_malformed",
            N_("Số điện thoại gồm 3 đến 15 chữ số – đang là {phone}"),
            field="phone",
            phone=text,
        )
    return digits


def _name(text: str, *, longest: int, field: str = "name") -> str:
    name = clean_line(text)
    if not name:
        raise Invalid("name_missing", N_("Ghi tên"), field=field)
    require_short(field, name, longest)
    return name


async def _free_department(work: UnitOfWork, facility_id: int, name: str) -> str:
    name = _name(name, longest=120, field="department_name")
    others = await list_departments(work, facility_id)
    if any(fold(other.name) == fold(name) for other in others):
        raise Invalid(
            "department_exists", N_("Cơ sở đã có khoa, phòng này"), field="department_name"
        )
    return name
