"""A whole deployment from a spreadsheet: all of it, or nothing and every fault by its row."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import openpyxl
import pytest
from sqlmodel import select

from telemed.accounts.models import Person, Posting
from telemed.accounts.permissions import Actor, Role
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Invalid
from telemed.facilities.models import Facility
from telemed.training.rotations.deployment_sheet import COLUMNS, HEADS
from telemed.training.rotations.import_views import _empty_sheet
from telemed.training.rotations.importing import Imported, import_deployment
from telemed.training.rotations.models import Rotation, RotationKind
from telemed.training.sheets import sheet_worker
from telemed.training.sheets.reading import read_sheet
from tests.factories import Factory

# A sheet as the province sends it: 108 people, 45 stations.
STAFF, STATIONS = 108, 45


def workbook(
    *rows: Sequence[Any], heads: Sequence[str] = HEADS, change: Callable[[Any], None] | None = None
) -> bytes:
    """An XLSX file with these rows below the head."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (heads, *rows):
        sheet.append(list(row))
    if change:
        change(sheet)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def text_file(*rows: Sequence[str], separator: str = ",") -> str:
    return "\n".join(separator.join(row) for row in (HEADS, *rows))


@pytest.fixture
async def people(make: Factory) -> list[Person]:
    return [await make.person(Role.ROTATED_DOCTOR) for _ in range(3)]


@pytest.fixture
def row_of(station: Facility) -> Callable[..., list[str]]:
    """A right row about somebody, with changes by the key of the column."""

    def row(person: Person, **changes: str) -> list[str]:
        cells = {
            "name": person.full_name,
            "sign_in_name": person.sign_in_name,
            "licence": "",
            "kind": "Khám chữa bệnh",
            "specialty": "",
            "station": station.code,
            "starts_on": "01/12/2026",
            "ends_on": "28/02/2027",
            "decision_number": "1234/QĐ-SYT",
            "decision_date": "20/11/2026",
            "issuing_body": "Sở Y tế",
            "tasks": "",
        }
        return [(cells | changes)[key] for key in COLUMNS]

    return row


async def take(work: UnitOfWork, actor: Actor, data: bytes) -> Imported:
    return await import_deployment(work, actor, await read_sheet(data, COLUMNS))


def faults_of(found: Imported) -> list[tuple[int, str, str]]:
    return [(fault.row, fault.column, fault.code) for fault in found.faults]


async def test_a_whole_deployment_is_registered_at_once_and_a_second_time_changes_nothing(
    work: UnitOfWork, make: Factory, coordinator: Actor, row_of: Callable[..., list[str]]
) -> None:
    stations = [await make.facility() for _ in range(STATIONS)]
    doctors = [await make.person(Role.ROTATED_DOCTOR) for _ in range(55)]
    others = [await make.person(Role.COMMUNE_DOCTOR) for _ in range(STAFF - 55)]
    rows = [
        row_of(
            person,
            station=stations[number % STATIONS].name,
            kind="Khám chữa bệnh" if number < 55 else "Dự phòng",
        )
        for number, person in enumerate([*doctors, *others])
    ]
    first = await take(work, coordinator, workbook(*rows))
    assert (first.added, first.known, first.faults) == (STAFF, 0, [])
    again = await take(work, coordinator, workbook(*rows))
    assert (again.added, again.known, again.faults) == (0, STAFF, [])
    found = (await work.session.exec(select(Rotation))).all()
    assert len(found) == STAFF
    assert len({rotation.decision_id for rotation in found}) == 1
    clinical = [each for each in found if each.kind is RotationKind.CLINICAL]
    assert (len(clinical), len((await work.session.exec(select(Posting))).all())) == (55, 55)


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"sign_in_name": "khong.co"}, "Tên đăng nhập", "person_unknown"),
        ({"sign_in_name": "", "name": ""}, "Họ và tên", "person_missing"),
        ({"name": "Người Khác"}, "Họ và tên", "name_differs"),
        ({"sign_in_name": "", "licence": "999"}, "Số giấy phép hành nghề", "person_unknown"),
        ({"kind": "Nấu ăn"}, "Cử làm gì", "kind_unknown"),
        ({"specialty": "Phép thuật"}, "Chuyên khoa", "specialty_unknown"),
        ({"station": "Trạm trên trời"}, "Trạm", "station_unknown"),
        ({"starts_on": "31/02/2027"}, "Từ ngày", "day_malformed"),
        ({"starts_on": ""}, "Từ ngày", "day_malformed"),
        ({"ends_on": "01/12/1926"}, "Đến ngày", "day_malformed"),
        ({"ends_on": "30/11/2026"}, "Đến ngày", "days_reversed"),
        ({"decision_date": "02/12/2026"}, "Ngày quyết định", "decision_late"),
        ({"decision_number": " "}, "Số quyết định", "number_missing"),
        ({"decision_number": "1" * 41}, "Số quyết định", "text_long"),
        ({"tasks": "a" * 2001}, "Nhiệm vụ", "text_long"),
    ],
)
async def test_one_wrong_cell_is_named_by_row_and_column(
    work: UnitOfWork,
    coordinator: Actor,
    people: list[Person],
    row_of: Callable[..., list[str]],
    changes: dict[str, str],
    column: str,
    code: str,
) -> None:
    data = workbook(row_of(people[0]), row_of(people[1], **changes))
    found = await take(work, coordinator, data)
    assert faults_of(found) == [(3, column, code)]


async def test_a_row_that_is_there_twice_and_somebody_in_two_places(
    work: UnitOfWork, make: Factory, coordinator: Actor, people: list[Person], row_of: Any
) -> None:
    other = await make.facility()
    data = workbook(row_of(people[0]), row_of(people[0]), row_of(people[0], station=other.code))
    found = await take(work, coordinator, data)
    assert faults_of(found) == [
        (3, "Họ và tên", "row_doubled"),
        (4, "Từ ngày", "rotation_overlaps"),
    ]


async def test_formulas_merged_cells_and_errors_are_no_values(
    work: UnitOfWork, coordinator: Actor, people: list[Person], row_of: Any
) -> None:
    def change(sheet: Any) -> None:
        sheet["G2"] = "=DATE(2026,12,1)"
        sheet.merge_cells("F3:F4")
        sheet["A5"] = "#REF!"

    data = workbook(*[row_of(person) for person in people], row_of(people[0]), change=change)
    found = await take(work, coordinator, data)
    assert (2, "Từ ngày", "cell_formula") in faults_of(found)
    assert (3, "Trạm", "cell_merged") in faults_of(found)
    assert any(row == 5 for row, _, _ in faults_of(found))
    assert found.added <= 1


async def test_days_and_numbers_of_a_spreadsheet_are_read_as_they_are_shown(
    work: UnitOfWork, coordinator: Actor, people: list[Person], row_of: Any
) -> None:

    row: list[Any] = row_of(people[0])
    row[6], row[7] = date(2026, 12, 1), date(2027, 2, 28)
    row[8] = 1234
    data = workbook(["DANH SÁCH CỬ CÁN BỘ"], [], list(HEADS), row, heads=["SỞ Y TẾ"])
    assert (await take(work, coordinator, data)).faults == []
    (rotation,) = (await work.session.exec(select(Rotation))).all()
    assert rotation.starts_on.isoformat() == "2026-12-01"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_text_files_are_read_too(
    work: UnitOfWork,
    coordinator: Actor,
    people: list[Person],
    row_of: Any,
    encoding: str,
    separator: str,
) -> None:
    text = text_file(row_of(people[0]), separator=separator)
    found = await take(work, coordinator, text.encode(encoding))
    assert (found.added, found.faults) == (1, [])


async def test_the_empty_sheet_that_is_offered_is_one_that_is_read() -> None:
    data = await asyncio.to_thread(_empty_sheet)
    sheet = await read_sheet(data, COLUMNS)
    assert list(sheet.heads) == list(COLUMNS)
    assert [row.number for row in sheet.rows] == [2]
    assert sheet.faults == []


def bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * (sheet_worker.MOST_UNPACKED_BYTES + 1))
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_missing"),
        (b"PK\x03\x04 and nothing else", "sheet_unreadable"),
        (bomb(), "sheet_unpacked"),
        ("Họ và tên".encode("cp1258", "replace") + b"\xff\xfe", "sheet_encoding"),
        (b"\x00" * 50, "sheet_encoding"),
        (b"a,b,c\n1,2,3\n", "sheet_without_head"),
        (b"%PDF-1.7", "sheet_without_head"),
        (("x,y\n" * (sheet_worker.MOST_ROWS + 5)).encode(), "sheet_rows"),
        (workbook(heads=HEADS), "sheet_empty"),
    ],
)
async def test_what_is_no_such_sheet_is_refused_at_the_file(
    work: UnitOfWork, coordinator: Actor, data: bytes, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await take(work, coordinator, data)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("file", code)]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COORDINATOR])
async def test_only_coordinators_send_sheets(
    work: UnitOfWork, make: Factory, people: list[Person], row_of: Any, role: Role
) -> None:
    with pytest.raises(Denied):
        await take(work, await make.actor(role), workbook(row_of(people[0])))


async def test_nothing_of_a_sheet_with_one_fault_is_registered(
    database: Database, work: UnitOfWork, coordinator: Actor, people: list[Person], row_of: Any
) -> None:
    await work.commit()
    data = workbook(row_of(people[0]), row_of(people[1], station="x"), row_of(people[2]))
    async with database.work() as other:
        assert (await take(other, coordinator, data)).faults
        await other.rollback()
    async with database.read() as read:
        assert (await read.session.exec(select(Rotation))).all() == []
