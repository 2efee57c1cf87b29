"""Files of a case are taken in whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from itertools import count, takewhile

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestServer
from sqlmodel import col, select

from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import list_events
from telemed.imaging.models import StoredFile
from telemed.imaging.service import MOST_FILES
from telemed.sessions.link.models import LinkObservation
from telemed.sessions.link.service import LEAST_UPLOAD_BYTES
from tests import pictures
from tests.conftest import make_settings
from tests.web.files.desk import LIMIT, PHOTO, SCRIPT, Desk, files_below, stored

HANDS = 50


async def test_a_picture_is_kept_bit_for_bit_and_shown_small(
    desk: Desk, database: Database, settings: Settings
) -> None:
    answer = await desk.send(PHOTO, caption="  Phổi   phải ")
    told = await answer.json()
    assert answer.status == 201
    assert told["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert (told["name"], told["size_bytes"]) == ("Phổi phải", len(PHOTO))
    original = await desk.specialist.get(told["url"])
    preview = await desk.specialist.get(told["preview"])
    assert await original.read() == PHOTO
    assert (original.content_type, preview.content_type) == ("image/jpeg", "image/webp")
    assert (await preview.read())[8:12] == b"WEBP"
    (row,) = await stored(database)
    assert (row.width, row.height, row.original_name) == (64, 48, "ảnh.jpg")
    assert (len(files_below(settings, "objects")), files_below(settings, "incoming")) == (2, [])


async def test_a_file_tells_how_fast_its_station_sends(desk: Desk, database: Database) -> None:
    for data in (PHOTO, pictures.PDF + bytes(LEAST_UPLOAD_BYTES)):
        assert (await desk.send(data)).status == 201
    async with database.read() as work:
        looks = (await work.session.exec(select(LinkObservation))).all()
    assert [each.station_id for each in looks] == [desk.case.station.id]
    assert (looks[0].up_kbps or 0) > 0


async def test_a_document_is_kept_without_a_picture(desk: Desk) -> None:
    told = await (await desk.send(pictures.PDF, "Kết quả.pdf")).json()
    assert told["preview"] is None
    assert (await desk.doctor.get(f"{told['url']}/preview")).status == 404
    assert await (await desk.doctor.get(told["url"])).read() == pictures.PDF


async def test_a_browser_without_scripts_is_led_back(desk: Desk) -> None:
    for back, place in (("", ""), ("?back=request", "/request#f-files")):
        form = FormData()
        form.add_field("file", pictures.PDF + back.encode(), filename="a.pdf")
        answer = await desk.doctor.post(desk.path + back, data=form, allow_redirects=False)
        assert answer.status == 303
        assert answer.headers["Location"] == f"/consults/{desk.case.consult.uid}{place}"


async def test_the_case_and_the_record_tell_of_it(desk: Desk, database: Database) -> None:
    told = await (await desk.send(PHOTO)).json()
    async with database.read() as work:
        events = await list_events(work, f"consult:{desk.case.consult.uid}")
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.FILE_WRITE)
        (record,) = (await work.session.exec(query)).all()
    assert [(event.kind, event.data) for event in events] == [
        ("file_attached", {"file": told["uid"]})
    ]
    assert (record.person_id, record.patient_id) == (desk.case.doctor.id, desk.case.patient.id)


@pytest.mark.parametrize(
    ("data", "name", "status", "code"),
    [
        (pictures.PE, "ảnh.jpg", 415, "file_type_unknown"),
        (pictures.HTML, "kết quả.pdf", 415, "file_type_unknown"),
        (pictures.SVG, "ảnh.svg", 415, "file_type_unknown"),
        (pictures.GIF, "ảnh.gif", 415, "file_type_unknown"),
        (pictures.ZIP, "ảnh.png", 415, "file_type_unknown"),
        (b"", "ảnh.jpg", 422, "file_missing"),
        (b"", "", 422, "file_missing"),
        (PHOTO[:300], "ảnh.jpg", 422, "file_unreadable"),
        (pictures.png_of(60_000, 60_000), "ảnh.png", 422, "file_unreadable"),
        (pictures.text_bomb(), "ảnh.png", 422, "file_unreadable"),
        (b"\xff\xd8\xff" + b"a" * 100, "ảnh.jpg", 422, "file_unreadable"),
        (b"%PDF-" + b"a" * LIMIT, "a.pdf", 413, "file_too_large"),
        (b"%PDF-" + b"a" * (LIMIT - 4), "a.pdf", 413, "file_too_large"),
    ],
)
async def test_what_is_not_taken_is_told_why_and_leaves_nothing(
    desk: Desk,
    database: Database,
    settings: Settings,
    data: bytes,
    name: str,
    status: int,
    code: str,
) -> None:
    answer = await desk.send(data, name)
    told = await answer.json()
    assert (answer.status, told["code"]) == (status, code)
    assert await stored(database) == []
    assert files_below(settings, "incoming") == files_below(settings, "objects") == []


async def test_the_last_byte_that_is_allowed_is_taken(desk: Desk) -> None:
    assert (await desk.send(b"%PDF-" + b"a" * (LIMIT - 5), "a.pdf")).status == 201


def test_twenty_megabytes_are_allowed_unless_told_otherwise() -> None:
    assert make_settings().upload_limit_bytes == 20 * 1024 * 1024


async def test_what_is_announced_too_large_is_refused_before_it_is_sent(
    desk: Desk, server: TestServer
) -> None:
    cookies = desk.doctor.session.cookie_jar.filter_cookies(desk.doctor.make_url("/"))
    head = (
        f"POST {desk.path} HTTP/1.1\r\nHost: telemed\r\nSec-Fetch-Site: same-origin\r\n"
        f"Cookie: telemed={cookies['telemed'].value}\r\nContent-Length: {20 * 1024 * 1024 + 1}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(head.encode())
        assert b" 413 " in await reader.readline()
        writer.close()


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


@pytest.mark.parametrize(("size", "status"), [(5000, 201), (2 * LIMIT, 413)])
async def test_a_body_without_a_length_is_counted_as_it_comes(
    desk: Desk, settings: Settings, size: int, status: int
) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
    body = part + b"%PDF-" + b"a" * size + b"\r\n--x--\r\n"
    headers = {**SCRIPT, "Content-Type": "multipart/form-data; boundary=x"}
    answer = await desk.doctor.post(desk.path, data=_in_pieces(body), headers=headers)
    assert answer.status == status
    assert files_below(settings, "incoming") == []


@pytest.mark.parametrize(
    ("body", "content_type", "status", "field"),
    [
        (b"", "multipart/form-data; boundary=x", 422, "file"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "file"),
        (b"not a form", "multipart/form-data; boundary=x", 422, "file"),
        (b"--x\r\n\r\n", "multipart/form-data", 422, "file"),
        (b"--x\r\n" + b"a: b\r\n" * 500, "multipart/form-data; boundary=x", 422, "file"),
        (
            b'--x\r\nContent-Disposition: form-data; name="station"\r\n\r\n1\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            422,
            "station",
        ),
        (b"file=a", "application/x-www-form-urlencoded", 415, None),
        (b"{}", "application/json", 415, None),
    ],
)
async def test_what_is_no_upload_is_refused_in_words(
    desk: Desk, body: bytes, content_type: str, status: int, field: str | None
) -> None:
    headers = {**SCRIPT, "Content-Type": content_type}
    answer = await desk.doctor.post(desk.path, data=body, headers=headers)
    told = await answer.json()
    assert answer.status == status
    assert [each["field"] for each in told.get("fields", [])] == ([field] if field else [])


async def test_a_long_caption_is_refused_by_its_name(desk: Desk, database: Database) -> None:
    for caption in ("a" * 201, "ạ" * 2000):
        told = await (await desk.send(pictures.PDF, "a.pdf", caption=caption)).json()
        assert [each["field"] for each in told["fields"]] == ["caption"]
    assert await stored(database) == []


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again; whoever calls bounds the time."""
    for _ in takewhile(lambda _: not is_so(), count()):
        await asyncio.sleep(0.01)


async def test_a_line_that_breaks_off_leaves_nothing(
    desk: Desk, server: TestServer, settings: Settings, database: Database
) -> None:
    cookies = desk.doctor.session.cookie_jar.filter_cookies(desk.doctor.make_url("/"))
    head = (
        f"POST {desk.path} HTTP/1.1\r\nHost: telemed\r\nSec-Fetch-Site: same-origin\r\n"
        f"Cookie: telemed={cookies['telemed'].value}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7'
    )
    async with asyncio.timeout(20):
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(head.encode())
        await until(lambda: bool(files_below(settings, "incoming")))
        writer.close()
        await until(lambda: not files_below(settings, "incoming"))
    assert await stored(database) == []


# --- the same again, and very many -----------------------------------------------------------


async def test_the_same_bytes_are_the_same_file(desk: Desk, database: Database) -> None:
    first = await (await desk.send(PHOTO, "một.jpg")).json()
    again = await (await desk.send(PHOTO, "hai.jpg", caption="Khác")).json()
    assert (again["uid"], again["name"]) == (first["uid"], first["name"])
    assert len(await stored(database)) == 1


async def test_fifty_sendings_of_the_same_bytes_at_once_are_one_file(
    desk: Desk, database: Database, settings: Settings
) -> None:
    answers = await asyncio.gather(*(desk.send(pictures.PDF, "a.pdf") for _ in range(HANDS)))
    told = [await answer.json() for answer in answers]
    assert {answer.status for answer in answers} == {201}
    assert len({each["uid"] for each in told}) == 1
    assert len(await stored(database)) == 1
    assert len(files_below(settings, "objects")) == 1
    async with database.read() as work:
        assert len(await list_events(work, f"consult:{desk.case.consult.uid}")) == 1


async def test_a_case_holds_so_many_files_and_no_more(
    desk: Desk, work: UnitOfWork, database: Database
) -> None:
    case = desk.case
    for number in range(MOST_FILES - 2):
        work.session.add(
            StoredFile(
                consult_id=case.consult.id or 0,
                patient_id=case.patient.id or 0,
                station_id=case.station.id or 0,
                uploaded_by_id=case.doctor.id,
                sha256=f"{number:064}",
                size_bytes=1,
                media_type="application/pdf",
                original_name="a.pdf",
                at=work.now(),
            )
        )
    await work.commit()
    answers = await asyncio.gather(
        *(desk.send(pictures.PDF + bytes([number])) for number in range(6))
    )
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201, 201, 409, 409, 409, 409]
    assert len(await stored(database)) == MOST_FILES
    assert (await desk.send(pictures.PDF + b"x")).status == 409
