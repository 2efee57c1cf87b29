"""The history as pages: nobody learns from a lesson whom it was about."""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from markupsafe import escape

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import ConsultQuestion
from telemed.core.db import UnitOfWork
from telemed.core.records import SignatureMethod
from telemed.core.text import fold
from telemed.patients.models import ConsentGiver
from telemed.sessions import minutes
from tests.conftest import Client
from tests.factories import Case, Factory

SignIn = Callable[[Actor], Awaitable[Client]]

# What is planted into every free text of the case, and what of it may be left nowhere.
CANARIES = (
    "Giàng Thị Mỷ",
    "GIÀNG THỊ MỶ",
    "giang thi my",
    "chị Thị Mỷ",
    "chị Mỷ",
    "Sùng A Chá",
    "anh Chá",
    "Vàng Thị Dợ",
    "Mùa A Phử",
    "011185000777",
    "0111 8500 0777",
    "042042042",
    "DN4010112345678",
    "0912345678",
    "0912.345.678",
    "+84 912 345 678",
    "0987 654 321",
    "bản Nậm Chim",
    "xã Si Pa Phìn",
    "08/03/1985",
    "8.3.85",
    "1985-03-08",
    "ngày 8 tháng 3 năm 1985",
)
TELLING = (
    *("giang thi my", "thi my", "chi my", "sung a cha", "anh cha", "vang thi do", "mua a phu"),
    *("nam chim", "si pa phin", "011185000777", "042042042", "dn4010112345678", "912345678"),
    *("987654321", "8 tháng 3", "08031985"),
)
SYMPTOM = "sốt cao, khó thở tăng dần"


def planted(field: str) -> str:
    """A text of one field: a symptom among everything that must not be seen."""
    return f"{field}: {SYMPTOM}. " + "; ".join(CANARIES)


@dataclass
class Lesson:
    """A closed case full of canaries, and a trainer's browser."""

    case: Case
    trainer: Client


@pytest.fixture
async def lesson(work: UnitOfWork, make: Factory, signed_in: SignIn) -> Lesson:
    texts = ("reason", "history", "examination", "medication", "treatment")
    fields: dict[str, Any] = {name: planted(name) for name in texts}
    fields |= {"diagnosis": planted("diagnosis")[:500], "search_text": fold(SYMPTOM)}
    case = await make.case(ConsultState.ACCEPTED, **fields)
    await identify(work, make, case)
    await conclude(work, case)
    trainer = await signed_in(await make.actor(Role.TRAINER))
    return Lesson(case, trainer)


async def identify(work: UnitOfWork, make: Factory, case: Case) -> None:
    patient = case.patient
    patient.full_name, patient.folded_name = "Giàng Thị Mỷ", "giang thi my"
    patient.personal_number, patient.old_number = "011185000777", "042042042"
    patient.insurance_number = "DN4010112345678"
    patient.phone, patient.guardian_phone = "0912345678", "0987654321"
    patient.guardian_name = "Sùng A Chá"
    patient.address = "Bản Nậm Chim, xã Si Pa Phìn"
    work.session.add(patient)
    await make.consent(
        case, given_by=ConsentGiver.GUARDIAN, giver_name="Vàng Thị Dợ", interpreter="Mùa A Phử"
    )
    work.session.add(
        ConsultQuestion(consult_id=case.consult.id or 0, number=2, text=planted("question")[:1000])
    )
    await work.session.flush()


async def conclude(work: UnitOfWork, case: Case) -> None:
    typed = {
        "conclusion_1": planted("conclusion_1"),
        "conclusion_2": planted("conclusion_2"),
        "findings": planted("findings"),
        "advice": planted("advice"),
        "referral": "stay",
    }
    uid, method = case.consult.uid, SignatureMethod.PASSWORD
    await minutes.sign(work, case.specialist, uid, typed, method)
    await minutes.decide(
        work, case.doctor, uid, verdict="modified", reason=planted("decision"), method=method
    )


def shown(page: str) -> str:
    """What a page says, without its markup and its addresses."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


async def test_no_canary_sings_in_list_or_lesson(lesson: Lesson) -> None:
    for path in ("/history", f"/history?q={SYMPTOM}", f"/history/{lesson.case.consult.uid}"):
        answer = await lesson.trainer.get(path)
        page = await answer.text()
        assert answer.status == 200
        for canary in CANARIES:
            assert canary not in page
            assert canary not in shown(page)
        folded = fold(shown(page))
        digits = re.sub(r"\D", "", folded)
        assert [word for word in TELLING if word in folded or word in digits] == []


async def test_the_lesson_itself_is_still_there(lesson: Lesson) -> None:
    page = await (await lesson.trainer.get(f"/history/{lesson.case.consult.uid}")).text()
    told = ("reason", "history", "examination", "medication", "treatment", "diagnosis", "question")
    concluded = ("conclusion_1", "conclusion_2", "advice", "decision")
    assert [name for name in (*told, *concluded) if f"{name}: {SYMPTOM}" not in page] == []
    assert "Làm theo, có sửa" in page
    assert "40–44 tuổi" in page
    assert "11/2026" in page


async def test_the_station_reads_its_case_as_it_was(lesson: Lesson, signed_in: SignIn) -> None:
    doctor = await signed_in(lesson.case.doctor)
    page = await (await doctor.get("/history")).text()
    assert "Giàng Thị Mỷ" in page
    assert f'href="/consults/{lesson.case.consult.uid}"' in page
    assert "23/11/2026" in page


async def test_a_lesson_is_unknown_to_everybody_else(
    lesson: Lesson, make: Factory, signed_in: SignIn
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    script = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
    for actor in (lesson.case.doctor, lesson.case.specialist, stranger):
        browser = await signed_in(actor)
        answers = [
            await browser.get(f"/history/{uid}", headers=script)
            for uid in (lesson.case.consult.uid, "x" * 22)
        ]
        bodies = [await answer.json() for answer in answers]
        assert [answer.status for answer in answers] == [404, 404]
        assert {body["code"] for body in bodies} == {"not_found"}
        assert {body["message"] for body in bodies} == {bodies[0]["message"]}


async def test_pages_lead_on_and_keep_what_was_asked(make: Factory, signed_in: SignIn) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    for _ in range(60):
        await make.case(ConsultState.CLOSED, doctor=doctor, search_text="sot cao")
    browser = await signed_in(doctor)
    url, seen = "/history?q=s%E1%BB%91t&state=closed", list[str]()
    for _ in range(3):
        page = await (await browser.get(url)).text()
        seen += re.findall(r'href="/consults/([\w-]{22})"', page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        url = html.unescape(older[1]) if older else ""
    assert url == ""
    assert (len(seen), len(set(seen))) == (60, 60)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("before=0", "before"),
        (f"station={2**31}", "station"),
        ("specialty=x", "specialty"),
        ("state=odd", "state"),
        ("first=31/02/2026", "first"),
        ("last=01/01/0001", "last"),
        ("last=31/12/9999", "last"),
        ("q=" + "a" * 201, "q"),
        ("q=%00", "q"),
        ("q=a&q=b", "q"),
        ("sort=name", "sort"),
    ],
)
async def test_odd_questions_are_refused_by_their_field(
    make: Factory, signed_in: SignIn, query: str, field: str
) -> None:
    browser = await signed_in(await make.actor(Role.TRAINER))
    script = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
    answer = await browser.get(f"/history?{query}", headers=script)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [field]


@pytest.mark.parametrize("typed", ['"*', "' OR 1=1--", "%", "_", "<script>alert(1)</script>"])
async def test_signs_find_nothing_and_are_shown_as_text(lesson: Lesson, typed: str) -> None:
    answer = await lesson.trainer.get("/history", params={"q": typed})
    page = await answer.text()
    assert answer.status == 200
    assert "Không tìm thấy ca nào." in page
    assert f'value="{escape(typed)}"' in page
    assert "<script>alert" not in page
