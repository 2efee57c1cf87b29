"""The check before a call: its page, its blocks of bytes, what it keeps, and what is made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.columns import new_uid
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.sessions import opening
from telemed.sessions import service as sessions
from telemed.sessions.link.views import MOST_DOWN, MOST_UP
from telemed.sessions.quality.service import record
from tests.conftest import Client
from tests.factories import Factory
from tests.unit.test_call_quality import summary

SignedIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
RESULT: dict[str, Any] = {
    "key": "a-check-of-somebody",
    "is_well": True,
    "rtt_ms": 70,
    "up_kbps": 90,
    "down_kbps": 1200,
    "relay_udp": None,
}


@pytest.fixture
async def doctor(make: Factory) -> Actor:
    return await make.actor(Role.COMMUNE_DOCTOR)


async def save(client: Client, **changes: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post("/check/result", headers=SCRIPT, json=RESULT | changes)
    return answer.status, await answer.json()


async def test_a_check_is_kept_and_says_what_to_expect(signed_in: SignedIn, doctor: Actor) -> None:
    client = await signed_in(doctor)
    words = "nên nói chuyện và gửi ảnh tĩnh"
    assert words not in await (await client.get("/check")).text()
    assert await save(client) == (200, {"saved": True})
    for page in ("/check", "/home"):
        text = await (await client.get(page)).text()
        assert words in text
        assert "style=" not in text


async def test_a_check_elsewhere_is_for_the_person_alone(
    signed_in: SignedIn, make: Factory
) -> None:
    client = await signed_in(await make.actor(Role.SPECIALIST))
    assert await save(client) == (200, {"saved": False})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": "short"}, "key"),
        ({"is_well": None}, "is_well"),
        ({"up_kbps": -1}, "up_kbps"),
        ({"rtt_ms": 10**9}, "rtt_ms"),
        ({"loss_permille": 1001}, "loss_permille"),
        ({"station": 1}, "station"),
    ],
)
async def test_a_malformed_result_is_refused(
    signed_in: SignedIn, doctor: Actor, changes: dict[str, Any], field: str
) -> None:
    status, answer = await save(await signed_in(doctor), **changes)
    assert (status, answer["fields"][0]["field"]) == (422, field)


async def test_blocks_are_as_large_as_asked_and_never_kept(
    signed_in: SignedIn, doctor: Actor
) -> None:
    client = await signed_in(doctor)
    answer = await client.get("/check/down?bytes=16000&again=1", headers=SCRIPT)
    body = await answer.read()
    assert (answer.status, len(body)) == (200, 16_000)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in answer.headers
    sent = await client.post("/check/up", headers=SCRIPT, data=body)
    assert (sent.status, await sent.json()) == (200, {"bytes": 16_000})


async def test_blocks_that_are_too_large_are_refused(signed_in: SignedIn, doctor: Actor) -> None:
    client = await signed_in(doctor)
    for asked in (0, MOST_DOWN + 1, "x"):
        assert (await client.get(f"/check/down?bytes={asked}", headers=SCRIPT)).status == 422
    sent = await client.post("/check/up", headers=SCRIPT, data=b"0" * (MOST_UP + 1))
    assert sent.status == 413


async def test_blocks_without_end_are_refused(signed_in: SignedIn, doctor: Actor) -> None:
    client = await signed_in(doctor)
    answers = [(await client.get("/check/down?bytes=1", headers=SCRIPT)).status for _ in range(70)]
    assert (answers[0], answers[-1]) == (200, 429)


async def test_strangers_move_no_bytes(client: Client) -> None:
    assert (await client.get("/check/down?bytes=1", headers=SCRIPT)).status == 401
    assert (await client.post("/check/up", headers=SCRIPT, data=b"0")).status == 401


async def test_the_specialist_sees_the_link_of_the_station_before_calling(
    signed_in: SignedIn, make: Factory
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    await save(await signed_in(case.doctor))
    client = await signed_in(case.specialist)
    text = await (await client.get(f"/consults/{case.consult.uid}")).text()
    assert "nên nói chuyện và gửi ảnh tĩnh" in text


async def test_a_station_without_a_good_look_asks_for_a_drill(
    signed_in: SignedIn, doctor: Actor
) -> None:
    client = await signed_in(doctor)
    assert "data-drill" in await (await client.get("/home")).text()
    await save(client, is_drill=True, loss_permille=0)
    assert "data-drill" not in await (await client.get("/home")).text()


async def loop(client: Client, **body: Any) -> int:
    return (await client.post("/check/loop", headers=SCRIPT, json=body)).status


async def test_offers_that_are_none_are_refused_and_too_many_slowed_down(
    signed_in: SignedIn, doctor: Actor, client: Client
) -> None:
    assert await loop(client, offer="v=0") == 401
    at_station = await signed_in(doctor)
    for body in ({}, {"offer": 1}, {"offer": "v=0"}, {"offer": "v" * 20_000}):
        assert await loop(at_station, **body) == 422
    assert {await loop(at_station, offer="v=0") for _ in range(8)} == {422, 429}


async def test_of_all_pages_of_a_station_one_drills(
    signed_in: SignedIn, work: UnitOfWork, make: Factory, doctor: Actor
) -> None:
    (station,) = doctor.station_ids
    place = await work.session.get_one(Facility, station)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=place)
    # The first is refused for its offer, after it was taken for the one.
    assert await loop(await signed_in(doctor), offer="v=0", is_drill=True) == 422
    assert await loop(await signed_in(colleague), offer="v=0", is_drill=True) == 429
    elsewhere = await make.actor(Role.COMMUNE_DOCTOR)
    assert await loop(await signed_in(elsewhere), offer="v=0", is_drill=True) == 422


async def test_a_drill_knows_the_servers_of_a_call(signed_in: SignedIn, doctor: Actor) -> None:
    answer = await (await signed_in(doctor)).get("/check/ice", headers=SCRIPT)
    assert await answer.json() == {"ice_servers": []}


async def test_a_coordinator_asks_a_station_and_reads_what_came_of_it(
    signed_in: SignedIn, work: UnitOfWork, make: Factory, doctor: Actor
) -> None:
    (station,) = doctor.station_ids
    uid = (await work.session.get_one(Facility, station)).uid
    coordinator = await make.actor(Role.COORDINATOR, at=await make.hospital())
    client = await signed_in(coordinator)
    asked = await client.post(f"/quality/stations/{uid}/drill", data={})
    assert "Đã gọi trạm diễn tập" in await asked.text()
    gone = await client.post(f"/quality/stations/{new_uid()}/drill", headers=SCRIPT, data={})
    assert gone.status == 404
    at_station = await signed_in(doctor)
    denied = await at_station.post(f"/quality/stations/{uid}/drill", headers=SCRIPT, data={})
    assert denied.status == 403
    for loss, words in (
        (1000, "tiếng không qua được"),
        (420, "42\u00a0%"),
        (None, "không đo được"),
    ):
        await save(
            at_station, key=f"a-drill-of-{loss}-somebody"[:22], is_drill=True, loss_permille=loss
        )
        client = await signed_in(coordinator)
        assert words in await (await client.get("/quality")).text()
        at_station = await signed_in(doctor)


async def test_coordinators_see_red_stations_and_calls_by_month(
    signed_in: SignedIn, work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    live = await opening.open_for_consult(work, case.specialist, case.consult.uid)
    await sessions.enter(work, case.doctor, live.uid, resumes=False)
    coordinator = await make.actor(Role.COORDINATOR, at=await make.hospital())
    client = await signed_in(coordinator)
    text = await (await client.get("/quality")).text()
    assert "Cần kiểm tra" in text
    assert "Chưa có cuộc gọi nào được đo" in text
    await record(work, case.doctor, live.uid, summary())
    await work.commit()
    text = await (await client.get("/quality")).text()
    assert "Cần kiểm tra" not in text
    for shown in (case.station.name, "11/2026", "0,9", "1,0", "9,0"):
        assert shown in text
    assert "style=" not in text


@pytest.mark.parametrize("role", [Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.ADMINISTRATOR])
async def test_others_have_no_such_page(signed_in: SignedIn, make: Factory, role: Role) -> None:
    client = await signed_in(await make.actor(role))
    assert (await client.get("/quality", headers=SCRIPT)).status == 403
