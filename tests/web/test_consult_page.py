"""The page of a case through a browser without scripts: both sides, every state, every act."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Role
from telemed.consults.case.conversation import MESSAGES_SHOWN, post
from telemed.consults.lifecycle import OVER, ConsultState
from telemed.consults.models import Message, ReadMark
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from tests.factories import Factory
from tests.web.cases import (
    CLINICAL,
    IDENTITY,
    TALK,
    Browser,
    SignIn,
    canary_case,
    found_in,
    press,
    text_of,
    without_noise,
)

S = ConsultState
JSON = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
UNKNOWN = "A" * 22
READ_PAGES = ("", "?view=files", "?view=request", "/events", "/messages")


def filled(page: str) -> list[str]:
    """Words of the filled buttons of a page."""
    found = re.findall(
        r'<(?:a|button) class="btn go[^"]*"[^>]*>(.*?)</(?:a|button)>', page, re.DOTALL
    )
    return [re.sub(r"<[^>]+>", "", words).strip() for words in found]


# --- who sees it -----------------------------------------------------------------------------


async def test_both_sides_see_the_whole_case(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await canary_case(work, make, S.ACCEPTED)
    url = f"/consults/{case.consult.uid}"
    for actor in (case.doctor, case.specialist):
        browser = await signed_in(actor)
        page = await text_of(browser, url)
        for word in (
            "CANARY VĂN ĐỊNH",
            "011\u00a0031\u00a0777\u00a0001".replace("\u00a0", "&nbsp;"),
            TALK,
        ):
            assert word in page
        assert IDENTITY["allergies"] in page
        sheet = await text_of(browser, f"{url}?view=request")
        assert "Canary tiền sử" in sheet


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.COMMUNE_DOCTOR, 404),
        (Role.SPECIALIST, 404),
        (Role.TRAINER, 403),
        (Role.COORDINATOR, 403),
        (Role.ADMINISTRATOR, 403),
    ],
)
async def test_everybody_else_is_refused_as_if_there_were_no_case(
    work: UnitOfWork, make: Factory, signed_in: SignIn, role: Role, status: int
) -> None:
    case = await canary_case(work, make, S.ACCEPTED)
    browser = await signed_in(await make.actor(role, specialty=await make.specialty()))
    for page in READ_PAGES:
        answers = [
            without_noise(await text_of(browser, f"/consults/{uid}{page}", status), uid)
            for uid in (case.consult.uid, UNKNOWN)
        ]
        assert found_in(answers[0], CLINICAL) == []
        assert answers[0] == answers[1]


async def test_a_specialist_who_may_only_judge_is_led_to_the_worklist(
    make: Factory, signed_in: SignIn
) -> None:
    case = await make.case()
    browser = await signed_in(case.specialist)
    async with browser.get(f"/consults/{case.consult.uid}", allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == f"/worklist?case={case.consult.uid}"


async def test_a_closed_case_shuts_for_its_specialist_after_the_days_of_the_settings(
    work: UnitOfWork, make: Factory, signed_in: SignIn, clock: FakeClock
) -> None:
    days = timedelta(days=work.settings.case_access_days_after_close)
    old = await make.case(S.CLOSED, closed_at=work.now() - days - timedelta(seconds=1))
    fresh = await make.case(S.CLOSED, specialist=old.specialist, closed_at=work.now() - days)
    browser = await signed_in(old.specialist)
    await text_of(browser, f"/consults/{fresh.consult.uid}")
    await text_of(browser, f"/consults/{old.consult.uid}", 404)
    await text_of(await signed_in(old.doctor), f"/consults/{old.consult.uid}")


async def test_a_read_is_on_record(make: Factory, signed_in: SignIn, database: Database) -> None:
    case = await make.case(S.ACCEPTED)
    await text_of(await signed_in(case.doctor), f"/consults/{case.consult.uid}")
    async with database.read() as work:
        records = (await work.session.exec(select(AuditRecord))).all()
    reads = [record for record in records if record.tag is AuditTag.CONSULT_READ]
    assert [(record.person_id, record.patient_id) for record in reads] == [
        (case.doctor.id, case.patient.id)
    ]


# --- the next step ---------------------------------------------------------------------------

STATION_STEPS = {
    S.DRAFT: ["Mở bản nháp"],
    S.REQUESTED: [],
    S.NEEDS_INFO: ["Gửi trả lời"],
    S.ACCEPTED: ["Gọi ngay"],
    S.SCHEDULED: ["Vào phòng"],
    S.IN_SESSION: ["Vào phòng"],
    S.PAUSED: ["Gọi lại"],
    S.ANSWERED: ["Xem kết luận và ký"],
    S.CLOSED: ["Xem biên bản"],
    S.DECLINED: ["Gửi nơi khác"],
    S.CANCELLED: ["Viết yêu cầu mới"],
    S.EXPIRED: ["Viết yêu cầu mới"],
}
SPECIALIST_STEPS = {
    S.ACCEPTED: ["Gọi ngay"],
    S.SCHEDULED: ["Vào phòng"],
    S.IN_SESSION: ["Vào phòng"],
    S.PAUSED: ["Ghi và ký kết luận"],
    S.ANSWERED: ["Xem biên bản"],
    S.CLOSED: ["Xem biên bản"],
}


async def test_a_station_has_one_thing_to_do_next_in_every_state(
    make: Factory, signed_in: SignIn
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    cases = {state: await make.case(state, doctor=doctor) for state in ConsultState}
    browser = await signed_in(doctor)
    found = {
        state: filled(await text_of(browser, f"/consults/{case.consult.uid}"))
        for state, case in cases.items()
    }
    assert found == STATION_STEPS


async def test_a_specialist_has_one_thing_to_do_next_in_every_state(
    make: Factory, signed_in: SignIn
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    specialist = await make.actor(Role.SPECIALIST, specialty=await make.specialty())
    cases = {
        state: await make.case(state, doctor=doctor, specialist=specialist)
        for state in SPECIALIST_STEPS
    }
    browser = await signed_in(specialist)
    found = {
        state: filled(await text_of(browser, f"/consults/{case.consult.uid}"))
        for state, case in cases.items()
    }
    assert found == SPECIALIST_STEPS


# --- conversation and log --------------------------------------------------------------------


async def test_a_message_is_sent_read_and_seen_to_be_read(
    make: Factory, signed_in: SignIn, database: Database, clock: FakeClock
) -> None:
    case = await make.case(S.ACCEPTED)
    url = f"/consults/{case.consult.uid}"
    station, hospital = await signed_in(case.doctor), await signed_in(case.specialist)
    async with press(station, f"{url}/messages", text="Nhịp thở 26 lần/phút") as answer:
        page = await answer.text()
    assert "Máy chủ đã nhận 09:00" in page
    assert "1 tin mới" in await text_of(hospital, "/worklist?lane=mine")
    assert "Nhịp thở 26 lần/phút" in await text_of(hospital, f"{url}/messages")
    async with database.read() as work:
        (mark,) = (await work.session.exec(select(ReadMark))).all()
    assert mark.person_id == case.doctor.id
    clock.advance(timedelta(minutes=3))
    async with press(hospital, f"{url}/read", up_to=str(mark.message_id)):
        pass
    given = case.specialist.name.split()[-1]
    assert f"Bác sĩ {given} đã xem 09:03" in await text_of(station, url)
    assert "1 tin mới" not in await text_of(hospital, "/worklist?lane=mine")


async def test_a_script_sends_a_message_and_gets_its_id(make: Factory, signed_in: SignIn) -> None:
    case = await make.case(S.ACCEPTED)
    browser = await signed_in(case.doctor)
    url = f"/consults/{case.consult.uid}/messages"
    async with browser.post(url, json={"text": "Chào"}, headers=JSON) as answer:
        assert answer.status == 201
        assert set(await answer.json()) == {"message", "number"}
    for body in (
        {"text": " "},
        {"text": "x" * 4001},
        {"text": 3},
        {"author_id": 1},
        {"text": "\0"},
    ):
        async with browser.post(url, json=body, headers=JSON) as answer:
            assert answer.status == 422
            assert (await answer.json())["fields"]


async def test_markup_in_a_message_is_shown_as_text(make: Factory, signed_in: SignIn) -> None:
    case = await make.case(S.ACCEPTED)
    browser = await signed_in(case.doctor)
    async with press(
        browser, f"/consults/{case.consult.uid}/messages", text="<script>alert(1)</script>"
    ) as answer:
        page = await answer.text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("state", sorted(OVER - {S.CLOSED}))
async def test_nothing_is_said_any_more_in_a_case_that_was_given_up(
    make: Factory, signed_in: SignIn, state: ConsultState
) -> None:
    case = await make.case(state)
    browser = await signed_in(case.doctor)
    url = f"/consults/{case.consult.uid}"
    assert 'name="text"' not in await text_of(browser, url)
    async with press(browser, f"{url}/messages", text="Còn ai không?") as answer:
        assert answer.status == 409


async def test_the_log_is_replayed_from_a_number(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await make.case(S.ACCEPTED)
    for number in range(3):
        await post(work, case.doctor, case.consult.uid, f"Tin {number}")
    browser = await signed_in(case.specialist)
    url = f"/consults/{case.consult.uid}/events"
    async with browser.get(f"{url}?after=1", headers=JSON) as answer:
        body: dict[str, Any] = await answer.json()
    assert (body["ok"], body["data"]["last_event"], body["data"]["more"]) == (True, 3, False)
    assert [event["number"] for event in body["data"]["events"]] == [2, 3]
    event = body["data"]["events"][0]
    assert set(event) == {"number", "at", "kind", "person", "name", "data"}
    assert (event["kind"], event["person"], event["name"]) == (
        "message_posted",
        case.doctor.uid,
        case.doctor.name,
    )
    async with browser.get(f"{url}?after={2**50}", headers=JSON) as answer:
        assert (await answer.json())["data"] == {"events": [], "last_event": 3, "more": False}
    for after in ("-1", "x", str(2**70)):
        async with browser.get(f"{url}?after={after}", headers=JSON) as answer:
            assert answer.status == 422


# --- homes -----------------------------------------------------------------------------------


async def test_the_home_of_a_station_names_who_waits_for_it(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    asked = await make.case(
        S.NEEDS_INFO, doctor=doctor, state_reason="Trẻ còn bú được không?", state_at=work.now()
    )
    await make.case(S.REQUESTED, doctor=doctor)
    over = await make.case(S.CLOSED, doctor=doctor, closed_at=work.now())
    elsewhere = await make.case(S.NEEDS_INFO)
    browser = await signed_in(doctor)
    page = await text_of(browser, "/home")
    assert "Trẻ còn bú được không?" in page
    assert filled(page) == ["Trả lời ngay"]
    assert f'href="/consults/{asked.consult.uid}"' in page
    assert over.consult.uid not in page
    assert elsewhere.consult.uid not in page
    past = await text_of(browser, "/home?shelf=over")
    assert over.consult.uid in past


@pytest.mark.parametrize("role", Role)
async def test_every_home_has_one_thing_to_do_next(
    make: Factory, signed_in: SignIn, role: Role
) -> None:
    station = await make.facility()
    posted = {"posted_to": station} if role is Role.ROTATED_DOCTOR else {}
    browser = await signed_in(await make.actor(role, **posted))
    assert len(filled(await text_of(browser, "/home"))) == 1


async def test_the_entrance_leads_in_or_to_the_sign_in(
    make: Factory, signed_in: SignIn, client: Browser
) -> None:
    async with client.get("/", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/sign-in"
    browser = await signed_in(await make.actor(Role.TRAINER))
    async with browser.get("/", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/home"


async def test_a_long_conversation_is_read_to_its_beginning(
    work: UnitOfWork, make: Factory, signed_in: SignIn
) -> None:
    case = await make.case(S.ACCEPTED)
    assert case.consult.id
    texts = [f"Tin thứ {number}." for number in range(MESSAGES_SHOWN + 2)]
    for text in texts:
        work.session.add(
            Message(consult_id=case.consult.id, author_id=case.doctor.id, text=text, at=work.now())
        )
        await work.session.flush()
    await work.commit()
    browser = await signed_in(case.specialist)
    url = f"/consults/{case.consult.uid}"
    newest = await text_of(browser, url)
    assert [text for text in texts if text in newest] == texts[2:]
    earlier = re.search(r'href="([^"]+[?]before=\d+)#tin"', newest)
    assert earlier
    oldest = await text_of(browser, earlier[1])
    assert [text for text in texts if text in oldest] == texts[:2]
    assert "?before=" not in oldest
    assert "Về tin mới nhất" in oldest
    assert "Về tin mới nhất" not in newest
