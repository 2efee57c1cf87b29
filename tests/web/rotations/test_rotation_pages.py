"""The rotation register through pages that work without scripts."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import openpyxl
import pytest
from aiohttp import FormData
from sqlmodel import select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.rotations.models import Rotation
from tests import pictures
from tests.conftest import Client
from tests.factories import Factory
from tests.web.forms import faults, value_of

SignIn = Callable[[Actor], Awaitable[Client]]


async def rows(database: Database) -> list[Rotation]:
    async with database.read() as work:
        return list((await work.session.exec(select(Rotation))).all())


@dataclass
class Office:
    """A coordinator's browser and a decision to register."""

    browser: Client
    station: Facility
    person: Person
    form: dict[str, str]


@pytest.fixture
async def office(make: Factory, signed_in: SignIn) -> Office:
    station = await make.facility(name="Trạm Y tế Mường Phăng")
    person = await make.person(Role.ROTATED_DOCTOR, full_name="Quàng Thị Ngọc")
    browser = await signed_in(await make.actor(Role.COORDINATOR))
    form = {
        "decision_number": "123/QĐ-SYT",
        "decision_date": "15/11/2026",
        "person": str(person.id),
        "station": str(station.id),
        "starts_on": "20/11/2026",
        "ends_on": "28/02/2027",
        "tasks": "Siêu âm tim cấp cứu",
    }
    return Office(browser, station, person, form)


async def test_a_decision_is_registered_and_stands_on_the_board(office: Office) -> None:
    saved = await office.browser.post("/training/rotations/new", data=office.form)
    page = await saved.text()
    assert saved.status == 200
    for words in ("Đã lưu đợt luân phiên", "123/QĐ-SYT", "15/11/2026", "Quàng Thị Ngọc"):
        assert words in page
    board = await (await office.browser.get("/training/rotations")).text()
    assert "Quàng Thị Ngọc" in board
    assert "Đến 28/02/2027" in board


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"decision_number": ""}, "decision_number", "Chưa ghi mục này"),
        ({"starts_on": "31/02/2026"}, "starts_on", "Ngày ghi như 29/11/2026"),
        ({"starts_on": "01/01/0001"}, "starts_on", "Năm phải từ 1900 đến 2100"),
        ({"ends_on": "19/11/2026"}, "ends_on", "Ngày về phải sau ngày đi"),
        ({"decision_date": "21/11/2026"}, "decision_date", "Quyết định phải có trước ngày đi"),
        ({"person": "999999"}, "person", "Chọn một người trong danh sách"),
        ({"person": str(2**31)}, "person", f"Phải từ {2**31 - 1} trở xuống"),
        ({"station": "999999"}, "station", "Chọn một trạm trong danh sách"),
        ({"specialty": "999999"}, "specialty", "Chọn một trong các giá trị có sẵn"),
        ({"tasks": "a" * 2001}, "tasks", "Dài quá 2000 ký tự"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_the_rest_stays(
    office: Office, database: Database, changes: dict[str, str], field: str, sentence: str
) -> None:
    refused = await office.browser.post("/training/rotations/new", data=office.form | changes)
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {field: sentence}
    assert value_of(page, "decision_number") == (office.form | changes)["decision_number"]
    assert await rows(database) == []


async def test_a_second_place_on_one_day_is_refused_in_the_form(office: Office) -> None:
    await office.browser.post("/training/rotations/new", data=office.form)
    again = office.form | {"decision_number": "124/QĐ-SYT"}
    refused = await office.browser.post("/training/rotations/new", data=again)
    page = await refused.text()
    assert faults(page) == {"starts_on": "Người này đã được cử đi nơi khác trong những ngày đó"}
    assert value_of(page, "decision_number") == "124/QĐ-SYT"


async def test_a_decision_is_corrected_and_a_stale_correction_is_told(
    office: Office, database: Database
) -> None:
    await office.browser.post("/training/rotations/new", data=office.form)
    (rotation,) = await rows(database)
    path = f"/training/rotations/{rotation.uid}/edit"
    page = await (await office.browser.get(path)).text()
    assert value_of(page, "starts_on") == "20/11/2026"
    revision = value_of(page, "revision") or ""
    form = office.form | {"revision": revision, "ends_on": "31/03/2027"}
    assert (await office.browser.post(path, data=form)).status == 200
    stale = await office.browser.post(path, data=form | {"tasks": "Bản cũ"})
    page = await stale.text()
    assert stale.status == 422
    assert list(faults(page)) == ["revision"]
    assert "Bản cũ" in page
    form |= {"revision": value_of(page, "revision") or "", "tasks": "Bản cũ"}
    assert (await office.browser.post(path, data=form)).status == 200
    (rotation,) = await rows(database)
    assert (rotation.tasks, rotation.ends_on.isoformat()) == ("Bản cũ", "2027-03-31")


@pytest.mark.parametrize(
    ("role", "reads"),
    [(Role.COMMUNE_DOCTOR, 200), (Role.TRAINER, 200), (Role.ADMINISTRATOR, 403)],
)
async def test_others_read_the_register_at_most(
    office: Office, make: Factory, signed_in: SignIn, role: Role, reads: int
) -> None:
    browser = await signed_in(await make.actor(role))
    page = await browser.get("/training/rotations")
    assert page.status == reads
    assert "/training/rotations/new" not in await page.text()
    assert (await browser.get("/training/rotations/new")).status == 403
    assert (await browser.post("/training/rotations/new", data=office.form)).status == 403


# --- one rotation ----------------------------------------------------------------------------


@pytest.fixture
async def path(office: Office, database: Database) -> str:
    """The page of a rotation that has begun four days ago."""
    await office.browser.post("/training/rotations/new", data=office.form)
    (rotation,) = await rows(database)
    return f"/training/rotations/{rotation.uid}"


async def test_leave_and_an_early_return_are_written_on_its_page(
    office: Office, path: str, database: Database
) -> None:
    leave = {"leave_from": "23/11/2026", "leave_to": "24/11/2026", "leave_reason": "Đám cưới em"}
    saved = await (await office.browser.post(f"{path}/leaves", data=leave)).text()
    for words in ("Đã ghi nghỉ", "23/11/2026 – 24/11/2026", "Đám cưới em"):
        assert words in saved
    board = await (await office.browser.get("/training/rotations")).text()
    assert "đang nghỉ" in board
    uid = saved.split("/leaves/")[1].split("/remove")[0]
    removed = await office.browser.post(f"{path}/leaves/{uid}/remove")
    assert "Chưa nghỉ ngày nào" in await removed.text()
    form = {"ended_on": "30/11/2026", "end_reason": "Ốm", "revision": value_of(saved, "revision")}
    stale = await office.browser.post(f"{path}/return", data=form)
    assert list(faults(await stale.text())) == ["revision"]
    form["revision"] = value_of(await stale.text(), "revision")
    ended = await (await office.browser.post(f"{path}/return", data=form)).text()
    assert "30/11/2026 – Ốm" in ended
    (rotation,) = await rows(database)
    assert rotation.last_day.isoformat() == "2026-11-30"


@pytest.mark.parametrize(
    ("act", "form", "fault"),
    [
        ("leaves", {"leave_from": "1", "leave_to": "2"}, ["leave_from", "leave_to"]),
        ("leaves", {"leave_from": "01/01/2026", "leave_to": "02/01/2026"}, ["leave_from"]),
        ("return", {"ended_on": "01/01/2026"}, ["revision"]),
        ("return", {"ended_on": ""}, ["ended_on"]),
    ],
)
async def test_what_is_wrong_on_its_page_is_said_at_its_field(
    office: Office, path: str, act: str, form: dict[str, str], fault: list[str]
) -> None:
    refused = await office.browser.post(f"{path}/{act}", data=form)
    assert refused.status == 422
    assert list(faults(await refused.text())) == fault


async def test_who_was_sent_writes_the_week_and_the_report(
    office: Office, path: str, signed_in: SignIn, make: Factory, clock: FakeClock
) -> None:
    browser = await signed_in(await make.actor_of(office.person))
    page = await (await browser.get(path)).text()
    week = value_of(page, "week")
    assert week == "16/11/2026"
    saved = await browser.post(f"{path}/weeks", data={"week": week, "text": "Khám 40 lượt"})
    page = await saved.text()
    assert "Máy chủ đã nhận nhật ký tuần" in page
    assert "Khám 40 lượt" in page
    empty = await browser.post(f"{path}/weeks", data={"week": "23/11/2026", "text": " "})
    assert faults(await empty.text()) == {"text": "Ghi việc đã làm trong tuần"}
    kept = await browser.post(f"{path}/report", data={"report": "Nháp"})
    assert "chưa gửi" in await kept.text()
    early = await browser.post(f"{path}/report", data={"report": "Nháp", "send": "on"})
    assert list(faults(await early.text())) == ["report"]
    office_page = await (await office.browser.get(path)).text()
    assert "Khám 40 lượt" in office_page
    for foreign in ("weeks", "report"):
        form = {"week": "23/11/2026", "text": "x", "report": "x"}
        del form["report" if foreign == "weeks" else "text"]
        if foreign == "report":
            del form["week"]
        assert (await office.browser.post(f"{path}/{foreign}", data=form)).status == 404


async def test_the_paper_of_the_decision_is_kept_and_given_to_those_concerned(
    office: Office, path: str, signed_in: SignIn, make: Factory
) -> None:
    form = FormData()
    form.add_field("file", pictures.PDF, filename="QĐ 123.pdf")
    kept = await office.browser.post(f"{path}/paper", data=form)
    page = await kept.text()
    assert "Đã lưu bản chụp quyết định" in page
    url = page.split('href="/training/decisions/')[1].split('"')[0]
    paper = await office.browser.get(f"/training/decisions/{url}")
    assert await paper.read() == pictures.PDF
    assert paper.headers["Content-Disposition"].startswith("attachment")
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    assert (await stranger.get(f"/training/decisions/{url}")).status == 404
    assert "/training/decisions/" not in await (await stranger.get(path)).text()
    nothing = await office.browser.post(f"{path}/paper", data={"x": "y"})
    assert nothing.status in {415, 422}


async def test_the_other_views_open_and_months_that_are_none_are_refused(
    office: Office, path: str
) -> None:
    people = await (await office.browser.get("/training/rotations/people")).text()
    assert path in people
    months = await (await office.browser.get("/training/rotations/months?month=2026-11")).text()
    assert "01/11/2026 – 31/10/2027" in months
    assert "trống bác sĩ" in months
    assert (await office.browser.get("/training/rotations/months?month=2026-13")).status == 422


# --- a whole deployment ----------------------------------------------------------------------


def sheet_of(*people: tuple[str, str]) -> FormData:
    book = openpyxl.Workbook()
    book.active.append(
        [
            "Tên đăng nhập",
            "Trạm",
            "Từ ngày",
            "Đến ngày",
            "Số quyết định",
            "Ngày quyết định",
            "Vai trò",
        ]
    )
    for name, station in people:
        book.active.append([name, station, "01/12/2026", "28/02/2027", "9/QĐ", "20/11/2026", ""])
    target = io.BytesIO()
    book.save(target)
    form = FormData()
    form.add_field("file", target.getvalue(), filename="luân phiên.xlsx")
    return form


async def test_a_sheet_is_taken_whole_or_every_fault_is_shown(
    office: Office, database: Database, make: Factory, work: UnitOfWork
) -> None:
    other = await make.person(Role.ROTATED_DOCTOR)
    await work.commit()
    wrong = sheet_of((office.person.sign_in_name, office.station.code), (other.sign_in_name, "Xa"))
    refused = await office.browser.post("/training/rotations/import", data=wrong)
    page = await refused.text()
    assert refused.status == 422
    assert "Chưa ghi dòng nào: còn 1 chỗ cần sửa trong bảng" in page
    assert '<td class="n num">3</td><td>Trạm</td><td>Không có trạm này</td>' in page
    assert await rows(database) == []
    right = sheet_of(
        (office.person.sign_in_name, office.station.code),
        (other.sign_in_name, office.station.name),
    )
    taken = await office.browser.post("/training/rotations/import", data=right)
    page = await taken.text()
    assert "Đã ghi cả bảng vào sổ luân phiên" in page
    assert len(await rows(database)) == 2


async def test_the_empty_sheet_is_for_coordinators(
    office: Office, signed_in: SignIn, make: Factory
) -> None:
    sheet = await office.browser.get("/training/rotations/import/sheet")
    assert (await sheet.read())[:2] == b"PK"
    trainer = await signed_in(await make.actor(Role.TRAINER))
    for path in ("/training/rotations/import", "/training/rotations/import/sheet"):
        assert (await trainer.get(path)).status == 403
