"""Accounts, places and the audit trail, for those who look after them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonRole
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from tests.factories import Factory
from tests.people import Client, give_password, give_second_factor

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


@pytest.fixture
async def admin(make: Factory) -> Actor:
    """An administrator."""
    return await make.actor(Role.ADMINISTRATOR, full_name="Vàng A Quản")


@pytest.fixture
async def place(make: Factory) -> Facility:
    """A station."""
    return await make.facility(name="Trạm Y tế xã Mường Pồn")


@pytest.fixture
async def doctor(make: Factory, place: Facility) -> Person:
    """A commune doctor of the station."""
    return await make.person(Role.COMMUNE_DOCTOR, at=place, full_name="Điêu Thị Ngân")


@pytest.fixture
async def browser(admin: Actor, doctor: Person, signed_in: SignIn) -> Client:
    """The administrator's browser, once everything above is fact."""
    assert doctor.id
    return await signed_in(admin)


def form_of(place: Facility, **changes: object) -> dict[str, object]:
    """A filled-in form."""
    return {
        "full_name": "Lò Văn Mới",
        "sign_in_name": "bs.moi",
        "roles": ["commune_doctor"],
        "facility": place.uid,
    } | changes


async def records(database: Database, tag: AuditTag) -> list[AuditRecord]:
    """What is on record of one sort."""
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == tag)
        return list((await work.session.exec(query)).all())


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_only_administrators_open_these_pages(
    make: Factory, signed_in: SignIn, role: Role
) -> None:
    browser = await signed_in(await make.actor(role))

    for path in ("/admin/people/new", "/admin/facilities", "/admin/specialties", "/admin/audit"):
        assert (await browser.get(path)).status == 403
    assert (await browser.post("/admin/people", data={})).status == 403


async def test_a_coordinator_sees_accounts_but_changes_none(
    make: Factory, signed_in: SignIn, doctor: Person
) -> None:
    browser = await signed_in(await make.actor(Role.COORDINATOR))
    shown = await browser.get(f"/admin/people/{doctor.uid}")
    text = await shown.text()

    assert shown.status == 200
    assert "/disable" not in text
    assert "/edit" not in text
    assert (await browser.post(f"/admin/people/{doctor.uid}/disable")).status == 403


async def test_people_are_found_without_tone_marks(doctor: Person, browser: Client) -> None:
    found = await (await browser.get("/admin/people", params={"q": "dieu thi"})).text()
    none = await (await browser.get("/admin/people", params={"q": "100%_"})).text()

    assert doctor.full_name in found
    assert found.count('class="item"') == 1
    assert "Không có tài khoản nào khớp" in none


async def test_the_list_goes_on_where_the_page_before_ended(
    make: Factory, signed_in: SignIn, admin: Actor
) -> None:
    for number in range(55):
        await make.person(Role.COMMUNE_DOCTOR, full_name=f"Lò Văn A{number:02}")
    browser = await signed_in(admin)

    first = await (await browser.get("/admin/people?role=commune_doctor")).text()
    more = first.split('href="/admin/people?')[-1].split('"')[0].replace("&amp;", "&")
    second = await (await browser.get(f"/admin/people?{more}")).text()
    assert [first.count("Lò Văn A"), second.count("Lò Văn A")] == [50, 5]
    assert "Lò Văn A49" in first
    assert "Lò Văn A50" in second


async def test_a_new_account_is_on_record_and_its_code_is_not(
    browser: Client, database: Database, place: Facility
) -> None:
    text = await (await browser.post("/admin/people", data=form_of(place))).text()
    code = text.split('data-role="activation-code">')[1].split("<")[0]
    issued = await records(database, AuditTag.ACTIVATION_ISSUE)

    assert len(await records(database, AuditTag.PERSON_CREATE)) == 1
    assert len(issued) == 1
    assert code not in str(issued[0].detail) + issued[0].subject


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"full_name": "  "}, ["full_name"]),
        ({"full_name": "x" * 81}, ["full_name"]),
        ({"sign_in_name": "Bác sĩ"}, ["sign_in_name"]),
        ({"sign_in_name": "ab"}, ["sign_in_name"]),
        ({"roles": []}, ["roles"]),
        ({"roles": ["king"]}, ["roles.0"]),
        ({"roles": ["specialist"]}, ["facility", "specialties"]),
        (
            {"full_name": "", "sign_in_name": "", "title": "x" * 41},
            ["full_name", "sign_in_name", "title"],
        ),
        ({"facility": "x" * 22}, ["facility"]),
        ({"department": 999}, ["department"]),
        ({"department": 2**40}, ["department"]),
        ({"phone": "không có"}, ["phone"]),
        ({"password": "chosen by an administrator"}, ["password"]),
        ({"id": 1}, ["id"]),
    ],
)
async def test_a_bad_account_names_the_field_and_makes_nobody(
    browser: Client,
    database: Database,
    place: Facility,
    changes: dict[str, object],
    fields: list[str],
) -> None:
    response = await browser.post("/admin/people", json=form_of(place, **changes), headers=SCRIPT)

    assert response.status == 422
    assert [item["field"] for item in (await response.json())["fields"]] == fields
    assert await records(database, AuditTag.PERSON_CREATE) == []


async def test_a_bad_form_comes_back_with_what_was_typed(browser: Client, place: Facility) -> None:
    response = await browser.post("/admin/people", data=form_of(place, full_name="", title="YS"))

    text = await response.text()
    assert response.status == 422
    assert "Ghi họ và tên" in text
    assert 'value="bs.moi"' in text
    assert 'value="YS"' in text
    assert f'value="{place.uid}" selected' in text


async def test_a_sign_in_name_is_given_once(browser: Client, place: Facility) -> None:
    await browser.post("/admin/people", data=form_of(place))
    again = await browser.post("/admin/people", data=form_of(place, sign_in_name="BS.Moi"))

    assert again.status == 422
    assert "đã có người dùng" in await again.text()


async def test_an_edit_over_a_newer_one_is_refused(
    doctor: Person, browser: Client, place: Facility
) -> None:
    url = f"/admin/people/{doctor.uid}/edit"
    form = form_of(place, full_name="Điêu Thị Ngân", title="BSCKI", revision=doctor.revision)
    del form["sign_in_name"]

    assert (await browser.post(url, data=form, allow_redirects=False)).status == 303
    assert (await browser.post(url, data=form, allow_redirects=False)).status == 409


async def test_a_change_of_roles_ends_the_persons_logins(
    doctor: Person, browser: Client, place: Facility, make: Factory, signed_in: SignIn
) -> None:
    theirs = await signed_in(await make.actor_of(doctor))
    form = form_of(place, roles=["commune_doctor", "coordinator"], revision=doctor.revision)
    del form["sign_in_name"]
    await browser.post(f"/admin/people/{doctor.uid}/edit", data=form)

    assert (await theirs.get("/account", allow_redirects=False)).status == 303


async def test_a_correction_of_a_name_ends_no_login(
    doctor: Person, browser: Client, place: Facility, make: Factory, signed_in: SignIn
) -> None:
    theirs = await signed_in(await make.actor_of(doctor))
    form = form_of(place, full_name="Điêu Thị Ngần", revision=doctor.revision)
    del form["sign_in_name"]
    await browser.post(f"/admin/people/{doctor.uid}/edit", data=form)

    assert "Điêu Thị Ngần" in await (await theirs.get("/account")).text()


async def test_disabling_acts_at_once_and_enabling_asks_to_sign_in_again(
    doctor: Person, browser: Client, make: Factory, signed_in: SignIn
) -> None:
    theirs = await signed_in(await make.actor_of(doctor))
    await browser.post(f"/admin/people/{doctor.uid}/disable")
    closed = await theirs.get("/account", allow_redirects=False)
    await browser.post(f"/admin/people/{doctor.uid}/enable")
    opened = await theirs.get("/account", allow_redirects=False)

    assert [closed.status, opened.status] == [303, 303]
    assert "Chưa kích hoạt" in await (await browser.get(f"/admin/people/{doctor.uid}")).text()


async def test_a_second_factor_is_reset_on_record_and_ends_the_logins(
    doctor: Person,
    browser: Client,
    make: Factory,
    signed_in: SignIn,
    accounts: Accounts,
) -> None:
    none = await browser.post(f"/admin/people/{doctor.uid}/second-factor/reset")
    async with accounts.database.work() as work:
        await give_password(work, accounts, doctor)
        await give_second_factor(work, accounts, doctor)
    theirs = await signed_in(await make.actor_of(doctor))
    await browser.post(f"/admin/people/{doctor.uid}/second-factor/reset")

    assert none.status == 409
    assert (await theirs.get("/account", allow_redirects=False)).status == 303
    assert len(await records(accounts.database, AuditTag.SECOND_FACTOR_RESET)) == 1


async def test_a_person_is_signed_out_everywhere(
    doctor: Person, browser: Client, make: Factory, signed_in: SignIn
) -> None:
    theirs = await signed_in(await make.actor_of(doctor))
    await browser.post(f"/admin/people/{doctor.uid}/logins/end")

    assert (await theirs.get("/account", allow_redirects=False)).status == 303


@pytest.mark.parametrize("act", ["disable", "enable", "code", "second-factor/reset", "logins/end"])
async def test_an_administrator_does_nothing_of_this_to_the_own_account(
    admin: Actor, browser: Client, act: str
) -> None:
    assert (await browser.post(f"/admin/people/{admin.uid}/{act}")).status == 409
    assert "/disable" not in await (await browser.get(f"/admin/people/{admin.uid}")).text()


async def test_nobody_changes_the_own_roles(
    admin: Actor, browser: Client, database: Database, place: Facility
) -> None:
    form = form_of(place, roles=["administrator", "trainer"], revision=1)
    del form["sign_in_name"]
    refused = await browser.post(f"/admin/people/{admin.uid}/edit", data=form)

    assert refused.status == 409
    async with database.read() as work:
        query = select(col(PersonRole.role)).where(col(PersonRole.person_id) == admin.id)
        assert (await work.session.exec(query)).all() == [Role.ADMINISTRATOR]


async def test_unknown_people_are_missing(browser: Client) -> None:
    unknown = f"/admin/people/{'x' * 22}"

    assert (await browser.get(unknown)).status == 404
    assert (await browser.post(f"{unknown}/disable")).status == 404


async def test_a_station_gets_a_phone(browser: Client, place: Facility) -> None:
    url = f"/admin/facilities/{place.uid}"
    shown = await browser.get(url)
    form = {"name": place.name, "phone": "0215 382 5099", "is_active": "on"}
    saved = await browser.post(url, data=form, allow_redirects=False)

    assert shown.status == 200
    assert saved.headers["Location"] == "/admin/facilities"
    assert "02153825099" in await (await browser.get("/admin/facilities")).text()


async def test_a_bad_phone_comes_back_as_typed(browser: Client, place: Facility) -> None:
    form = {"name": place.name, "phone": "gọi chị Hoa"}
    response = await browser.post(f"/admin/facilities/{place.uid}", data=form)

    assert response.status == 422
    assert 'value="gọi chị Hoa"' in await response.text()


async def test_departments_are_added_and_renamed(browser: Client, place: Facility) -> None:
    url = f"/admin/facilities/{place.uid}"
    await browser.post(f"{url}/departments", data={"department_name": "Phòng khám"})
    twice = await browser.post(f"{url}/departments", data={"department_name": "phong kham"})
    text = await (await browser.get(url)).text()
    number = text.split('name="department" value="')[1].split('"')[0]
    form = {"department": number, "department_name": "Phòng khám chung"}
    renamed = await (await browser.post(f"{url}/departments", data=form)).text()

    assert twice.status == 422
    assert place.name in await twice.text()
    assert 'value="Phòng khám chung"' in renamed


async def test_specialties_are_added_and_renamed(browser: Client) -> None:
    added = await browser.post("/admin/specialties", data={"code": "oncology", "name": "U bướu"})
    twice = await browser.post("/admin/specialties", data={"code": "oncology", "name": "U bướu"})
    form = {"code": "oncology", "name": "Ung bướu"}
    renamed = await (await browser.post("/admin/specialties/rename", data=form)).text()

    assert [added.status, twice.status] == [200, 422]
    assert 'value="Ung bướu"' in renamed


async def test_reading_the_trail_is_on_record(browser: Client, database: Database) -> None:
    await browser.get("/admin/audit", params={"patient": "7", "tag": "patient:read"})

    reads = await records(database, AuditTag.AUDIT_READ)
    assert [read.patient_id for read in reads] == [7]
    assert reads[0].detail["only"] == "patient:read"


async def test_the_trail_is_filtered_by_person_patient_and_act(
    work: UnitOfWork, make: Factory, admin: Actor, signed_in: SignIn
) -> None:
    doctor = await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.ngan")
    actor = await make.actor_of(doctor)
    patient = await make.patient(by=actor)
    subject = f"patient:{patient.uid}"
    work.audit(AuditTag.PATIENT_READ, actor, subject, patient_id=patient.id)
    work.audit(AuditTag.CONSULT_READ, admin, "consult:abc", patient_id=patient.id)
    work.audit(AuditTag.SIGN_OUT, actor, f"person:{actor.uid}")
    browser = await signed_in(admin)

    async def shown(**query: str) -> list[bool]:
        text = await (await browser.get("/admin/audit", params=query)).text()
        rows = text.split("<tbody>")[-1]
        return [label in rows for label in (subject, "consult:abc", f"person:{actor.uid}")]

    assert await shown(person="bs.ngan") == [True, False, True]
    assert await shown(person=actor.uid, tag="patient:read") == [True, False, False]
    assert await shown(patient=patient.uid) == [True, True, False]
    assert await shown(patient=str(patient.id), tag="consult:read") == [False, True, False]
    assert await shown(person="nobody") == [False, False, False]
    assert await shown(patient="nobody") == [False, False, False]


async def test_the_trail_goes_back_page_by_page(
    work: UnitOfWork, admin: Actor, signed_in: SignIn
) -> None:
    for number in range(60):
        work.audit(AuditTag.PATIENT_LIST, admin, f"page-test:{number:02}")
    browser = await signed_in(admin)

    first = await (await browser.get("/admin/audit?tag=patient:list")).text()
    older = first.split('href="/admin/audit?')[-1].split('"')[0].replace("&amp;", "&")
    second = await (await browser.get(f"/admin/audit?{older}")).text()
    assert [first.count("page-test:"), second.count("page-test:")] == [50, 10]
    assert "page-test:10" in first
    assert "page-test:09" in second


@pytest.mark.parametrize("query", ["tag=unknown", "before=0", "before=99999999999", "who=me"])
async def test_a_bad_filter_is_refused(browser: Client, query: str) -> None:
    assert (await browser.get(f"/admin/audit?{query}")).status == 422
