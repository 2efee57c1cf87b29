import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.core.errors import Denied, Missing
from telemed.facilities.models import Facility, FacilityKind
from telemed.patients import repository, service
from telemed.patients.intake import PatientForm
from telemed.patients.models import Patient
from tests.factories import Factory

FORM = PatientForm(
    personal_number="011059000123", full_name="Lò Văn Pánh", sex="male", birth="1959"
)


@pytest.fixture
async def station(make: Factory) -> Facility:
    return await make.facility()


@pytest.fixture
async def doctor(make: Factory, station: Facility) -> Actor:
    return await make.actor(Role.COMMUNE_DOCTOR, at=station)


@pytest.fixture
async def patient(make: Factory, station: Facility, doctor: Actor) -> Patient:
    return await make.patient(
        station,
        by=doctor,
        full_name="Lò Văn Pánh",
        personal_number="011059000123",
        phone="0912345678",
        insurance_number="DT4110110059123",
    )


async def names(work: UnitOfWork, actor: Actor, text: str) -> list[str]:
    return [p.full_name for p in (await service.search(work, actor, text)).patients]


# --- who sees whom ---------------------------------------------------------------------------


async def test_only_the_own_station_reads_and_writes_a_patient(
    work: UnitOfWork, patient: Patient, doctor: Actor, make: Factory
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    for uid in (patient.uid, "unknown"):
        with pytest.raises(Missing) as refused:
            await service.get_patient(work, stranger, uid)
        assert (refused.value.code, refused.value.params) == ("not_found", {})
        with pytest.raises(Missing):
            await service.change(work, stranger, uid, FORM)
    assert (await service.get_patient(work, doctor, patient.uid)) is patient


@pytest.mark.parametrize("role", [Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR])
async def test_other_roles_have_no_patients(
    work: UnitOfWork, patient: Patient, station: Facility, make: Factory, role: Role
) -> None:
    actor = await make.actor(role, at=station)
    with pytest.raises(Denied):
        await service.get_patient(work, actor, patient.uid)
    with pytest.raises(Denied):
        await service.search(work, actor, "")
    with pytest.raises(Denied):
        await service.register(work, actor, FORM)


async def test_a_specialist_has_no_registry(
    work: UnitOfWork, patient: Patient, make: Factory
) -> None:
    specialist = await make.actor(Role.SPECIALIST)
    with pytest.raises(Denied):
        await service.get_patient(work, specialist, patient.uid)
    with pytest.raises(Denied):
        await service.search(work, specialist, "")


async def test_a_rotated_doctor_works_where_they_are_posted(
    work: UnitOfWork, station: Facility, doctor: Actor, make: Factory
) -> None:
    rotated = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
    registered = await service.register(work, rotated, FORM)
    assert isinstance(registered, Patient)
    assert registered.station_id == station.id
    assert await names(work, doctor, "panh") == ["Lò Văn Pánh"]


async def test_a_rotated_doctor_without_a_posting_registers_nobody(
    work: UnitOfWork, make: Factory
) -> None:
    hospital = await make.facility(FacilityKind.HOSPITAL)
    rotated = await make.actor(Role.ROTATED_DOCTOR, at=hospital)
    with pytest.raises(Denied) as refused:
        await service.register(work, rotated, FORM)
    assert refused.value.code == "no_station"
    assert await names(work, rotated, "") == []


# --- search ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Pánh",
        "lo van",
        "pan lo",
        "011 059",
        "0912 345",
        "+84 912",
        "dt411",
        "0110059123",
        "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy|01072021\r\n",
        "",
    ],
)
async def test_search_finds_by_name_number_and_phone(
    work: UnitOfWork, patient: Patient, doctor: Actor, text: str
) -> None:
    assert await names(work, doctor, text) == ["Lò Văn Pánh"]


@pytest.mark.parametrize("text", ["anh", "%", "_", "pánh thị", "059", "lo_van", "x" * 3000])
async def test_search_does_not_find_what_does_not_match(
    work: UnitOfWork, patient: Patient, doctor: Actor, text: str
) -> None:
    assert await names(work, doctor, text) == []


async def test_search_finds_a_temporary_code(
    work: UnitOfWork, patient: Patient, doctor: Actor
) -> None:
    patient.temporary_code = "TT-11202-261123-7QK0"
    assert await names(work, doctor, "tt-11202-261123-7qko") == ["Lò Văn Pánh"]


async def test_search_stays_within_the_own_station(
    work: UnitOfWork, patient: Patient, make: Factory
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    assert await names(work, stranger, "pánh") == []


async def test_search_pages_without_gaps_or_repeats(
    work: UnitOfWork,
    station: Facility,
    doctor: Actor,
    make: Factory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repository, "PAGE_SIZE", 2)
    for _ in range(5):
        await make.patient(station, by=doctor)
    pages = [await service.search(work, doctor, "giang")]
    for _ in range(2):
        pages.append(await service.search(work, doctor, "giang", before=pages[-1].older))
    assert [len(page.patients) for page in pages] == [2, 2, 1]
    ids = [found.id or 0 for page in pages for found in page.patients]
    assert ids == sorted(set(ids), reverse=True)
    assert pages[-1].older == ""
