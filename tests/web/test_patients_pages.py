"""The registry through a browser without scripts: forms, warnings, refusals, and who may see whom."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from tests.factories import Factory

Client = TestClient[web.Request, web.Application]
SignIn = Callable[[Actor], Awaitable[Client]]

CARD = "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy|01072021\r\n"
PANH = {
    "personal_number": "011059000123",
    "full_name": "Lò Văn Pánh",
    "sex": "male",
    "birth": "12/03/1959",
    "allergy_state": "none",
}


@dataclass
class Station:
    """A station, its doctor, and the doctor's browser."""

    place: Facility
    doctor: Actor
    browser: Client


@pytest.fixture
async def station(make: Factory, signed_in: SignIn) -> Station:
    place = await make.facility()
    doctor = await make.actor(Role.COMMUNE_DOCTOR, at=place)
    return Station(place, doctor, await signed_in(doctor))


async def patients(database: Database) -> list[Patient]:
    async with database.read() as work:
        return list((await work.session.exec(select(Patient))).all())


async def tags(database: Database) -> list[str]:
    async with database.read() as work:
        query = select(AuditRecord.tag).order_by(col(AuditRecord.sequence))
        return [tag for tag in await work.session.exec(query) if tag.startswith("patient:")]


def value_of(page: str, name: str) -> str:
    """What stands in a field of a page."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    assert field
    return field.group(1)


# --- registering -----------------------------------------------------------------------------


async def test_a_patient_is_registered_and_shown(station: Station, database: Database) -> None:
    form = await station.browser.get("/patients/new")
    assert form.status == 200
    saved = await station.browser.post("/patients/new", data=PANH)
    page = await saved.text()
    assert saved.status == 200
    assert re.fullmatch(r"/patients/[\w-]{22}", saved.url.path)
    assert "LÒ VĂN PÁNH" in page
    assert "Máy chủ đã nhận người bệnh mới" in page
    assert "Không dị ứng (hỏi 23/11/2026)" in page
    assert await tags(database) == [AuditTag.PATIENT_CREATE, AuditTag.PATIENT_READ]


async def test_a_card_fills_the_form_without_scripts(station: Station) -> None:
    filled = await station.browser.post("/patients/new/card", data={"qr": CARD})
    page = await filled.text()
    assert filled.status == 200
    assert value_of(page, "personal_number") == "011059000123"
    assert value_of(page, "full_name") == "Lò Văn Pánh"
    assert value_of(page, "birth") == "12/03/1959"
    assert 'value="male" id="f-sex" checked' in page
    assert "Đã điền từ thẻ" in page


async def test_a_card_of_a_known_patient_leads_to_the_record(
    station: Station, database: Database
) -> None:
    await station.browser.post("/patients/new", data=PANH)
    (patient,) = await patients(database)
    page = await (await station.browser.post("/patients/new/card", data={"qr": CARD})).text()
    assert f'<a href="/patients/{patient.uid}">Mở hồ sơ đã có</a>' in page


@pytest.mark.parametrize("qr", ["", "hello", "a|b|c|d|e|f", "x" * 3000])
async def test_what_is_no_card_is_refused_at_its_field(station: Station, qr: str) -> None:
    refused = await station.browser.post("/patients/new/card", data={"qr": qr})
    page = await refused.text()
    assert refused.status == 422
    assert 'href="#f-qr"' in page


async def test_wrong_fields_are_named_and_what_was_typed_stays(
    station: Station, database: Database
) -> None:
    typed = PANH | {"personal_number": "12345", "birth": "31/02/1959", "phone": "12"}
    refused = await station.browser.post("/patients/new", data=typed)
    page = await refused.text()
    assert refused.status == 422
    assert "Chưa lưu được – còn 3 chỗ cần sửa" in page
    assert "Số định danh cá nhân phải có 12 chữ số – đang là 12345" in page
    assert value_of(page, "full_name") == "Lò Văn Pánh"
    assert value_of(page, "personal_number") == "12345"
    assert await patients(database) == []


async def test_markup_in_a_field_is_shown_as_text(station: Station) -> None:
    typed = PANH | {"full_name": '"><script>alert(1)</script>', "personal_number": "1"}
    page = await (await station.browser.post("/patients/new", data=typed)).text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize(
    "odd",
    [
        {"station_id": "1"},
        {"full_name": "a" * 5000},
        {"sex": "other"},
        {"commune_code": "' OR 1=1"},
        {"revision": "x"},
        {"full_name": "Pánh\x00"},
        {"temporary_reason": "bored", "personal_number": ""},
    ],
)
async def test_odd_input_is_refused_and_nothing_is_written(
    station: Station, database: Database, odd: dict[str, str]
) -> None:
    refused = await station.browser.post("/patients/new", data=PANH | odd)
    assert refused.status == 422
    assert await patients(database) == []


async def test_a_body_out_of_all_proportion_is_refused(
    station: Station, database: Database
) -> None:
    refused = await station.browser.post(
        "/patients/new",
        data=BytesIO(b"address=" + b"a" * 2_000_000),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert refused.status == 413
    assert await patients(database) == []


async def test_a_script_gets_the_fields_as_data(station: Station) -> None:
    headers = {"Sec-Fetch-Mode": "cors", "Accept": "application/json", "Accept-Language": "vi"}
    refused = await station.browser.post(
        "/patients/new", data=PANH | {"birth": "2999"}, headers=headers
    )
    assert refused.status == 422
    (field,) = (await refused.json())["fields"]
    assert (field["field"], field["code"]) == ("birth", "birth_in_future")


# --- doubts and duplicates -------------------------------------------------------------------


def confirmation(page: str) -> str:
    button = re.search(r'name="confirmed" value="([^"]+)"', page)
    assert button
    return button.group(1)


async def test_a_doubt_is_asked_once_and_then_saved(station: Station, database: Database) -> None:
    asked = await station.browser.post("/patients/new", data=PANH | {"sex": "female"})
    page = await asked.text()
    assert asked.status == 200
    assert "Số định danh là của nam" in page
    assert "Đã xem lại, vẫn lưu" in page
    assert await patients(database) == []
    again = PANH | {"sex": "female", "confirmed": confirmation(page)}
    await station.browser.post("/patients/new", data=again)
    assert [patient.sex for patient in await patients(database)] == ["female"]


async def test_a_near_duplicate_is_shown_before_a_second_record(
    station: Station, database: Database
) -> None:
    await station.browser.post("/patients/new", data=PANH)
    twin = PANH | {"personal_number": "", "temporary_reason": "no_document"}
    page = await (await station.browser.post("/patients/new", data=twin)).text()
    (first,) = await patients(database)
    assert f"/patients/{first.uid}" in page
    assert "Người khác, vẫn tạo mới" in page
    await station.browser.post("/patients/new", data=twin | {"confirmed": confirmation(page)})
    assert len(await patients(database)) == 2


async def test_the_same_number_leads_to_the_record_that_exists(
    station: Station, database: Database
) -> None:
    for _ in range(2):
        answer = await station.browser.post("/patients/new", data=PANH)
    page = await answer.text()
    assert "Trạm đã có người bệnh mang số này: Lò Văn Pánh." in page
    assert 'name="confirmed"' not in page
    assert len(await patients(database)) == 1


async def test_the_same_form_sent_twice_is_one_patient(
    station: Station, database: Database
) -> None:
    form = await (await station.browser.get("/patients/new")).text()
    typed = PANH | {"idempotency_key": value_of(form, "idempotency_key")}
    answers = [await station.browser.post("/patients/new", data=typed) for _ in range(2)]
    assert {answer.url.path for answer in answers} == {
        f"/patients/{patient.uid}" for patient in await patients(database)
    }


# --- changing --------------------------------------------------------------------------------


@pytest.fixture
async def patient(station: Station, make: Factory, work: UnitOfWork) -> Patient:
    patient = await make.patient(station.place, by=station.doctor, full_name="Quàng Thị Ún")
    await work.commit()
    return patient


async def form_values(browser: Client, patient: Patient) -> dict[str, str]:
    page = await (await browser.get(f"/patients/{patient.uid}/edit")).text()
    names = ("personal_number", "full_name", "birth", "revision")
    return {name: value_of(page, name) for name in names} | {"sex": "female"}


async def test_a_correction_is_saved(
    station: Station, patient: Patient, database: Database
) -> None:
    values = await form_values(station.browser, patient)
    saved = await station.browser.post(
        f"/patients/{patient.uid}/edit", data=values | {"phone": "0912345678"}
    )
    assert "Máy chủ đã nhận phần sửa" in await saved.text()
    assert [stored.phone for stored in await patients(database)] == ["0912345678"]


async def test_a_correction_over_a_newer_one_is_refused_with_what_was_typed(
    station: Station, patient: Patient, database: Database
) -> None:
    values = await form_values(station.browser, patient)
    url = f"/patients/{patient.uid}/edit"
    await station.browser.post(url, data=values | {"phone": "0912345678"})
    refused = await station.browser.post(url, data=values | {"address": "Bản Co Chạy"})
    page = await refused.text()
    assert refused.status == 409
    assert "vừa được người khác đổi" in page
    assert value_of(page, "address") == "Bản Co Chạy"
    assert [stored.address for stored in await patients(database)] == [""]


# --- searching -------------------------------------------------------------------------------


async def test_search_finds_and_goes_on_page_by_page(
    station: Station, make: Factory, work: UnitOfWork
) -> None:
    for number in range(30):
        await make.patient(station.place, by=station.doctor, full_name=f"Vàng A {number}")
    await work.commit()
    first = await (await station.browser.get("/patients", params={"q": "vang"})).text()
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = await (await station.browser.get(older.group(1).replace("&amp;", "&"))).text()
    names = re.findall(r"<b>(Vàng A \d+)</b>", first + second)
    assert len(names) == len(set(names)) == 30
    assert 'rel="next"' not in second


async def test_search_that_finds_nothing_says_so(station: Station) -> None:
    page = await (await station.browser.get("/patients", params={"q": "<b>%_"})).text()
    assert "Trạm chưa có người bệnh nào khớp với" in page
    assert "<b>%_" not in page


# --- who may see whom ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/edit"])
async def test_a_patient_of_another_station_is_like_no_patient(
    patient: Patient, make: Factory, signed_in: SignIn, path: str
) -> None:
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    answers = [await stranger.get(f"/patients/{uid}{path}") for uid in (patient.uid, "x" * 22)]
    pages = [re.sub(r"[0-9a-f]{16}|x{22}", "", await answer.text()) for answer in answers]
    assert [answer.status for answer in answers] == [404, 404]
    assert pages[0].replace(patient.uid, "") == pages[1]
    assert "Quàng Thị Ún" not in pages[0]


async def test_another_station_cannot_change_a_patient(
    patient: Patient, make: Factory, signed_in: SignIn, database: Database
) -> None:
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for path, form in (("edit", PANH), ("consents/withdraw", {"purpose": "consult"})):
        refused = await stranger.post(f"/patients/{patient.uid}/{path}", data=form)
        assert refused.status == 404
    assert [stored.full_name for stored in await patients(database)] == ["Quàng Thị Ún"]


@pytest.mark.parametrize("role", [Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("path", ["/patients", "/patients/new"])
async def test_other_roles_have_no_registry(
    make: Factory, signed_in: SignIn, role: Role, path: str
) -> None:
    browser = await signed_in(await make.actor(role))
    assert (await browser.get(path)).status == 403


@pytest.mark.parametrize("path", ["/patients", "/patients/new"])
async def test_nobody_sees_the_registry_without_signing_in(client: Client, path: str) -> None:
    answer = await client.get(path, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/sign-in")


# --- cases -----------------------------------------------------------------------------------


async def test_the_record_lists_the_cases_of_the_patient(
    station: Station, make: Factory, work: UnitOfWork
) -> None:
    case = await make.case(doctor=station.doctor, reason="Ho, khó thở")
    other = await make.case(doctor=station.doctor)
    await work.commit()
    page = await (await station.browser.get(f"/patients/{case.patient.uid}")).text()
    assert f'href="/consults/{case.consult.uid}"' in page
    assert "Ho, khó thở" in page
    assert other.consult.uid not in page


# --- agreements ------------------------------------------------------------------------------


async def test_an_agreement_is_withdrawn_from_the_record(
    station: Station, make: Factory, work: UnitOfWork
) -> None:
    case = await make.case(doctor=station.doctor)
    for _ in range(2):
        await make.consent(case)
    await work.commit()
    url = f"/patients/{case.patient.uid}"
    page = await (await station.browser.get(url)).text()
    assert page.count(f'href="{url}/consents/consult/withdraw"') == 1
    asked = await (await station.browser.get(f"{url}/consents/consult/withdraw")).text()
    assert "1 ca đang mở dừng ngay" in asked
    assert str(case.consult.number) in asked
    for purpose in ("teaching", "nothing"):
        answer = await station.browser.get(f"{url}/consents/{purpose}/withdraw")
        assert answer.status == (409 if purpose == "teaching" else 404)
    for expected in (200, 409):
        answer = await station.browser.post(f"{url}/consents/withdraw", data={"purpose": "consult"})
        assert answer.status == expected
    page = await (await station.browser.get(url)).text()
    assert "Đã thôi từ 23/11/2026" in page
