"""What those see who are told of a request, and the page of the time limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import unescape

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.clocks import DEFAULT_LIMITS
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Urgency
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.scheduling.escalation.service import plan_watches, watch
from tests.conftest import Client
from tests.factories import Case, Factory

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
LIMITS = {"emergency": "5", "urgent": "30", "routine": "1440"}


@dataclass
class Waiting:
    """A request that waits, of which the whole specialty has been told."""

    case: Case
    station: Client
    specialist: Client
    coordinator: Client


@pytest.fixture
async def waiting(
    work: UnitOfWork, make: Factory, signed_in: SignIn, database: Database
) -> Waiting:
    case = await make.case(ConsultState.REQUESTED)
    coordinator = await make.actor(Role.COORDINATOR, phone="0215000111")
    await plan_watches(work)
    await work.commit()
    async with database.work() as other:
        await watch(other, [{"uid": case.consult.uid, "anew": True}])
    return Waiting(
        case,
        await signed_in(case.doctor),
        await signed_in(case.specialist),
        await signed_in(coordinator),
    )


async def test_the_station_sees_who_has_been_told_and_when_it_climbs(waiting: Waiting) -> None:
    page = unescape(
        await (await waiting.station.get(f"/consults/{waiting.case.consult.uid}")).text()
    )
    assert "Đang báo ai" in page
    assert "Cả chuyên khoa" in page
    assert "chưa xem" in page
    assert "thì báo bậc trên" in page
    assert "/seen" not in page


async def test_whoever_was_told_says_so_with_one_press(waiting: Waiting) -> None:
    uid = waiting.case.consult.uid
    page = unescape(await (await waiting.specialist.get(f"/worklist?case={uid}")).text())
    assert f'action="/consults/{uid}/seen"' in page
    answer = await waiting.specialist.post(f"/consults/{uid}/seen")
    page = unescape(await answer.text())
    assert (answer.status, answer.url.path) == (200, "/worklist")
    assert "Đã ghi bạn đã xem" in page
    assert f"{waiting.case.specialist.name} đã xem" in page
    assert f'action="/consults/{uid}/seen"' not in page


async def test_a_coordinator_sees_the_ladder_and_nothing_of_the_patient(waiting: Waiting) -> None:
    uid = waiting.case.consult.uid
    page = unescape(await (await waiting.coordinator.get(f"/worklist?scope=all&case={uid}")).text())
    assert "Đang báo ai" in page
    assert waiting.case.patient.full_name not in page
    refused = await waiting.coordinator.post(f"/consults/{uid}/seen", headers=SCRIPT)
    assert refused.status == 404


async def test_strangers_cannot_tell_a_request_from_none(
    waiting: Waiting, make: Factory, signed_in: SignIn, work: UnitOfWork
) -> None:
    stranger = await make.actor(Role.SPECIALIST, specialty=await make.specialty("skin"))
    await work.commit()
    browser = await signed_in(stranger)
    told = []
    for uid in (waiting.case.consult.uid, "x" * 22):
        answer = await browser.post(f"/consults/{uid}/seen", headers=SCRIPT)
        told.append((answer.status, (await answer.json())["message"]))
    assert told == [(404, "Không tìm thấy nội dung này")] * 2
    uid = waiting.case.consult.uid
    assert (await waiting.station.post(f"/consults/{uid}/seen", headers=SCRIPT)).status == 403


async def test_limits_are_changed_and_requests_say_them(waiting: Waiting) -> None:
    changed = LIMITS | {"emergency": "3", "routine": "90"}
    saved = await waiting.coordinator.post("/response-limits", data=changed)
    assert (saved.status, saved.url.path) == (200, "/duty")
    page = await (await waiting.coordinator.get("/response-limits")).text()
    assert 'value="3"' in page
    assert 'value="90"' in page


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"emergency": "0"}, "emergency"),
        ({"emergency": "x"}, "emergency"),
        ({"urgent": ""}, "urgent"),
        ({"urgent": "-5"}, "urgent"),
        ({"routine": "10081"}, "routine"),
        ({"routine": "29"}, "routine"),
        ({"emergency": "1e9"}, "emergency"),
    ],
)
async def test_a_wrong_limit_is_named_and_the_others_stay(
    waiting: Waiting, change: dict[str, str], field: str
) -> None:
    refused = await waiting.coordinator.post("/response-limits", data=LIMITS | change)
    page = await refused.text()
    assert refused.status == 422
    assert f'<a href="#f-{field}">' in page
    for name, value in (LIMITS | change).items():
        assert f'name="{name}" type="text" value="{value}"' in page


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COORDINATOR])
async def test_only_coordinators_set_limits(
    waiting: Waiting, make: Factory, work: UnitOfWork, signed_in: SignIn, role: Role
) -> None:
    person = await make.actor(role)
    await work.commit()
    browser = await signed_in(person)
    assert (await browser.get("/response-limits")).status == 403
    assert (await browser.post("/response-limits", data=LIMITS)).status == 403


# --- alerts ----------------------------------------------------------------------------------


async def alerts_of(browser: Client) -> list[dict[str, str]]:
    answer = await browser.get("/alerts", headers=SCRIPT)
    assert answer.status == 200
    found: list[dict[str, str]] = (await answer.json())["alerts"]
    return found


async def test_whoever_was_told_is_alerted_until_they_have_seen_it(waiting: Waiting) -> None:
    uid = waiting.case.consult.uid
    (alert,) = await alerts_of(waiting.specialist)
    assert (alert["uid"], alert["urgency"]) == (uid, waiting.case.consult.urgency)
    assert set(alert) == {"uid", "urgency", "specialty", "station", "since"}
    assert waiting.case.patient.full_name not in str(alert)
    assert await alerts_of(waiting.coordinator) == []
    assert (await waiting.station.get("/alerts", headers=SCRIPT)).status == 403
    await waiting.specialist.post(f"/consults/{uid}/seen")
    assert await alerts_of(waiting.specialist) == []


async def test_the_last_rung_alerts_the_coordinators_and_nobody_below(
    waiting: Waiting, database: Database, clock: FakeClock
) -> None:
    clock.advance(DEFAULT_LIMITS[Urgency.URGENT])
    async with database.work() as work:
        await watch(work, [{"uid": waiting.case.consult.uid, "anew": False}])
    assert await alerts_of(waiting.specialist) == []
    assert len(await alerts_of(waiting.coordinator)) == 1


async def test_a_case_that_was_taken_alerts_nobody(waiting: Waiting) -> None:
    path = f"/consults/{waiting.case.consult.uid}/claim"
    claimed = await waiting.specialist.post(path, data={"idempotency_key": "k" * 22})
    assert claimed.status == 200
    assert await alerts_of(waiting.specialist) == []
