"""Places: the province as it is seeded, what may be looked up, what may be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.accounts.permissions import Role
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Invalid, Missing
from telemed.facilities.models import CommuneKind, FacilityKind
from telemed.facilities.service import (
    add_department,
    add_specialty,
    change_facility,
    find_specialty,
    get_facility,
    get_facility_by_uid,
    get_specialty,
    list_communes,
    list_departments,
    list_facilities,
    list_specialties,
    list_stations,
    parse_phone,
    rename_department,
    rename_specialty,
    seed_province,
)
from tests.factories import Factory


async def test_seed_gives_45_communes_and_a_station_for_each(work: UnitOfWork) -> None:
    await seed_province(work)

    communes = {commune.code: commune for commune in await list_communes(work)}
    stations = await list_stations(work)
    assert len(communes) == 45
    assert {station.commune_code for station in stations} == set(communes)
    assert communes["03127"].name == "Điện Biên Phủ"
    assert communes["03127"].kind is CommuneKind.WARD


async def test_seed_names_stations_by_the_kind_of_their_commune(work: UnitOfWork) -> None:
    await seed_province(work)

    names = {station.commune_code: station.name for station in await list_stations(work)}
    assert names["03127"] == "Trạm Y tế phường Điện Biên Phủ"
    assert names["03158"] == "Trạm Y tế xã Sín Thầu"


async def test_seed_gives_one_hospital_with_departments_and_the_department_of_health(
    work: UnitOfWork,
) -> None:
    await seed_province(work)

    hospitals = await list_facilities(work, FacilityKind.HOSPITAL)
    health = await list_facilities(work, FacilityKind.DEPARTMENT_OF_HEALTH)
    departments = await list_departments(work, hospitals[0].id)
    assert [place.name for place in hospitals] == ["Bệnh viện Đa khoa tỉnh Điện Biên"]
    assert [place.name for place in health] == ["Sở Y tế tỉnh Điện Biên"]
    assert "Khoa Nhi" in [department.name for department in departments]


async def test_seed_gives_specialties_in_the_order_of_choice(work: UnitOfWork) -> None:
    await seed_province(work)

    specialties = await list_specialties(work)
    assert specialties[0].code == "internal"
    assert {"paediatrics", "critical_care", "imaging"} <= {s.code for s in specialties}
    assert [s.sort_order for s in specialties] == sorted(s.sort_order for s in specialties)


async def test_seed_again_adds_nothing_and_keeps_what_was_changed(database: Database) -> None:
    async with database.work() as work:
        await seed_province(work)
        actor = await Factory(work).actor(Role.ADMINISTRATOR)
        station = (await list_stations(work))[0]
        before = len(await list_facilities(work, with_closed=True))
        await change_facility(
            work, actor, station.uid, name="Trạm mới", phone="02153 825 099", is_active=False
        )

    async with database.work() as work:
        await seed_province(work)
        again = await get_facility_by_uid(work, station.uid)
        assert (again.name, again.phone, again.is_active) == ("Trạm mới", "02153825099", False)
        assert len(await list_facilities(work, with_closed=True)) == before
        assert len(await list_communes(work)) == 45


async def test_list_stations_leaves_closed_ones_out(work: UnitOfWork, make: Factory) -> None:
    closed = await make.facility(is_active=False)
    kept = await make.facility()

    assert [station.id for station in await list_stations(work)] == [kept.id]
    both = await list_facilities(work, with_closed=True)
    assert {place.id for place in both} == {closed.id, kept.id}


async def test_list_facilities_sorts_as_a_vietnamese_dictionary(
    work: UnitOfWork, make: Factory
) -> None:
    for name in ("Trạm Đà", "Trạm Én", "Trạm Da"):
        await make.facility(name=name)

    stations = await list_stations(work)
    assert [station.name for station in stations] == ["Trạm Da", "Trạm Đà", "Trạm Én"]


async def test_unknown_places_are_missing(work: UnitOfWork) -> None:
    with pytest.raises(Missing):
        await get_facility(work, 999)
    with pytest.raises(Missing):
        await get_facility_by_uid(work, "x" * 22)
    with pytest.raises(Missing):
        await get_specialty(work, 999)


async def test_get_gives_the_row_of_a_key(work: UnitOfWork, make: Factory) -> None:
    place, specialty = await make.facility(), await make.specialty()
    assert place.id
    assert specialty.id

    assert await get_facility(work, place.id) is place
    assert await get_specialty(work, specialty.id) is specialty


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_only_an_administrator_changes_places(
    work: UnitOfWork, make: Factory, role: Role
) -> None:
    actor, station = await make.actor(role), await make.facility()

    with pytest.raises(Denied):
        await change_facility(work, actor, station.uid, name="Khác", phone="", is_active=True)
    with pytest.raises(Denied):
        await add_department(work, actor, station.uid, "Khoa Nội")
    with pytest.raises(Denied):
        await add_specialty(work, actor, code="oncology", name="Ung bướu")


async def test_change_facility_without_a_name_names_the_field(
    work: UnitOfWork, make: Factory
) -> None:
    actor, station = await make.actor(Role.ADMINISTRATOR), await make.facility()

    with pytest.raises(Invalid) as refused:
        await change_facility(work, actor, station.uid, name="  ", phone="", is_active=True)
    assert [field.field for field in refused.value.fields] == ["name"]


async def test_departments_of_one_facility_have_different_names(
    work: UnitOfWork, make: Factory
) -> None:
    actor, hospital = await make.actor(Role.ADMINISTRATOR), await make.hospital()
    await add_department(work, actor, hospital.uid, "Khoa Nội")

    with pytest.raises(Invalid) as refused:
        await add_department(work, actor, hospital.uid, "khoa  noi")
    assert refused.value.code == "department_exists"


async def test_rename_department_keeps_to_its_facility(work: UnitOfWork, make: Factory) -> None:
    actor, hospital = await make.actor(Role.ADMINISTRATOR), await make.hospital()
    elsewhere = await make.facility()
    department = await add_department(work, actor, hospital.uid, "Khoa Nội")
    assert department.id

    renamed = await rename_department(work, actor, hospital.uid, department.id, "Khoa Nội A")
    assert renamed.name == "Khoa Nội A"
    with pytest.raises(Missing):
        await rename_department(work, actor, elsewhere.uid, department.id, "Khoa Ngoại")


async def test_a_new_specialty_comes_last_and_its_code_is_unique(
    work: UnitOfWork, make: Factory
) -> None:
    actor = await make.actor(Role.ADMINISTRATOR)
    await seed_province(work)

    added = await add_specialty(work, actor, code="oncology", name="Ung bướu")
    assert (await list_specialties(work))[-1].id == added.id
    with pytest.raises(Invalid):
        await add_specialty(work, actor, code="oncology", name="Ung bướu")
    with pytest.raises(Invalid):
        await add_specialty(work, actor, code="Ung bướu", name="Ung bướu")


async def test_rename_specialty_keeps_its_code(work: UnitOfWork, make: Factory) -> None:
    actor = await make.actor(Role.ADMINISTRATOR)
    await make.specialty("internal")

    await rename_specialty(work, actor, "internal", "Nội khoa")
    specialty = await find_specialty(work, "internal")
    assert specialty
    assert specialty.name == "Nội khoa"
    with pytest.raises(Missing):
        await rename_specialty(work, actor, "unknown", "Nội khoa")


@given(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True), st.sampled_from([" ", ".", "-"]))
def test_parse_phone_drops_what_separates_digits(digits: str, mark: str) -> None:
    assert parse_phone(f"{digits[:2]}{mark}{digits[2:]}") == digits


@pytest.mark.parametrize("text", ["12", "1" * 16, "02153 abc", "++84912", "09+12345", "٠٩١٢٣"])
def test_parse_phone_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(Invalid):
        parse_phone(text)
