"""Papers as they come out, the letter, and the page that tells whether a print is genuine."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, ConsultQuestion
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.records import RecordKind, SignedRecord
from telemed.sessions import opening
from telemed.sessions import service as sessions
from telemed.sessions.prints.models import Printout
from tests.conftest import Client
from tests.factories import Factory
from tests.papers import count_pages, is_in_order, keep_picture, text_of
from tests.people import PASSWORD
from tests.web.minutes.desk import TYPED, Room, SignIn

LETTER = {
    "to": "Bệnh viện Đa khoa tỉnh Điện Biên",
    "findings": "Khó thở tăng dần",
    "diagnosis": "Viêm phổi nặng",
    "condition": "Tỉnh, SpO2 91 % thở oxy 2 l/phút",
    "reason": "beyond_scope",
    "transport": "Xe cứu thương",
    "escort": "Điều dưỡng Lò Thị Thử",
    "leaves_on": "23/11/2026",
    "leaves_clock": "09:30",
    "password": PASSWORD,
}


async def pdf_of(browser: Client, path: str) -> bytes:
    answer = await browser.get(path)
    assert answer.status == 200
    assert answer.content_type == "application/pdf"
    return await answer.read()


def code_in(text: str) -> str:
    found = re.search(r"Mã tra cứu: ([0-9A-Z-]{19})", text)
    assert found
    return found[1]


async def test_minutes_come_out_whole_and_in_the_order_of_the_form(room: Room) -> None:
    await room.sign(dissent="Nên giữ lại trạm một đêm", findings="Ran ẩm đáy phổi phải")
    await room.decide(verdict="modified", reason="Gia đình xin theo dõi thêm")
    patient, consult = room.case.patient, room.case.consult
    pdf = await pdf_of(room.doctor, f"{room.path}.pdf")
    keep_picture(pdf, "minutes-pdf")
    text = text_of(pdf)
    assert is_in_order(
        text,
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        f"MS: 27/BV2 · Số lưu trữ: {consult.number}",
        "TRÍCH BIÊN BẢN HỘI CHẨN",
        patient.full_name.upper(),
        "Điểm cầu:",
        "Chủ tọa:",
        "Thư ký:",
        "1. Tóm tắt diễn biến bệnh",
        "Ran ẩm đáy phổi phải",
        "2. Kết luận theo từng câu hỏi",
        "Có cần chuyển tuyến không?",
        TYPED["conclusion_1"],
        "Ý kiến khác: Nên giữ lại trạm một đêm",
        "3. Hướng điều trị tiếp theo",
        "4. Quyết định của bác sĩ điều trị tại trạm",
        "Làm theo, có sửa: Gia đình xin theo dõi thêm",
        "Đã ký điện tử",
        "BẢN GIẤY CHUYỂN TỪ BẢN ĐIỆN TỬ",
        "Mã tra cứu:",
    )
    assert "Trang 1/" in text
    root = PdfFileReader(io.BytesIO(pdf)).root
    assert str(root["/Lang"]) == "vi"


async def test_a_print_is_genuine_until_something_is_added(room: Room, client: Client) -> None:
    await room.sign()
    text = text_of(await pdf_of(room.doctor, f"{room.path}.pdf"))
    code = code_in(text)
    first = await (await client.get(f"/verify/{code}")).text()
    assert "Thật, mới nhất." in first
    assert room.case.consult.number is not None
    assert room.case.consult.number in first
    for secret in (room.case.patient.full_name, TYPED["conclusion_1"], room.case.doctor.name):
        assert secret not in first
    await room.decide()
    assert "Thật, nhưng đã cũ." in await (await client.get(f"/verify/{code}")).text()
    anew = code_in(text_of(await pdf_of(room.specialist, f"{room.path}.pdf")))
    assert "Thật, mới nhất." in await (await client.get(f"/verify/{anew}")).text()
    await add(room, "Cấy máu dương tính")
    assert "Thật, nhưng đã cũ." in await (await client.get(f"/verify/{anew}")).text()
    assert "Cấy máu dương tính" in text_of(await pdf_of(room.doctor, f"{room.path}.pdf"))


async def add(room: Room, text: str) -> None:
    form = {"text": text, "reason": "Có kết quả mới", "password": PASSWORD, "code": room.code()}
    assert (await room.specialist.post(f"{room.path}/addenda", data=form)).status == 200


async def test_addenda_are_printed_in_their_order(room: Room) -> None:
    await room.sign()
    for text in ("Thứ nhất", "Thứ hai", "Thứ ba"):
        await add(room, text)
    text = text_of(await pdf_of(room.doctor, f"{room.path}.pdf"))
    assert is_in_order(text, "Bản bổ sung 1", "Thứ nhất", "Bản bổ sung 2", "Thứ hai", "Thứ ba")


async def test_the_code_is_typed_as_well_as_scanned(room: Room, client: Client) -> None:
    await room.sign()
    code = code_in(text_of(await pdf_of(room.doctor, f"{room.path}.pdf")))
    typed = code.lower().replace("-", " ").replace("0", "o")
    assert "Thật" in await (await client.get("/verify", params={"code": typed})).text()


@pytest.mark.parametrize("code", ["0000000000000000", "x", "A" * 40, "7KQ2-M0XV-3CDE-9RTY"])
async def test_a_code_of_no_print_is_told_so(client: Client, code: str) -> None:
    answer = await client.get(f"/verify/{code}")
    assert answer.status == 404
    assert "Không có bản in nào mang mã này." in await answer.text()


async def test_every_print_is_on_record(room: Room, database: Database) -> None:
    await room.sign()
    await pdf_of(room.doctor, f"{room.path}.pdf")
    await room.specialist.get(f"{room.path}/print")
    async with database.read() as work:
        prints = (await work.session.exec(select(Printout))).all()
        records = (
            await work.session.exec(
                select(AuditRecord.person_id).where(col(AuditRecord.tag) == AuditTag.RECORD_PRINT)
            )
        ).all()
    assert len({each.code for each in prints}) == 2
    assert sorted(each.printed_by_id for each in prints) == sorted(
        key for key in records if key is not None
    )


async def test_what_is_not_signed_is_not_printed(room: Room, database: Database) -> None:
    assert (await room.doctor.get(f"{room.path}.pdf")).status == 404
    assert (await room.doctor.get(f"{room.path.removesuffix('minutes')}referral.pdf")).status == 404
    async with database.read() as work:
        assert (await work.session.exec(select(Printout))).all() == []


async def test_another_station_prints_nothing(room: Room, make: Factory, signed_in: SignIn) -> None:
    await room.sign()
    other = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    case = room.path.removesuffix("/minutes")
    for path in ("minutes.pdf", "minutes/print", "request.pdf", "referral.pdf", "referral"):
        assert (await other.get(f"{case}/{path}")).status == 404


async def test_a_request_comes_out_with_its_questions_and_signs(room: Room, client: Client) -> None:
    case = room.path.removesuffix("/minutes")
    pdf = await pdf_of(room.doctor, f"{case}/request.pdf")
    keep_picture(pdf, "request-pdf")
    text = text_of(pdf)
    assert is_in_order(
        text,
        "PHIẾU YÊU CẦU HỘI CHẨN TỪ XA",
        room.case.patient.full_name.upper(),
        "1. Câu hỏi chuyên môn",
        "Có cần chuyển tuyến không?",
        room.case.consult.reason,
        "3. Dấu hiệu sinh tồn",
        "96 lần/phút",
        "BÁC SĨ YÊU CẦU",
        room.case.doctor.name,
    )
    assert "Thật, mới nhất." in await (await client.get(f"/verify/{code_in(text)}")).text()


async def test_a_draft_is_not_printed(make: Factory, signed_in: SignIn) -> None:
    case = await make.case(ConsultState.DRAFT)
    doctor = await signed_in(case.doctor)
    assert (await doctor.get(f"/consults/{case.consult.uid}/request.pdf")).status == 404
    assert (await doctor.get(f"/consults/{case.consult.uid}/referral")).status == 404


async def test_a_referral_letter_is_filled_in_signed_and_printed(
    room: Room, client: Client, database: Database
) -> None:
    await room.sign(referral="today", advice="Kháng sinh tĩnh mạch trước khi đi")
    case = room.path.removesuffix("/minutes")
    form = await (await room.doctor.get(f"{case}/referral")).text()
    assert "Kháng sinh tĩnh mạch trước khi đi" in form
    assert room.case.consult.reason in form
    letter = LETTER | {"plan": "Kháng sinh tĩnh mạch"}
    answer = await room.doctor.post(f"{case}/referral", data=letter)
    assert answer.status == 200
    assert "In hai bản" in await answer.text()
    pdf = await pdf_of(room.doctor, f"{case}/referral.pdf")
    keep_picture(pdf, "referral-pdf")
    text = text_of(pdf)
    assert is_in_order(
        text,
        "GIẤY CHUYỂN CƠ SỞ KHÁM BỆNH, CHỮA BỆNH",
        "Kính gửi: Bệnh viện Đa khoa tỉnh Điện Biên",
        room.case.patient.full_name.upper(),
        "Khó thở tăng dần",
        "Viêm phổi nặng",
        "Bệnh vượt khả năng chuyên môn",
        "09:30 23/11/2026",
        "Xe cứu thương",
        room.case.doctor.name,
    )
    assert "Thật, mới nhất." in await (await client.get(f"/verify/{code_in(text)}")).text()
    again = await room.doctor.post(f"{case}/referral", data=letter)
    assert again.status == 409
    async with database.read() as work:
        query = select(SignedRecord).where(col(SignedRecord.kind) == RecordKind.REFERRAL)
        assert len((await work.session.exec(query)).all()) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": " "}, "to"),
        ({"findings": ""}, "findings"),
        ({"diagnosis": ""}, "diagnosis"),
        ({"condition": ""}, "condition"),
        ({"transport": ""}, "transport"),
        ({"reason": ""}, "reason"),
        ({"reason": "bored"}, "reason"),
        ({"leaves_on": "31/02/2026"}, "leaves_on"),
        ({"leaves_on": "23/11/2036"}, "leaves_on"),
        ({"leaves_clock": "24:61"}, "leaves_clock"),
        ({"leaves_clock": ""}, "leaves_clock"),
        ({"to": "a" * 201}, "to"),
        ({"findings": "a" * 4001}, "findings"),
        ({"password": "wrong"}, "password"),
        ({"more": "x"}, "more"),
    ],
)
async def test_a_letter_that_lacks_something_is_not_signed(
    room: Room, database: Database, changes: dict[str, str], field: str
) -> None:
    case = room.path.removesuffix("/minutes")
    script = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
    answer = await room.doctor.post(f"{case}/referral", data=LETTER | changes, headers=script)
    assert answer.status == 422
    assert field in [each["field"] for each in (await answer.json())["fields"]]
    page = await room.doctor.post(f"{case}/referral", data=LETTER | changes)
    assert page.status == 422
    async with database.read() as work:
        query = select(SignedRecord).where(col(SignedRecord.kind) == RecordKind.REFERRAL)
        assert (await work.session.exec(query)).all() == []


async def test_a_specialist_writes_no_letter(room: Room) -> None:
    case = room.path.removesuffix("/minutes")
    assert (await room.specialist.get(f"{case}/referral")).status in {403, 404}


HOSTILE = [
    "<script>alert(1)</script>",
    '<img src="file:///etc/passwd">',
    "{{ 7*7 }}",
    "</p></body></html>",
    "&lt;b&gt;",
    "\u202eđảo\u202c",
    "a" * 400,
]


async def test_hostile_words_stand_on_paper_as_they_were_typed(
    room: Room, work: UnitOfWork
) -> None:
    consult = await work.session.get_one(Consult, room.case.consult.id)
    query = select(ConsultQuestion).where(col(ConsultQuestion.consult_id) == consult.id)
    question = (await work.session.exec(query)).one()
    question.text = " ".join(HOSTILE[:4])
    work.session.add(question)
    await work.commit()
    await room.sign(conclusion_1=" ".join(HOSTILE), findings=HOSTILE[0])
    text = text_of(await pdf_of(room.doctor, f"{room.path}.pdf"))
    for words in HOSTILE[:5]:
        assert words.replace(" ", "") in text.replace(" ", "")
    assert "49" not in text.split("2. Kết luận")[1].split("3. Hướng")[0]
    assert "root:" not in text


async def test_a_long_conclusion_runs_over_pages_and_loses_nothing(room: Room) -> None:
    lines = [f"Dòng số {number}." for number in range(150)]
    await room.sign(conclusion_1="\n".join(lines))
    pdf = await pdf_of(room.doctor, f"{room.path}.pdf")
    assert count_pages(pdf) > 2
    assert is_in_order(text_of(pdf), *lines)


async def test_who_was_in_the_room_stands_in_the_minutes(
    room: Room, clock: FakeClock, database: Database
) -> None:
    uid = room.case.consult.uid
    async with database.work() as work:
        live = await opening.open_for_consult(work, room.case.specialist, uid)
        for actor in (room.case.specialist, room.case.doctor):
            await sessions.enter(work, actor, live.uid, resumes=False)
        await sessions.settle(work, live.uid)
    clock.advance(timedelta(minutes=12))
    await room.sign()
    text = text_of(await pdf_of(room.doctor, f"{room.path}.pdf"))
    assert is_in_order(text, "Hội chẩn trực tuyến lúc 09:00 23/11/2026", "Không ghi hình.")
    people = text.split("Người tham gia")[1]
    assert is_in_order(people, room.case.specialist.name, "Bác sĩ chuyên khoa")
    assert is_in_order(people, room.case.doctor.name, "Bác sĩ của trạm")
