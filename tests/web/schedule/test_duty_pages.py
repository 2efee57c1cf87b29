"""Pages of the roster: read by all who give or ask for care, filled by coordinators."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import unescape

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from tests.conftest import Client
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


@dataclass
class Desk:
    """Somebody who may be on duty, and the browser of whoever writes the roster."""

    specialist: Actor
    coordinator: Client

    async def seen(self) -> str:
        page = await (await self.coordinator.get("/duty/chest")).text()
        found = re.search(r'name="seen" value="([^"]*)"', page)
        assert found
        return found[1]


@pytest.fixture
async def desk(work: UnitOfWork, make: Factory, signed_in: SignIn) -> Desk:
    specialty = await make.specialty("chest")
    specialist = await make.actor(Role.SPECIALIST, specialty=specialty, full_name="Hà Thu")
    coordinator = await make.actor(Role.COORDINATOR, phone="0215000111", full_name="Điều Phối")
    await work.commit()
    return Desk(specialist, await signed_in(coordinator))


async def test_a_week_is_filled_and_the_station_sees_who_is_on_duty(
    desk: Desk, make: Factory, work: UnitOfWork, signed_in: SignIn
) -> None:
    page = unescape(await (await desk.coordinator.get("/duty")).text())
    assert "Xếp trực Khoa chest" in page
    saved = await desk.coordinator.post(
        "/duty/chest", data={"seen": await desk.seen(), "first_0": desk.specialist.uid}
    )
    assert (saved.status, saved.url.path) == (200, "/duty")
    assert "Đã lưu lịch trực" in unescape(await saved.text())
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    await work.commit()
    station = await signed_in(doctor)
    home = unescape(await (await station.get("/home")).text())
    assert "Đang trực" in home
    assert "Bác sĩ Hà Thu" in home
    week = unescape(await (await station.get("/duty")).text())
    assert "Hà Thu" in week
    assert "/duty/chest" not in week


async def test_the_phone_of_the_coordinator_on_duty_is_at_hand(
    desk: Desk, make: Factory, work: UnitOfWork, signed_in: SignIn
) -> None:
    page = await (await desk.coordinator.get("/duty/-")).text()
    chosen = re.findall(r'<option value="([^"]{22})">', page)[0]
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen
    await desk.coordinator.post("/duty/-", data={"seen": seen[1], "coordinator_0": chosen})
    doctor = await make.actor(Role.COMMUNE_DOCTOR)
    await work.commit()
    home = await (await (await signed_in(doctor)).get("/home")).text()
    assert 'href="tel:0215000111"' in home


async def test_a_week_begins_like_the_one_before(desk: Desk) -> None:
    data = {"seen": await desk.seen(), "first_0": desk.specialist.uid}
    await desk.coordinator.post("/duty/chest", data=data)
    page = await (await desk.coordinator.get("/duty/chest?day=30/11/2026&like=before")).text()
    assert f'value="{desk.specialist.uid}" selected' in page
    empty = await (await desk.coordinator.get("/duty/chest?day=30/11/2026")).text()
    assert "selected" not in empty


async def test_what_is_wrong_is_said_in_its_place_and_the_rest_stays(desk: Desk) -> None:
    data = {"seen": await desk.seen(), "first_0": desk.specialist.uid, "second_1": "x" * 22}
    refused = await desk.coordinator.post("/duty/chest", data=data)
    page = await refused.text()
    assert refused.status == 422
    assert re.findall(r'<a href="#f-([a-z0-9_]+)"', page) == ["second_1"]
    assert f'value="{desk.specialist.uid}" selected' in page
    assert "selected" not in await (await desk.coordinator.get("/duty/chest")).text()


async def test_who_comes_second_is_told_that_the_week_has_changed(desk: Desk) -> None:
    seen = await desk.seen()
    data = {"seen": seen, "first_0": desk.specialist.uid}
    assert (await desk.coordinator.post("/duty/chest", data=data)).status == 200
    late = await desk.coordinator.post("/duty/chest", data={"seen": seen}, headers=SCRIPT)
    assert (late.status, (await late.json())["code"]) == (409, "changed_meanwhile")


@pytest.mark.parametrize("path", ["/duty/unknown", "/duty/chest?day=x", "/duty/chest?like=all"])
async def test_odd_addresses_are_refused(desk: Desk, path: str) -> None:
    answer = await desk.coordinator.get(path, headers=SCRIPT)
    assert answer.status == (404 if path == "/duty/unknown" else 422)


@pytest.mark.parametrize(
    ("role", "reads"),
    [
        (Role.COMMUNE_DOCTOR, 200),
        (Role.ROTATED_DOCTOR, 200),
        (Role.SPECIALIST, 200),
        (Role.TRAINER, 403),
        (Role.ADMINISTRATOR, 403),
    ],
)
async def test_others_read_at_most(
    desk: Desk, make: Factory, work: UnitOfWork, signed_in: SignIn, role: Role, reads: int
) -> None:
    person = await make.actor(role)
    await work.commit()
    browser = await signed_in(person)
    assert (await browser.get("/duty")).status == reads
    assert (await browser.get("/duty/chest")).status == 403
    assert (await browser.post("/duty/chest", data={})).status == 403
