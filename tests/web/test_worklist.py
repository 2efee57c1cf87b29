"""The worklist through a browser without scripts: order, pages, claims, and what nobody may see."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.models import PersonSpecialty
from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, Urgency
from telemed.consults.worklist.lists import PAGE_SIZE
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import list_events, stream_of
from tests.factories import RANKS, Case, Factory
from tests.web.cases import (
    CLINICAL,
    NOT_BEFORE_CLAIM,
    QUESTION,
    REASON,
    Browser,
    SignIn,
    canary_case,
    found_in,
    press,
    text_of,
)

JSON = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
UNKNOWN = "A" * 22


def rows(page: str) -> list[str]:
    """Ids of the rows of a list, in their order."""
    return re.findall(r'data-role="row" data-uid="([\w-]{22})"', page)


def shown(page: str) -> str:
    """The preview beside the list."""
    return page[page.index('data-role="preview"') :]


async def waiting(make: Factory, urgency: Urgency, minutes_left: int, **changes: Any) -> Case:
    now = make._work.now()
    return await make.case(
        urgency=urgency,
        rank=RANKS[urgency],
        due_at=now + timedelta(minutes=minutes_left),
        **changes,
    )


@pytest.fixture
async def specialist(make: Factory) -> Actor:
    return await make.actor(Role.SPECIALIST, specialty=await make.specialty())


# --- order and pages -------------------------------------------------------------------------


async def test_emergencies_come_first_and_then_who_is_due(
    make: Factory, specialist: Actor, signed_in: SignIn
) -> None:
    late_routine = await waiting(make, Urgency.ROUTINE, -600)
    urgent_later = await waiting(make, Urgency.URGENT, 20)
    urgent_sooner = await waiting(make, Urgency.URGENT, 2)
    emergency = await waiting(make, Urgency.EMERGENCY, 9)
    overdue = await waiting(make, Urgency.EMERGENCY, -4)
    page = await text_of(await signed_in(specialist), "/worklist")
    order = (overdue, emergency, urgent_sooner, urgent_later, late_routine)
    assert rows(page) == [case.consult.uid for case in order]
    assert "Quá 4\u00a0phút" in page
    assert "Chờ nhận" in page
    assert "(5)" in page


async def test_pages_walk_the_list_once_even_when_it_moves(
    work: UnitOfWork, make: Factory, specialist: Actor, signed_in: SignIn
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    expected = []
    for minute in range(PAGE_SIZE + 5):
        case = await waiting(
            make, Urgency.URGENT, minute // 2, doctor=doctor, specialist=specialist
        )
        expected.append(case.consult.uid)
    browser = await signed_in(specialist)
    first = await text_of(browser, "/worklist")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    newcomer = await waiting(make, Urgency.EMERGENCY, 9, doctor=doctor, specialist=specialist)
    await work.commit()
    second = await text_of(browser, older[1].replace("&amp;", "&"))
    assert rows(first) + rows(second) == expected
    assert 'rel="next"' not in second
    assert rows(await text_of(browser, "/worklist"))[0] == newcomer.consult.uid


@pytest.mark.parametrize(
    "query",
    [
        "after=1",
        "after=x.y.z",
        "after=1.999999999999999999.1",
        "after=9999999999999999999.1.1",
        "lane=everything",
        "lane=under_way",
        "scope=mine",
        "case=" + "A" * 23,
        "surprise=1",
    ],
)
async def test_an_odd_query_is_refused_and_names_its_field(
    make: Factory, specialist: Actor, signed_in: SignIn, query: str
) -> None:
    browser = await signed_in(specialist)
    async with browser.get(f"/worklist?{query}", headers=JSON) as answer:
        body = await answer.json()
    assert answer.status == 422
    assert body["fields"][0]["field"] == query.split("=", maxsplit=1)[0]


async def test_filters_and_their_counts(make: Factory, work: UnitOfWork, signed_in: SignIn) -> None:
    internal, surgery = await make.specialty(), await make.specialty("surgery")
    me = await make.actor(Role.SPECIALIST, specialty=internal)
    assert surgery.id
    work.session.add(PersonSpecialty(person_id=me.id, specialty_id=surgery.id))
    other = await make.actor(Role.SPECIALIST, specialty=surgery)
    here = await make.case(specialist=me)
    there = await make.case(specialist=other)
    asked = await make.case(ConsultState.NEEDS_INFO, specialist=me)
    held = await make.case(ConsultState.ACCEPTED, specialist=me)
    done = await make.case(ConsultState.CLOSED, specialist=me, closed_at=work.now())
    browser = await signed_in(me)
    every = await text_of(browser, "/worklist")
    assert set(rows(every)) == {here.consult.uid, there.consult.uid}
    assert "Mọi chuyên khoa (2)" in every
    assert "Chờ bổ sung (1)" in every
    assert "Của tôi (1)" in every
    for query, case in {
        "lane=waiting&specialty=surgery": there,
        "lane=needs_info": asked,
        "lane=mine": held,
        "lane=answered": done,
    }.items():
        assert rows(await text_of(browser, f"/worklist?{query}")) == [case.consult.uid]


async def test_who_is_asked_by_name_sees_the_case_of_another_specialty(
    make: Factory, signed_in: SignIn
) -> None:
    eye = await make.actor(Role.SPECIALIST, specialty=await make.specialty("eye"))
    case = await make.case(named_id=eye.id)
    page = await text_of(await signed_in(eye), "/worklist")
    assert rows(page) == [case.consult.uid]
    assert "Mời đích danh bạn" in page


async def test_what_waits_is_told_to_a_script_by_id_alone(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await canary_case(work, make)
    await make.case(ConsultState.NEEDS_INFO, specialist=case.specialist)
    browser = await signed_in(case.specialist)
    async with browser.get("/worklist/waiting", headers=JSON) as answer:
        assert await answer.json() == {
            "ok": True,
            "data": {"waiting": [{"uid": case.consult.uid, "urgency": "urgent"}]},
        }


# --- what may be seen ------------------------------------------------------------------------


async def test_before_a_claim_a_specialist_sees_how_urgent_it_is_and_not_who_it_is(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await canary_case(work, make)
    uid = case.consult.uid
    browser = await signed_in(case.specialist)
    for url in (
        "/home",
        "/worklist",
        f"/worklist?case={uid}",
        "/worklist/waiting",
        f"/consults/{uid}",
        *(f"/consults/{uid}/{act}" for act in ("ask", "decline", "pass-on")),
    ):
        assert found_in(await text_of(browser, url), NOT_BEFORE_CLAIM) == []
    preview = shown(await text_of(browser, f"/worklist?case={uid}"))
    for word in ("Nam, 95\u00a0tuổi", QUESTION, REASON, "Mạch", "1 hình ảnh hoặc tệp"):
        assert word in preview


async def test_after_the_claim_the_specialist_sees_everything_and_the_queue_nothing(
    work: UnitOfWork, make: Factory, specialist: Actor, signed_in: SignIn
) -> None:
    case = await canary_case(work, make)
    uid = case.consult.uid
    winner, queue = await signed_in(case.specialist), await signed_in(specialist)
    async with press(winner, f"/consults/{uid}/claim") as answer:
        page = await answer.text()
    assert answer.url.path == f"/consults/{uid}"
    assert "Bạn đã nhận ca" in page
    assert "CANARY VĂN ĐỊNH" in page
    assert "07/09/1931" in page
    for url in ("/worklist", f"/worklist?case={uid}", "/home"):
        assert found_in(await text_of(queue, url), CLINICAL) == []
    await text_of(queue, f"/consults/{uid}", 404)


async def test_a_coordinator_sees_where_a_case_waits_and_nothing_clinical(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    waiting_case = await canary_case(work, make)
    held = await make.case(ConsultState.ACCEPTED, reason=REASON)
    coordinator = await signed_in(await make.actor(Role.COORDINATOR))
    uid = waiting_case.consult.uid
    for url in (
        "/home",
        "/worklist",
        "/worklist?scope=all&lane=under_way",
        f"/worklist?case={uid}",
        f"/worklist?case={held.consult.uid}",
        "/worklist/waiting",
        *(f"/consults/{uid}/{act}" for act in ("pass-on", "cancel")),
        f"/consults/{held.consult.uid}/release",
    ):
        page = await text_of(coordinator, url)
        assert found_in(page, (*CLINICAL, "tuổi", waiting_case.patient.full_name)) == []
    preview = shown(await text_of(coordinator, f"/worklist?case={uid}"))
    assert waiting_case.consult.number
    assert waiting_case.consult.number in preview


@pytest.mark.parametrize("role", [Role.TRAINER, Role.ADMINISTRATOR])
async def test_trainers_and_administrators_have_no_worklist_and_a_home_without_patients(
    work: UnitOfWork, make: Factory, signed_in: SignIn, role: Role
) -> None:
    case = await canary_case(work, make)
    browser = await signed_in(await make.actor(role))
    assert found_in(await text_of(browser, "/home"), CLINICAL) == []
    for url in ("/worklist", f"/worklist?case={case.consult.uid}", "/worklist/waiting"):
        assert found_in(await text_of(browser, url, 403), CLINICAL) == []


async def test_a_case_that_one_may_not_see_looks_like_one_that_is_not_there(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await canary_case(work, make)
    stranger = await make.actor(Role.SPECIALIST, specialty=await make.specialty("eye"))
    browser = await signed_in(stranger)
    pages = [
        (await text_of(browser, f"/worklist?case={uid}")).replace(uid, "")
        for uid in (case.consult.uid, UNKNOWN)
    ]
    assert pages[0] == pages[1]
    assert "không còn trong danh sách của bạn" in pages[0]


async def test_every_look_is_on_record(
    work: UnitOfWork, make: Factory, database: Database, signed_in: SignIn
) -> None:
    case = await canary_case(work, make)
    uid = case.consult.uid
    await text_of(await signed_in(case.specialist), f"/worklist?case={uid}")
    async with database.read() as reading:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.CONSULT_TRIAGE)
        records = (await reading.session.exec(query.order_by(col(AuditRecord.sequence)))).all()
    assert [(record.subject, record.patient_id) for record in records] == [
        ("worklist", None),
        (stream_of("consult", uid), case.patient.id),
    ]
    assert records[0].detail["cases"] == [uid]
    assert {record.person_id for record in records} == {case.specialist.id}


# --- claiming --------------------------------------------------------------------------------


async def test_who_comes_second_reads_why_above_the_list_as_it_is_now(
    make: Factory, specialist: Actor, signed_in: SignIn, database: Database
) -> None:
    case, left = await make.case(), await make.case()
    uid = case.consult.uid
    first, second = await signed_in(case.specialist), await signed_in(specialist)
    async with press(first, f"/consults/{uid}/claim") as answer:
        assert answer.status == 200
    async with press(second, f"/consults/{uid}/claim") as answer:
        page = await answer.text()
    assert answer.status == 409
    assert "Bác sĩ khác vừa nhận ca này lúc 09:00. Danh sách đã cập nhật." in page
    assert rows(page) == [left.consult.uid]
    async with second.post(f"/consults/{uid}/claim", json={}, headers=JSON) as answer:
        assert answer.status == 409
        assert (await answer.json())["code"] == "claimed_by_other"
    async with database.read() as work:
        consult = await work.session.get_one(Consult, case.consult.id)
    assert consult.assigned_id == case.specialist.id


async def test_claims_at_the_same_moment_leave_one_winner(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    case, specialty = await make.case(), await make.specialty()
    actors = [await make.actor(Role.SPECIALIST, specialty=specialty) for _ in range(8)]
    browsers = [await signed_in(actor) for actor in actors]
    url = f"/consults/{case.consult.uid}/claim"

    async def claim(browser: Browser) -> int:
        async with browser.post(url, json={}, headers=JSON) as answer:
            return answer.status

    assert Counter(await asyncio.gather(*map(claim, browsers))) == {200: 1, 409: 7}
    async with database.read() as work:
        facts = await list_events(work, stream_of("consult", case.consult.uid))
    assert [fact.kind for fact in facts] == ["consult_claimed"]


async def test_the_same_key_gives_the_same_answer_and_one_claim(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    case = await make.case()
    browser = await signed_in(case.specialist)
    url, form = f"/consults/{case.consult.uid}/claim", {"idempotency_key": "k-1"}
    answers = []
    for _ in range(2):
        async with browser.post(url, data=form, allow_redirects=False) as answer:
            answers.append((answer.status, answer.headers["Location"]))
    assert answers == [(303, f"/consults/{case.consult.uid}")] * 2
    async with database.read() as work:
        assert len(await list_events(work, stream_of("consult", case.consult.uid))) == 1


async def test_a_claim_takes_nothing_but_its_key(make: Factory, signed_in: SignIn) -> None:
    case = await make.case()
    browser = await signed_in(case.specialist)
    url = f"/consults/{case.consult.uid}/claim"
    async with browser.post(url, data={"assigned_id": "1"}, headers=JSON) as answer:
        assert answer.status == 422
        assert (await answer.json())["fields"][0]["field"] == "assigned_id"


@pytest.mark.parametrize("uid", ["forbidden", "unknown"])
async def test_a_case_of_another_specialty_cannot_be_claimed(
    make: Factory, signed_in: SignIn, uid: str
) -> None:
    case = await make.case()
    stranger = await make.actor(Role.SPECIALIST, specialty=await make.specialty("eye"))
    browser = await signed_in(stranger)
    target = {"forbidden": case.consult.uid, "unknown": UNKNOWN}[uid]
    async with browser.post(f"/consults/{target}/claim", json={}, headers=JSON) as answer:
        body = await answer.json()
    assert (answer.status, body["code"], body["message"]) == (
        404,
        "not_found",
        "Không tìm thấy nội dung này",
    )


def test_the_canaries_are_told_apart() -> None:
    assert not set(NOT_BEFORE_CLAIM) & {REASON, QUESTION}
