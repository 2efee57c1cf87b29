"""Transfer packages through pages that work without scripts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import unescape

import pytest
from sqlmodel import select

from telemed.accounts.permissions import GRANTS, Action, Actor, Role
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.models import TransferLog
from telemed.training.packages.models import PackageTechnique, TransferPackage
from telemed.training.techniques.rules import Entry
from telemed.training.techniques.service import import_entries
from tests.conftest import Client
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]
Form = dict[str, str | list[str]]


def faults(page: str) -> dict[str, str]:
    """Field to sentence of the summary of a page."""
    return {
        field: unescape(text) for field, text in re.findall(r'href="#f-([\w-]+)">([^<]+)</a>', page)
    }


def values_of(page: str, name: str) -> list[str]:
    return [
        unescape(each)
        for each in re.findall(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    ]


async def packages(database: Database) -> list[TransferPackage]:
    async with database.read() as work:
        return list(await work.session.exec(select(TransferPackage)))


@dataclass
class Office:
    """A coordinator's browser and a package to record."""

    browser: Client
    station: Facility
    form: Form

    async def write(self, **changes: str | list[str]) -> str:
        saved = await self.browser.post("/training/packages/new", data=self.form | changes)
        assert saved.status == 200
        return saved.url.path


@pytest.fixture
async def office(make: Factory, signed_in: SignIn) -> Office:
    hospital = await make.hospital()
    station = await make.facility(name="Trạm Y tế Nà Tấu")
    browser = await signed_in(await make.actor(Role.COORDINATOR))
    form: Form = {
        "title": "Siêu âm cơ bản 2026",
        "number": "09/HĐCG",
        "signed_on": "20/10/2026",
        "starts_on": "01/11/2026",
        "ends_on": "31/10/2027",
        "provider": hospital.code,
        "provider_representative": "BS Lò Văn A",
        "stations": [station.code],
        "receiver_representative": "BS Cà Thị B",
        "survey": "Có máy <b>xách tay</b>",
        "outline": "Mỗi tháng một tuần",
        "code": ["18.1", "", "18.20"],
        "name": ["Siêu âm ổ bụng", "", "Siêu âm tim"],
        "observed": ["5", "", "4"],
        "assisted": ["3", "", ""],
        "supervised": ["2", "", ""],
        "performed": ["10", "", ""],
        "revision": "0",
    }
    return Office(browser, station, form)


async def test_a_package_is_recorded_shown_printed_and_listed(office: Office) -> None:
    path = await office.write()
    assert re.fullmatch(r"/training/packages/[\w-]{22}", path)
    for place in (path, f"{path}/print"):
        page = await (await office.browser.get(place)).text()
        for words in ("Siêu âm cơ bản 2026", "09/HĐCG", "Trạm Y tế Nà Tấu", "BS Cà Thị B"):
            assert words in page
        assert "Có máy &lt;b&gt;xách tay&lt;/b&gt;" in page
        assert page.index("Siêu âm ổ bụng") < page.index("Siêu âm tim")
        assert "Tự làm có giám sát" in page
    listed = await (await office.browser.get("/training/packages")).text()
    assert f'href="{path}"' in listed
    for state in ("to_come", "over"):
        other = await (await office.browser.get(f"/training/packages?state={state}")).text()
        assert path not in other
    sessions = await (await office.browser.get("/training/sessions")).text()
    assert 'href="/training/packages"' in sessions


async def test_an_empty_form_offers_rows_and_more_of_them(office: Office) -> None:
    page = await (await office.browser.get("/training/packages/new")).text()
    assert values_of(page, "code") == [""] * 5
    more = await office.browser.post(
        "/training/packages/new", data=office.form | {"act": "more", "signed_on": "mai"}
    )
    page = await more.text()
    assert more.status == 200
    assert faults(page) == {}
    assert values_of(page, "code") == ["18.1", "", "18.20", *[""] * 5]
    assert values_of(page, "signed_on") == ["mai"]
    assert re.search(rf'value="{office.station.code}"[^>]* checked', page)


async def test_a_name_is_taken_from_the_list(
    office: Office, work: UnitOfWork, database: Database
) -> None:
    await import_entries(work, [Entry("18.1", "Siêu âm ổ bụng")])
    await work.commit()
    await office.write(code="18.1", name="", observed="1", assisted="", supervised="", performed="")
    async with database.read() as read:
        (row,) = (await read.session.exec(select(PackageTechnique))).all()
    assert (row.name, row.observed, row.performed) == ("Siêu âm ổ bụng", 1, 0)


LONG = ["1.1", "", "18.20"]


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"title": ""}, "title", "Ghi tên gói"),
        ({"title": "a" * 201}, "title", "Ghi nhiều nhất 200 ký tự – đang là 201"),
        ({"number": ""}, "number", "Ghi số hợp đồng"),
        ({"number": "a" * 61}, "number", "Ghi nhiều nhất 60 ký tự – đang là 61"),
        ({"signed_on": ""}, "signed_on", "Chưa ghi mục này"),
        ({"signed_on": "01/11/2027"}, "signed_on", "Ngày ký không được sau ngày hết hạn"),
        ({"starts_on": "31/02/2026"}, "starts_on", "Ngày ghi như 29/11/2026"),
        ({"ends_on": "31/10/2026"}, "ends_on", "Ngày hết hạn phải từ ngày bắt đầu trở đi"),
        ({"ends_on": "02/11/2029"}, "ends_on", "Hợp đồng dài nhất 3 năm"),
        ({"ends_on": "01/01/2101"}, "ends_on", "Năm phải từ 1900 đến 2100"),
        ({"provider": "nowhere"}, "provider", "Chọn bệnh viện chuyển giao"),
        ({"provider": ""}, "provider", "Chọn bệnh viện chuyển giao"),
        (
            {"provider_representative": ""},
            "provider_representative",
            "Ghi họ tên và chức vụ người đại diện",
        ),
        (
            {"receiver_representative": ""},
            "receiver_representative",
            "Ghi họ tên và chức vụ người đại diện",
        ),
        ({"stations": []}, "stations", "Chọn ít nhất một trạm"),
        ({"stations": ["nowhere"]}, "stations", "Chọn trạm trong danh sách"),
        ({"survey": "a" * 5001}, "survey", "Ghi nhiều nhất 5000 ký tự – đang là 5001"),
        ({"outline": "a" * 10_001}, "outline", "Ghi nhiều nhất 10000 ký tự – đang là 10001"),
        ({"outline": "a" * 40_001}, "outline", "Dài quá 40000 ký tự"),
        (
            {"code": ["18.1", "", "29.1"]},
            "code-2",
            "Kỹ thuật 3: mã phải như 18.2 hoặc BS_2.114",
        ),
        ({"code": ["18.1", "", "18.1"]}, "code-2", "Kỹ thuật 3: mã 18.1 đã có ở trên"),
        ({"code": ["18.1", "", "a" * 2001]}, "code-2", "Dài quá 2000 ký tự"),
        (
            {"name": ["", "", "Siêu âm tim"]},
            "name-0",
            "Kỹ thuật 1: ghi tên; mã này không có trong danh mục",
        ),
        (
            {"observed": ["5", "", "201"]},
            "observed-2",
            "Kỹ thuật 3: chỉ tiêu là số từ 0 đến 200",
        ),
        (
            {"observed": ["5", "", "0"]},
            "observed-2",
            "Kỹ thuật 3: ghi chỉ tiêu cho ít nhất một mức",
        ),
        ({"performed": ["-1", "", ""]}, "performed-0", "Kỹ thuật 1: chỉ tiêu là số từ 0 đến 200"),
        ({"code": ["1.1"] * 51}, "code", "Nhiều quá 50 mục"),
        ({"revision": "x"}, "revision", "Phải là số nguyên"),
        ({"act": "other"}, "act", "Chọn một trong các giá trị có sẵn"),
        ({"surprise": "1"}, "surprise", "Mục này không được nhận"),
    ],
)
async def test_a_wrong_package_is_shown_again_as_it_was_typed(
    office: Office,
    database: Database,
    changes: dict[str, str | list[str]],
    field: str,
    sentence: str,
) -> None:
    form = office.form | changes
    refused = await office.browser.post("/training/packages/new", data=form)
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {field: sentence}
    for name in ("title", "number", "signed_on", "ends_on", "provider_representative"):
        assert values_of(page, name) == [form[name]]
    assert "Có máy &lt;b&gt;xách tay&lt;/b&gt;" in page or "survey" in changes
    typed = form["observed"]
    assert values_of(page, "observed")[:3] == typed
    assert await packages(database) == []


async def test_nothing_typed_names_every_field(office: Office) -> None:
    refused = await office.browser.post("/training/packages/new", data={"title": "a"})
    assert list(faults(await refused.text())) == ["signed_on", "starts_on", "ends_on"]


async def test_techniques_that_are_missing_are_said_at_the_first_row(office: Office) -> None:
    blank = {name: ["", ""] for name in ("code", "name", "observed")}
    blank |= {name: ["", ""] for name in ("assisted", "supervised", "performed")}
    refused = await office.browser.post("/training/packages/new", data=office.form | blank)
    assert faults(await refused.text()) == {"code-0": "Ghi ít nhất một kỹ thuật với chỉ tiêu"}


async def test_odd_characters_are_refused_by_their_field(office: Office) -> None:
    for act in ("save", "more"):
        form = office.form | {"title": "a\0", "act": act}
        refused = await office.browser.post("/training/packages/new", data=form)
        assert (refused.status, list(faults(await refused.text()))) == (422, ["title"])


async def test_a_number_that_is_known_is_said_at_its_field(office: Office) -> None:
    await office.write()
    refused = await office.browser.post("/training/packages/new", data=office.form)
    page = await refused.text()
    assert (refused.status, faults(page)) == (409, {"number": "Số hợp đồng này đã có"})
    assert values_of(page, "code")[:3] == ["18.1", "", "18.20"]
    other = await office.write(number="10/HĐCG")
    taken = await office.browser.post(f"{other}/edit", data=office.form | {"revision": "1"})
    assert (taken.status, list(faults(await taken.text()))) == (409, ["number"])


async def test_a_package_is_changed_and_a_stale_change_is_told(
    office: Office, database: Database
) -> None:
    path = await office.write()
    page = await (await office.browser.get(f"{path}/edit")).text()
    assert values_of(page, "code") == ["18.1", "18.20", "", "", ""]
    assert values_of(page, "ends_on") == ["31/10/2027"]
    (revision,) = values_of(page, "revision")
    form = office.form | {"revision": revision, "title": "Siêu âm 2026"}
    assert (await office.browser.post(f"{path}/edit", data=form)).url.path == path
    # What else is wrong does not make an old page a new one.
    for changes in ({"number": ""}, {}):
        stale = await office.browser.post(f"{path}/edit", data=form | {"title": "Bản cũ"} | changes)
        page = await stale.text()
        assert stale.status == 422
    assert list(faults(page)) == ["revision"]
    assert values_of(page, "title") == ["Bản cũ"]
    (row,) = await packages(database)
    assert row.title == "Siêu âm 2026"
    form |= {"title": "Bản cũ", "revision": values_of(page, "revision")}
    assert (await office.browser.post(f"{path}/edit", data=form)).status == 200
    (row,) = await packages(database)
    assert row.title == "Bản cũ"


async def test_a_package_is_ended_with_a_reason(office: Office) -> None:
    path = await office.write()
    for form, field in (
        ({"ended_on": "23/11/2026", "reason": ""}, "reason"),
        ({"ended_on": "01/11/2027", "reason": "Máy hỏng"}, "ended_on"),
        ({"ended_on": "mai", "reason": "Máy hỏng"}, "ended_on"),
    ):
        refused = await office.browser.post(f"{path}/end", data=form)
        page = await refused.text()
        assert (refused.status, list(faults(page))) == (422, [field])
        assert values_of(page, "ended_on") == [form["ended_on"]]
    form = {"ended_on": "22/11/2026", "reason": "Máy hỏng"}
    page = await (await office.browser.post(f"{path}/end", data=form)).text()
    assert "Máy hỏng" in page
    assert "Đã hết" in page
    assert "/edit" not in page
    assert (await office.browser.post(f"{path}/end", data=form)).status == 409
    listed = await (await office.browser.get("/training/packages?state=over")).text()
    assert path in listed


# --- sessions --------------------------------------------------------------------------------


async def test_a_session_is_logged_under_a_running_package(
    office: Office, make: Factory, signed_in: SignIn, database: Database
) -> None:
    path = await office.write()
    await office.write(number="1/HĐ", title="Gói năm sau", starts_on="01/12/2026")
    (package, later) = await packages(database)
    teacher = await make.actor(Role.ROTATED_DOCTOR, posted_to=office.station)
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=office.station)
    browser = await signed_in(teacher)
    page = await (await browser.get(f"/training/sessions/new?package={package.id}")).text()
    assert f'<option value="{package.id}" selected>09/HĐCG – Siêu âm cơ bản 2026</option>' in page
    assert "Gói năm sau" not in page
    form: Form = {
        "station": str(office.station.id),
        "technique_name": "Siêu âm tim",
        "type": "hands_on",
        "place": "on_site",
        "day": "20/11/2026",
        "start": "08:00",
        "end": "10:30",
        "trainers": [str(teacher.id)],
        "trainees": [str(trainee.id)],
        "package": str(later.id),
    }
    refused = await browser.post("/training/sessions/new", data=form)
    assert faults(await refused.text()) == {"package": "Chọn gói của trạm còn hạn vào ngày dạy"}
    for odd in ("x", "0", str(2**31)):
        answer = await browser.post("/training/sessions/new", data=form | {"package": odd})
        assert (answer.status, list(faults(await answer.text()))) == (422, ["package"])
    saved = await browser.post("/training/sessions/new", data=form | {"package": str(package.id)})
    assert "09/HĐCG – Siêu âm cơ bản 2026" in await saved.text()
    again = await (await browser.get(f"{saved.url.path}/edit")).text()
    assert f'<option value="{package.id}" selected>' in again
    async with database.read() as read:
        (log,) = (await read.session.exec(select(TransferLog))).all()
    assert log.package_id == package.id
    shown = await (await office.browser.get(path)).text()
    assert "/edit" not in shown
    changed = await office.browser.post(f"{path}/edit", data=office.form | {"revision": "1"})
    assert changed.status == 409
    assert (await office.browser.get(f"{path}/edit")).url.path == path


# --- roles and routes ------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
async def test_each_role_comes_as_far_as_it_may(
    office: Office, make: Factory, signed_in: SignIn, role: Role
) -> None:
    path = await office.write()
    browser = await signed_in(await make.actor(role))
    reads = 200 if role in GRANTS[Action.PACKAGE_READ] else 403
    writes = role in GRANTS[Action.PACKAGE_WRITE]
    for place in ("/training/packages", path, f"{path}/print"):
        assert (await browser.get(place)).status == reads
    for place in ("/training/packages/new", f"{path}/edit"):
        assert (await browser.get(place)).status == (200 if writes else 403)
    for place in ("/training/packages/new", f"{path}/edit", f"{path}/end"):
        assert (await browser.post(place, data={})).status == (422 if writes else 403)
    page = await (await browser.get(path)).text()
    assert (f"{path}/edit" in page) == writes
    assert (f"{path}/end" in page) == writes


@pytest.mark.parametrize("end", ["", "/print", "/edit"])
async def test_an_unknown_package_is_not_found(office: Office, end: str) -> None:
    unknown = "/training/packages/" + "x" * 22
    assert (await office.browser.get(unknown + end)).status == 404


@pytest.mark.parametrize("query", ["state=odd", "state=running&state=over", "x=1"])
async def test_an_odd_question_is_refused_by_its_field(office: Office, query: str) -> None:
    headers = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
    answer = await office.browser.get(f"/training/packages?{query}", headers=headers)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [query.partition("=")[0]]
