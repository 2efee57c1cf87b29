"""What is written down about a person, and how it is checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid, too_long
from telemed.core.text import clean_line
from telemed.facilities.models import Department, Facility, FacilityKind, Specialty
from telemed.facilities.service import parse_phone

SIGN_IN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")
LONGEST_NAME = 80
LONGEST_TITLE = 40


@dataclass(frozen=True)
class PersonDetails:
    """An account as an administrator fills it in."""

    full_name: str
    roles: frozenset[Role]
    facility_uid: str
    department_id: int | None = None
    specialty_codes: frozenset[str] = frozenset()
    title: str = ""
    licence_number: str = ""
    phone: str = ""


@dataclass
class CheckedDetails:
    """The same, resolved against places and specialties."""

    full_name: str = ""
    sign_in_name: str = ""
    title: str = ""
    licence_number: str = ""
    phone: str = ""
    facility_id: int | None = None
    department_id: int | None = None
    specialty_ids: frozenset[int] = frozenset()
    problems: list[FieldError] = field(default_factory=list)

    def refuse(self, name: str, code: str, message: str, **params: int) -> None:
        """Note what is wrong with a field."""
        self.problems.append(FieldError(name, code, message, params))


def check_sign_in_name(text: str) -> str:
    """A sign-in name in its one form. Raises Invalid."""
    name = text.strip().lower()
    if not SIGN_IN_NAME.fullmatch(name):
        raise Invalid(
            "sign_in_name_malformed",
            N_("Tên đăng nhập gồm 3 đến 40 chữ thường không dấu, chữ số, dấu chấm hoặc gạch"),
            field="sign_in_name",
        )
    return name


async def check_details(
    work: UnitOfWork, details: PersonDetails, *, sign_in_name: str | None = None
) -> CheckedDetails:
    """Everything that is wrong at once. Raises Invalid with every field, in the order of the form."""
    checked = CheckedDetails()
    _check_name(details, checked)
    if sign_in_name is not None:
        try:
            checked.sign_in_name = check_sign_in_name(sign_in_name)
        except Invalid as refused:
            checked.problems.extend(refused.fields)
    _check_texts(details, checked)
    if not details.roles:
        checked.refuse("roles", "roles_missing", N_("Chọn ít nhất một vai trò"))
    facility = await _check_facility(work, details, checked)
    if facility is not None:
        await _check_department(work, details, facility, checked)
    await _check_specialties(work, details, checked)
    if checked.problems:
        raise Invalid.of(checked.problems)
    return checked


def _check_name(details: PersonDetails, checked: CheckedDetails) -> None:
    checked.full_name = clean_line(details.full_name)
    if not checked.full_name:
        checked.refuse("full_name", "name_missing", N_("Ghi họ và tên"))
    checked.problems += too_long("full_name", checked.full_name, LONGEST_NAME)


def _check_texts(details: PersonDetails, checked: CheckedDetails) -> None:
    checked.title = clean_line(details.title)
    checked.licence_number = clean_line(details.licence_number)
    checked.problems += too_long("title", checked.title, LONGEST_TITLE)
    checked.problems += too_long("licence_number", checked.licence_number, LONGEST_TITLE)
    try:
        checked.phone = parse_phone(details.phone)
    except Invalid as refused:
        checked.problems.extend(refused.fields)


async def _check_facility(
    work: UnitOfWork, details: PersonDetails, checked: CheckedDetails
) -> Facility | None:
    query = select(Facility).where(
        col(Facility.uid) == details.facility_uid, col(Facility.is_active)
    )
    facility = (await work.session.exec(query)).one_or_none()
    if facility is None:
        checked.refuse("facility", "facility_missing", N_("Chọn nơi làm việc"))
        return None
    checked.facility_id = facility.id
    if Role.COMMUNE_DOCTOR in details.roles and facility.kind is not FacilityKind.STATION:
        checked.refuse(
            "facility", "station_needed", N_("Bác sĩ trạm y tế phải làm việc ở một trạm y tế")
        )
    if Role.SPECIALIST in details.roles and facility.kind is not FacilityKind.HOSPITAL:
        checked.refuse(
            "facility", "hospital_needed", N_("Bác sĩ chuyên khoa phải làm việc ở bệnh viện")
        )
    return facility


async def _check_department(
    work: UnitOfWork, details: PersonDetails, facility: Facility, checked: CheckedDetails
) -> None:
    if details.department_id is None:
        return
    department = await work.session.get(Department, details.department_id)
    if department is None or department.facility_id != facility.id:
        checked.refuse(
            "department", "department_elsewhere", N_("Chọn khoa, phòng của nơi làm việc")
        )
        return
    checked.department_id = department.id


async def _check_specialties(
    work: UnitOfWork, details: PersonDetails, checked: CheckedDetails
) -> None:
    if Role.SPECIALIST not in details.roles:
        return
    query = select(Specialty).where(col(Specialty.code).in_(details.specialty_codes))
    found = (await work.session.exec(query)).all()
    if not found or len(found) != len(details.specialty_codes):
        checked.refuse(
            "specialties",
            "specialties_missing",
            N_("Chọn ít nhất một chuyên khoa có trong danh mục"),
        )
    checked.specialty_ids = frozenset(specialty.id or 0 for specialty in found)
