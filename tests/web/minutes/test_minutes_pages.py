"""Minutes through a browser without scripts, and as a script saves them; on both engines."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from html import unescape

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Role
from telemed.accounts.service import Accounts
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.records import Signature, SignatureMethod, SignedRecord
from telemed.sessions.prints.models import Printout
from tests.factories import Factory
from tests.people import PASSWORD, give_password
from tests.web.minutes.desk import SCRIPT, TYPED, Room, SignIn


async def state_of(database: Database) -> str:
    async with database.read() as work:
        return str((await work.session.exec(select(Consult.state))).one())


async def records(database: Database) -> list[SignedRecord]:
    async with database.read() as work:
        query = select(SignedRecord).order_by(col(SignedRecord.id))
        return list(await work.session.exec(query))


def faults(page: str) -> dict[str, str]:
    """Field to sentence of the summary of a page."""
    return {
        field: unescape(text) for field, text in re.findall(r'href="#f-([\w-]+)">([^<]+)</a>', page)
    }


def text_in(page: str, name: str) -> str:
    area = re.search(rf'<textarea[^>]*name="{name}"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    assert area
    return unescape(area[1])


# --- the whole way, in writing only ----------------------------------------------------------


async def test_a_case_is_answered_in_writing_signed_accepted_and_printed(
    room: Room, database: Database
) -> None:
    signed = await room.sign(follow_up_on="29/11/2026")
    assert (signed.status, signed.url.path) == (200, f"/consults/{room.case.consult.uid}")
    assert "Đã ký biên bản" in await signed.text()
    asked = await (await room.doctor.get(room.path)).text()
    assert "Ghi quyết định của trạm" in asked
    assert TYPED["conclusion_1"] in asked
    decided = await room.decide(verdict="modified", reason="Hết oxy, chuyển sớm")
    assert "Đã ký quyết định của trạm. Ca kết thúc." in await decided.text()
    assert await state_of(database) == ConsultState.CLOSED
    minutes, decision = await records(database)
    assert (minutes.content["meetings"], minutes.content["hospital"]) == ([], "Bệnh viện Thử")
    assert decision.content["minutes_hash"] == minutes.content_hash
    async with database.read() as work:
        methods = (await work.session.exec(select(Signature.method))).all()
    assert methods == [SignatureMethod.PASSWORD_AND_CODE, SignatureMethod.PASSWORD]


async def printed_hash(database: Database) -> str:
    async with database.read() as work:
        return (await work.session.exec(select(Printout.digest))).one()[:16]


async def test_the_print_holds_what_the_paper_holds(room: Room, database: Database) -> None:
    assert (await room.doctor.get(f"{room.path}/print")).status == 404
    await room.sign(follow_up_on="29/11/2026")
    await room.decide()
    page = await (await room.doctor.get(f"{room.path}/print")).text()
    case = room.case
    for words in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "TRÍCH BIÊN BẢN HỘI CHẨN",
        "BỆNH VIỆN THỬ",
        f"MS: 27/BV2 · Số lưu trữ: {case.consult.number}",
        case.patient.full_name.upper(),
        "08/03/1985",
        case.station.name,
        case.consult.reason,
        case.consult.diagnosis,
        "1. Có cần chuyển tuyến không?",
        TYPED["conclusion_1"],
        TYPED["advice"],
        "Báo kết quả: ngày 29/11/2026.",
        "Hội chẩn bằng văn bản, không gọi.",
        "Làm theo",
        case.specialist.name,
        case.doctor.name,
        await printed_hash(database),
    ):
        assert words in unescape(page)
    assert page.count("Đã ký điện tử") == 2
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.RECORD_PRINT)
        (record,) = (await work.session.exec(query)).all()
    assert (record.person_id, record.patient_id) == (case.doctor.id, case.patient.id)


# --- kept while it is written ----------------------------------------------------------------


async def test_a_script_saves_what_is_typed_and_hears_of_a_newer_one(room: Room) -> None:
    first = await room.keep({"advice": "  Một \n"})
    revision = (await first.json())["revision"]
    second = await room.keep({"advice": "Hai"}, revision)
    newest = (await second.json())["revision"]
    stale = await room.keep({"advice": "Ba"}, revision)
    told = await stale.json()
    assert (first.status, second.status, stale.status) == (200, 200, 409)
    assert told["code"] == "draft_changed"
    assert told["current"] == {"revision": newest, "values": {"advice": "Hai"}}
    page = await (await room.specialist.get(room.path)).text()
    assert text_in(page, "advice") == "Hai"
    assert f'name="revision" value="{newest}"' in page


async def test_spaces_and_lines_come_back_as_they_were_typed(room: Room) -> None:
    typed = "  a\n\n  b  "
    await room.keep({"advice": typed})
    page = await (await room.specialist.get(room.path)).text()
    assert text_in(page, "advice") == typed


async def test_without_scripts_a_button_keeps_the_draft(room: Room, database: Database) -> None:
    kept = await room.sign(act="save", conclusion_1="Chưa xong", referral="", password="", code="")
    page = await kept.text()
    assert (kept.status, kept.url.path) == (200, room.path)
    assert "Máy chủ đã nhận biên bản nháp" in page
    assert text_in(page, "conclusion_1") == "Chưa xong"
    assert await state_of(database) == ConsultState.ACCEPTED


async def test_without_scripts_a_newer_draft_is_told_and_nothing_typed_is_lost(
    room: Room,
) -> None:
    await room.keep({"advice": "Ở máy khác"})
    refused = await room.sign(act="save", advice="Ở máy này")
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {
        "revision": "Bản nháp vừa được lưu ở nơi khác. Lưu lần nữa sẽ thay bản đó."
    }
    assert text_in(page, "advice") == "Ở máy này"
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision
    again = await room.sign(act="save", advice="Ở máy này", revision=revision[1])
    assert text_in(await again.text(), "advice") == "Ở máy này"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"revision": 0}, "values"),
        ({"revision": -1, "values": {}}, "revision"),
        ({"revision": 0, "values": {"conclusion_11": "a"}}, "values.conclusion_11"),
        ({"revision": 0, "values": {"conclusion_2": "a"}}, "conclusion_2"),
        ({"revision": 0, "values": {"advice": "a" * 8001}}, "values.advice"),
        ({"revision": 0, "values": {"advice": None}}, "values.advice"),
        ({"revision": 0, "values": {"advice": "\0"}}, "values"),
        ({"revision": 0, "values": {}, "author": 1}, "author"),
    ],
)
async def test_an_odd_draft_is_refused_by_its_field(
    room: Room, database: Database, body: dict[str, object], field: str
) -> None:
    answer = await room.specialist.post(f"{room.path}/draft", json=body, headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [field]
    assert await records(database) == []


# --- signing ---------------------------------------------------------------------------------


async def test_incomplete_minutes_are_shown_again_with_what_is_missing(
    room: Room, database: Database
) -> None:
    refused = await room.sign(conclusion_1="", referral="", follow_up_on="mai")
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {
        "conclusion_1": "Ghi kết luận cho câu 1",
        "referral": "Chọn có chuyển người bệnh hay không",
        "follow_up_on": "Ngày ghi như 29/11/2026 – đang là mai",
    }
    assert text_in(page, "advice") == TYPED["advice"]
    assert PASSWORD not in page
    assert await state_of(database) == ConsultState.ACCEPTED


async def test_what_is_missing_costs_no_code(room: Room) -> None:
    code = room.code()
    assert (await room.sign(conclusion_1="", code=code)).status == 422
    assert (await room.sign(code=code)).status == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "sai mật khẩu"}, "password"),
        ({"password": ""}, "password"),
        ({"password": f" {PASSWORD}"}, "password"),
        ({"code": ""}, "code"),
        ({"code": "000000"}, "code"),
    ],
)
async def test_nobody_signs_without_showing_who_they_are(
    room: Room, database: Database, changes: dict[str, str], field: str
) -> None:
    refused = await room.sign(**changes)
    page = await refused.text()
    assert refused.status == 422
    assert list(faults(page)) == [field]
    assert text_in(page, "conclusion_1") == TYPED["conclusion_1"]
    assert await records(database) == []
    assert await state_of(database) == ConsultState.ACCEPTED
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.REAUTHENTICATE)
        refusals = (await work.session.exec(query)).all()
    assert [each.detail["refused"] for each in refusals] == [field]


async def test_blanks_at_the_ends_of_a_password_are_part_of_it(
    room: Room, work: UnitOfWork, accounts: Accounts, make: Factory, signed_in: SignIn
) -> None:
    await room.sign()
    colleague = await make.person(Role.COMMUNE_DOCTOR, at=room.case.station)
    await give_password(work, accounts, colleague, "  có khoảng trắng  ")
    browser = await signed_in(await make.actor_of(colleague))
    form = {"verdict": "accepted", "password": "  có khoảng trắng  "}
    answer = await browser.post(f"{room.path}/decision", data=form, allow_redirects=False)
    assert answer.status == 303


async def test_markup_in_a_conclusion_is_text_on_every_page(room: Room) -> None:
    await room.sign(conclusion_1="</textarea><script>alert(1)</script>")
    await room.decide(verdict="declined", reason="<b>không</b>")
    for path in (room.path, f"{room.path}/print", f"/consults/{room.case.consult.uid}"):
        page = await (await room.doctor.get(path)).text()
        assert "<script>alert" not in page
        assert "<b>không" not in page
        assert "&lt;script&gt;alert" in page


# --- deciding and adding ---------------------------------------------------------------------


async def test_another_way_needs_a_reason_and_what_was_chosen_stays(
    room: Room, database: Database
) -> None:
    await room.sign()
    refused = await room.decide(verdict="declined")
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {"reason": "Ghi lý do sửa hoặc không làm theo"}
    assert re.search(r'value="declined"[^>]* checked', page)
    assert await state_of(database) == ConsultState.ANSWERED


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"verdict": ""}, "verdict"), ({"verdict": "x"}, "verdict"), ({"password": "x"}, "password")],
)
async def test_an_odd_decision_is_refused_by_its_field(
    room: Room, database: Database, changes: dict[str, str], field: str
) -> None:
    await room.sign()
    page = await (await room.decide(**changes)).text()
    assert list(faults(page)) == [field]
    assert await state_of(database) == ConsultState.ANSWERED


async def test_an_addition_is_signed_and_shown_below_what_stays(
    room: Room, database: Database
) -> None:
    await room.sign()
    form = {"text": "Cấy máu dương tính", "reason": "Kết quả mới", "password": PASSWORD}
    unsigned = await room.specialist.post(f"{room.path}/addenda", data=form | {"text": " "})
    assert faults(await unsigned.text()) == {"text": "Chưa ghi mục này"}
    added = await room.specialist.post(f"{room.path}/addenda", data=form | {"code": room.code()})
    page = await added.text()
    assert "Đã ký bản bổ sung" in page
    assert "Bản bổ sung 1" in page
    assert "Cấy máu dương tính" in page
    assert TYPED["conclusion_1"] in page
    assert len(await records(database)) == 2


async def test_no_field_stands_twice_on_a_page(room: Room) -> None:
    pages = [await (await room.specialist.get(room.path)).text()]
    await room.sign()
    pages += [await (await each.get(room.path)).text() for each in (room.doctor, room.specialist)]
    await room.decide()
    pages += [await (await each.get(room.path)).text() for each in (room.doctor, room.specialist)]
    for page in pages:
        twice = [
            name for name, count in Counter(re.findall(r' id="([^"]+)"', page)).items() if count > 1
        ]
        assert twice == []


async def test_fifty_decisions_at_once_are_one(room: Room, database: Database) -> None:
    await room.sign()
    answers = await asyncio.gather(*(room.decide() for _ in range(50)))
    assert Counter(answer.status for answer in answers)[200] == 1
    assert {answer.status for answer in answers} <= {200, 409, 429}
    assert len(await records(database)) == 2


async def test_strangers_cannot_tell_these_minutes_from_none(
    room: Room, make: Factory, signed_in: SignIn
) -> None:
    await room.sign()
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for page in ("", "/print"):
        told = []
        for uid in (room.case.consult.uid, "x" * 22):
            answer = await stranger.get(f"/consults/{uid}/minutes{page}", headers=SCRIPT)
            told.append((answer.status, (await answer.json())["message"]))
        assert told == [(404, "Không tìm thấy nội dung này")] * 2
