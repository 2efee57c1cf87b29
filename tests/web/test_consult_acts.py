"""What is done with a case, by forms that work without scripts: reasons, targets, conflicts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telemed.accounts.permissions import Role
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.db import Database, UnitOfWork
from telemed.core.events import list_events, stream_of
from telemed.scheduling.models import Booking, BookingState
from tests.factories import Case, Factory
from tests.web.cases import (
    CLINICAL,
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
ACTS = ("decline", "ask", "pass-on", "release", "cancel", "resubmit")


async def state_of(database: Database, case: Case) -> Consult:
    async with database.read() as work:
        return await work.session.get_one(Consult, case.consult.id)


@pytest.mark.parametrize("act", ACTS)
async def test_the_page_of_an_act_is_refused_as_if_there_were_no_case(
    work: UnitOfWork, make: Factory, signed_in: SignIn, act: str
) -> None:
    case = await canary_case(work, make, S.ACCEPTED)
    strangers = (
        await make.actor(Role.COMMUNE_DOCTOR),
        await make.actor(Role.SPECIALIST, specialty=await make.specialty("eye")),
        await make.actor(Role.TRAINER),
        await make.actor(Role.ADMINISTRATOR),
    )
    for actor in strangers:
        browser = await signed_in(actor)
        seen = []
        for uid in (case.consult.uid, UNKNOWN):
            async with browser.get(f"/consults/{uid}/{act}") as shown:
                page = await shown.text()
            async with press(browser, f"/consults/{uid}/{act}", reason="x", to="eye") as done:
                seen.append((shown.status, done.status, without_noise(page, uid)))
            assert found_in(page, CLINICAL) == []
        assert seen[0] == seen[1]
        assert seen[0][0] in {403, 404}


# (act, state before, who, form, state after, where it leads)
STEPS: list[tuple[str, ConsultState, str, dict[str, str], ConsultState, str]] = [
    ("ask", S.REQUESTED, "specialist", {"reason": "Đo lại?"}, S.NEEDS_INFO, "/worklist"),
    ("decline", S.REQUESTED, "specialist", {"reason": "Sai khoa"}, S.DECLINED, "/worklist"),
    ("decline", S.ACCEPTED, "specialist", {"reason": "Sai khoa"}, S.DECLINED, "/worklist"),
    (
        "pass-on",
        S.ACCEPTED,
        "specialist",
        {"reason": "Cần mổ", "to": "surgery"},
        S.REQUESTED,
        "/worklist",
    ),
    (
        "pass-on",
        S.REQUESTED,
        "coordinator",
        {"reason": "Nội hết người", "to": "surgery"},
        S.REQUESTED,
        "/worklist",
    ),
    ("release", S.ACCEPTED, "specialist", {"reason": "Vào mổ"}, S.REQUESTED, "/worklist"),
    ("release", S.PAUSED, "coordinator", {"reason": "Vào mổ"}, S.REQUESTED, "/worklist"),
    ("cancel", S.REQUESTED, "doctor", {"reason": "Đã về"}, S.CANCELLED, ""),
    ("cancel", S.DRAFT, "doctor", {}, S.CANCELLED, ""),
    ("cancel", S.REQUESTED, "coordinator", {"reason": "Trùng"}, S.CANCELLED, "/worklist"),
    ("resubmit", S.DECLINED, "doctor", {"to": "surgery"}, S.REQUESTED, ""),
    ("answer-info", S.NEEDS_INFO, "doctor", {"reason": "Đã đo"}, S.REQUESTED, ""),
]


async def browser_of(who: str, case: Case, make: Factory, signed_in: SignIn) -> Browser:
    people = {"doctor": case.doctor, "specialist": case.specialist}
    return await signed_in(people.get(who) or await make.actor(Role.COORDINATOR))


@pytest.mark.parametrize(("act", "before", "who", "form", "after", "leads_to"), STEPS)
async def test_an_act_is_a_form_that_works_without_scripts(
    make: Factory,
    signed_in: SignIn,
    database: Database,
    act: str,
    before: ConsultState,
    who: str,
    form: dict[str, str],
    after: ConsultState,
    leads_to: str,
) -> None:
    await make.specialty("surgery")
    case = await make.case(before)
    browser = await browser_of(who, case, make, signed_in)
    url = f"/consults/{case.consult.uid}"
    async with browser.post(
        f"{url}/{act}", data={"idempotency_key": "k", **form}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers.get("Location")) == (303, leads_to or url)
    assert (await state_of(database, case)).state is after


@pytest.mark.parametrize(
    ("act", "before", "who"),
    [
        ("ask", S.REQUESTED, "specialist"),
        ("decline", S.REQUESTED, "specialist"),
        ("pass-on", S.REQUESTED, "specialist"),
        ("release", S.ACCEPTED, "specialist"),
        ("cancel", S.REQUESTED, "doctor"),
    ],
)
async def test_an_act_without_its_reason_comes_back_with_what_was_typed(
    make: Factory,
    signed_in: SignIn,
    database: Database,
    act: str,
    before: ConsultState,
    who: str,
) -> None:
    await make.specialty("surgery")
    case = await make.case(before)
    browser = await browser_of(who, case, make, signed_in)
    url = f"/consults/{case.consult.uid}/{act}"
    assert 'name="reason"' in await text_of(browser, url)
    too_long = "Lý do rất dài. " * 60
    async with press(browser, url, reason=too_long, to="surgery") as answer:
        page = await answer.text()
    assert answer.status == 422
    assert 'href="#f-reason"' in page
    assert too_long.strip() in page
    async with press(browser, url, reason="  ", to="surgery") as answer:
        assert answer.status == 422
    assert (await state_of(database, case)).state is before


async def test_passing_on_needs_a_target_of_the_list(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    case = await make.case(S.ACCEPTED)
    browser = await signed_in(case.specialist)
    url = f"/consults/{case.consult.uid}/pass-on"
    for to in ("", "nowhere", "internal"):
        async with press(browser, url, reason="Cần khoa khác", to=to) as answer:
            page = await answer.text()
        assert answer.status == 422
        assert 'href="#f-to"' in page
        assert "Cần khoa khác" in page
    assert (await state_of(database, case)).state is S.ACCEPTED


@pytest.mark.parametrize("act", ["cancel", "resubmit"])
async def test_an_act_that_came_too_late_is_a_conflict(
    make: Factory, signed_in: SignIn, act: str
) -> None:
    await make.specialty("surgery")
    case = await make.case(S.CLOSED)
    browser = await signed_in(case.doctor)
    url = f"/consults/{case.consult.uid}/{act}"
    await text_of(browser, url, 409)
    async with press(browser, url, reason="Muộn", to="surgery") as answer:
        assert answer.status == 409


@pytest.mark.parametrize("act", ["release", "pass-on", "cancel"])
async def test_the_booked_time_of_a_case_that_leaves_its_specialist_is_free_again(
    work: UnitOfWork, make: Factory, signed_in: SignIn, database: Database, act: str
) -> None:
    await make.specialty("surgery")
    case = await make.case(S.SCHEDULED)
    start = work.now() + timedelta(hours=1)
    booking = Booking(
        consult_id=case.consult.id or 0,
        specialist_id=case.specialist.id,
        patient_id=case.patient.id or 0,
        station_id=case.station.id or 0,
        start_at=start,
        end_at=start + timedelta(minutes=30),
        booked_by_id=case.doctor.id,
        created_at=work.now(),
    )
    work.session.add(booking)
    who = {"cancel": case.doctor}.get(act, case.specialist)
    browser = await signed_in(who)
    async with press(browser, f"/consults/{case.consult.uid}/{act}", reason="Vì", to="surgery"):
        pass
    async with database.read() as reading:
        kept = await reading.session.get_one(Booking, booking.id)
    assert kept.state is BookingState.CANCELLED


async def test_the_same_key_makes_one_step(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    case = await make.case()
    browser = await signed_in(case.specialist)
    url = f"/consults/{case.consult.uid}/ask"
    form = {"idempotency_key": "k", "reason": "Đo lại huyết áp?"}
    statuses = []
    for _ in range(3):
        async with browser.post(url, data=form, allow_redirects=False) as answer:
            statuses.append(answer.status)
    async with browser.post(url, data=form | {"reason": "Khác"}, headers=JSON) as answer:
        assert answer.status == 422
    assert statuses == [303, 303, 303]
    async with database.read() as work:
        facts = await list_events(work, stream_of("consult", case.consult.uid))
    assert [fact.kind for fact in facts] == ["info_asked"]
