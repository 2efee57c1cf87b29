"""The pages after a consult: what is open, what was told, what specialists learn, who was content."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.outcomes.models import Outcome, SatisfactionAnswer
from telemed.consults.service import transition
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from tests.conftest import Client
from tests.factories import Case, Factory

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
TOLD = {"status": "improved", "transfer": "avoided", "observed_on": "23/11/2026", "note": "Hết sốt"}


@dataclass
class Room:
    """A closed case and the browsers of both its sides."""

    case: Case
    doctor: Client
    specialist: Client

    @property
    def path(self) -> str:
        return f"/consults/{self.case.consult.uid}"


@pytest.fixture
async def room(work: UnitOfWork, make: Factory, signed_in: SignIn) -> Room:
    case = await make.case(ConsultState.ANSWERED, answered_at=work.now())
    await transition(work, case.doctor, case.consult, ConsultEvent.CLOSE)
    await work.commit()
    return Room(case, await signed_in(case.doctor), await signed_in(case.specialist))


async def outcomes(database: Database) -> list[Outcome]:
    async with database.read() as work:
        return list((await work.session.exec(select(Outcome))).all())


async def test_what_is_due_leads_to_the_form_and_the_form_to_the_specialist(room: Room) -> None:
    page = await (await room.doctor.get("/outcomes")).text()
    assert room.case.patient.full_name in page
    assert f"{room.path}/outcome" in page
    page = await (await room.doctor.post(f"{room.path}/outcome", data=TOLD)).text()
    assert "Đã ghi kết quả" in page
    assert "bác sĩ chuyên khoa chưa xem" in page
    feedback = await (await room.specialist.get("/outcomes?tab=feedback")).text()
    assert "Nhờ hội chẩn nên không phải chuyển" in feedback
    assert "Hết sốt" in feedback
    assert room.case.patient.full_name not in feedback
    page = await (await room.doctor.get(f"{room.path}/outcome")).text()
    assert "bác sĩ chuyên khoa đã xem" in page


async def test_the_first_page_and_the_case_say_what_is_due(
    room: Room, signed_in: SignIn, clock: FakeClock
) -> None:
    assert "Trạm báo ngày 30/11/2026" in await (await room.specialist.get(room.path)).text()
    assert "đến hạn báo kết quả" not in await (await room.doctor.get("/home")).text()
    clock.advance(timedelta(days=8))
    doctor = await signed_in(room.case.doctor)
    assert "1 ca đến hạn báo kết quả" in await (await doctor.get("/home")).text()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": ""}, "status"),
        ({"status": "fine"}, "status"),
        ({"transfer": ""}, "transfer"),
        ({"status": "transferred"}, "transfer"),
        ({"observed_on": "24/11/2026"}, "observed_on"),
        ({"observed_on": "22/11/2026"}, "observed_on"),
        ({"observed_on": "31/11/2026"}, "observed_on"),
        ({"observed_on": "23/11/9999"}, "observed_on"),
        ({"note": "a" * 2001}, "note"),
        ({"patient": "x"}, "patient"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    room: Room, database: Database, changes: dict[str, str], field: str
) -> None:
    answer = await room.doctor.post(f"{room.path}/outcome", data=TOLD | changes, headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [field]
    page = await room.doctor.post(f"{room.path}/outcome", data=TOLD | changes)
    assert page.status == 422
    assert await outcomes(database) == []


async def test_others_find_no_such_case(
    room: Room, make: Factory, signed_in: SignIn, database: Database
) -> None:
    other = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    assert (await other.get(f"{room.path}/outcome")).status == 404
    assert (await other.post(f"{room.path}/outcome", data=TOLD)).status == 404
    assert (await other.get(f"{room.path}/satisfaction/patient")).status == 404
    assert (await room.specialist.post(f"{room.path}/outcome", data=TOLD)).status == 403
    assert await outcomes(database) == []


async def test_hostile_words_are_words(room: Room) -> None:
    note = "<script>alert(1)</script>{{7*7}}"
    await room.doctor.post(f"{room.path}/outcome", data=TOLD | {"note": note})
    page = await (await room.specialist.get("/outcomes?tab=feedback")).text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page


async def test_a_coordinator_reads_counts_and_no_names(
    room: Room, make: Factory, signed_in: SignIn, clock: FakeClock
) -> None:
    clock.advance(timedelta(days=8))
    browser = await signed_in(await make.actor(Role.COORDINATOR))
    page = await (await browser.get("/outcomes")).text()
    assert room.case.station.name in page
    assert room.case.patient.full_name not in page
    assert room.case.consult.diagnosis not in page


async def test_looking_at_the_list_is_on_record(room: Room, database: Database) -> None:
    await room.doctor.get("/outcomes")
    async with database.read() as work:
        records = (await work.session.exec(select(AuditRecord))).all()
    last = next(each for each in reversed(records) if each.subject == "outcomes")
    assert (last.tag, last.person_id) == (AuditTag.CONSULT_LIST, room.case.doctor.id)
    assert last.detail == {"cases": [room.case.consult.uid] * 2}


async def test_the_patient_answers_on_a_page_that_names_nobody(
    room: Room, database: Database
) -> None:
    path = f"{room.path}/satisfaction/patient"
    page = await (await room.doctor.get(path)).text()
    assert room.case.patient.full_name not in page
    assert room.case.doctor.name not in page
    assert "<nav" not in page
    assert len(re.findall(r"<fieldset", page)) == 3
    page = await (await room.doctor.post(path, data={"overall": "5", "explained": "4"})).text()
    assert "Cảm ơn." in page
    again = await room.doctor.post(path, data={"overall": "1"})
    assert again.status == 409
    async with database.read() as work:
        (answer,) = (await work.session.exec(select(SatisfactionAnswer))).all()
    assert answer.marks == {"overall": 5, "explained": 4}


@pytest.mark.parametrize(
    ("asked", "marks", "field"),
    [
        ("patient", {}, "explained"),
        ("patient", {"overall": "6"}, "overall"),
        ("patient", {"overall": "0"}, "overall"),
        ("patient", {"useful": "5"}, "useful"),
        ("requester", {"useful": "x"}, "useful"),
    ],
)
async def test_marks_that_are_none_are_refused(
    room: Room, asked: str, marks: dict[str, str], field: str
) -> None:
    path = f"{room.path}/satisfaction/{asked}"
    await room.doctor.get(path)
    answer = await room.doctor.post(path, data=marks, headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [field]


async def test_trainers_read_the_scores_with_the_rate(
    room: Room, make: Factory, signed_in: SignIn
) -> None:
    path = f"{room.path}/satisfaction/requester"
    await room.doctor.get(path)
    await room.doctor.post(path, data={"useful": "5"})
    browser = await signed_in(await make.actor(Role.TRAINER))
    page = await (await browser.get("/outcomes", params={"tab": "scores"})).text()
    assert "1/1" in page
    assert "quá ít để tính tỷ lệ" in page
    assert (await browser.get("/outcomes", params={"tab": "x"})).status == 422
    assert (
        await browser.get("/outcomes", params={"tab": "scores", "month": "2026-13"})
    ).status == 422
    assert (await room.doctor.get("/outcomes", params={"tab": "scores"})).status == 403
