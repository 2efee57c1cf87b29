"""A sharp picture on request: who may ask whom, what becomes of it, and what both can read of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import product
from typing import Any

import pytest
from aiohttp import ClientSession, FormData
from aiohttp.test_utils import TestServer

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.columns import new_uid
from telemed.core.config import Settings
from telemed.core.db import UnitOfWork
from telemed.sessions.models import ParticipantRole
from telemed.sessions.opening import open_for_transfer
from telemed.sessions.pictures import OPEN_FOR
from tests import pictures
from tests.factories import Factory
from tests.signaling.conftest import Connect, SignIn, World
from tests.signaling.foreign import ForeignClient

Upload = Callable[[Actor, bytes], Awaitable[str]]


@pytest.fixture
def upload(server: TestServer, settings: Settings, sign_in: SignIn, world: World) -> Upload:
    """Adds a file to the case as any page does; its id."""

    async def send(actor: Actor, data: bytes) -> str:
        url = server.make_url(f"/consults/{world.case.consult.uid}/attachments")
        form = FormData()
        form.add_field("file", data, filename="anh.jpg", content_type="image/jpeg")
        headers = {"Origin": settings.origins[0], "Accept": "application/json"}
        cookies = await sign_in(actor)
        async with (
            ClientSession(cookies=cookies, headers=headers) as client,
            client.post(url, data=form) as answer,
        ):
            assert answer.status == HTTPStatus.CREATED
            return str((await answer.json())["uid"])

    return send


async def ask(world: World) -> tuple[int, str]:
    """The specialist asks the station; the number of the request and who was asked."""
    _, second = await world.both_settle()
    to = second["participant"]
    data = await world.specialist.do("session:picture-ask", session=world.session, to=to)
    return data["ask"], to


async def told(client: ForeignClient, kind: str) -> dict[str, Any]:
    """The next event of a kind that somebody hears of."""
    return await client.push("session:event", lambda event: event["kind"] == kind)


async def answer(world: World, number: int, outcome: str, file: str | None = None) -> str:
    """What the station says; "ok", or the code of the refusal."""
    payload = {"session": world.session, "ask": number, "outcome": outcome, "file": file}
    said = await world.doctor.ask("session:picture-answer", payload)
    return "ok" if said["ok"] else str(said["code"])


async def test_the_station_hears_of_the_request_and_so_does_a_page_that_was_loaded_anew(
    world: World,
) -> None:
    number, to = await ask(world)
    for client in (world.doctor, world.specialist):
        event = await told(client, "picture_asked")
        assert (event["number"], event["data"]) == (number, {"to": to})
        assert event["person"] == world.case.specialist.uid
    again = await world.doctor.do("session:join", session=world.session)
    asked = [event for event in again["events"] if event["kind"] == "picture_asked"]
    assert [event["number"] for event in asked] == [number]


async def test_a_picture_that_was_taken_is_a_file_of_the_case_and_both_are_told(
    world: World, upload: Upload
) -> None:
    number, _ = await ask(world)
    file = await upload(world.case.doctor, pictures.picture("JPEG", (1280, 720)))
    assert await answer(world, number, "waiting") == "ok"
    assert await answer(world, number, "taken", file) == "ok"
    for client in (world.doctor, world.specialist):
        assert (await told(client, "picture_answered"))["data"]["outcome"] == "waiting"
        event = await told(client, "picture_answered")
        assert event["data"] == {
            "ask": number,
            "outcome": "taken",
            "file": file,
            "width": 1280,
            "height": 720,
        }


async def test_the_same_answer_twice_is_one_and_another_comes_too_late(
    world: World, upload: Upload
) -> None:
    number, _ = await ask(world)
    file = await upload(world.case.doctor, pictures.picture("JPEG"))
    assert [await answer(world, number, "taken", file) for _ in range(2)] == ["ok", "ok"]
    for outcome in ("declined", "failed", "waiting"):
        assert await answer(world, number, outcome) == "picture_not_asked"
    log = await world.doctor.do("session:replay", session=world.session, after=0)
    kinds = [event["kind"] for event in log["events"]]
    assert kinds.count("picture_answered") == 1


@pytest.mark.parametrize("outcome", ["declined", "failed"])
async def test_a_refusal_is_an_answer_and_the_next_request_may_follow(
    world: World, outcome: str
) -> None:
    number, to = await ask(world)
    again = {"session": world.session, "to": to}
    assert await world.specialist.code("session:picture-ask", **again) == "picture_waiting"
    assert await answer(world, number, outcome) == "ok"
    said = await told(world.specialist, "picture_answered")
    assert said["data"] == {"ask": number, "outcome": outcome}
    await world.specialist.do("session:picture-ask", **again)


async def test_a_request_that_nobody_answers_does_not_stand_in_the_way_for_ever(
    world: World, clock: FakeClock
) -> None:
    _, to = await ask(world)
    clock.advance(OPEN_FOR)
    await world.specialist.do("session:picture-ask", session=world.session, to=to)


async def test_only_the_specialist_asks_and_only_the_station_is_asked(world: World) -> None:
    first, second = await world.both_settle()
    own, other = second["participant"], first["participant"]
    event = "session:picture-ask"
    assert await world.doctor.code(event, session=world.session, to=other) == "picture_role"
    for client, to in ((world.doctor, own), (world.specialist, other), (world.doctor, new_uid())):
        assert await client.code(event, session=world.session, to=to) == "peer_absent"
    await world.doctor.do("session:leave", session=world.session)
    assert await world.specialist.code(event, session=world.session, to=own) == "peer_absent"


async def test_only_whoever_was_asked_answers(world: World) -> None:
    number, _ = await ask(world)
    declined = {"session": world.session, "outcome": "declined"}
    for client, each in ((world.specialist, number), (world.doctor, number - 1)):
        code = await client.code("session:picture-answer", **declined, ask=each)
        assert code == "picture_not_asked"


async def test_a_file_is_a_picture_of_this_case_by_whoever_was_asked(
    world: World, upload: Upload
) -> None:
    number, _ = await ask(world)
    others = await upload(world.people["colleague"], pictures.picture("PNG"))
    paper = await upload(world.case.doctor, pictures.PDF)
    for file in (others, paper, new_uid()):
        assert await answer(world, number, "taken", file) == "picture_unknown"
    assert await answer(world, number, "declined") == "ok"


async def test_a_file_comes_with_a_picture_that_was_taken_and_with_no_other_answer(
    world: World,
) -> None:
    number, _ = await ask(world)
    assert await answer(world, number, "taken") == "fields_invalid"
    for outcome, file in product(("waiting", "declined", "failed"), (new_uid(),)):
        assert await answer(world, number, outcome, file) == "fields_invalid"


async def test_a_session_without_a_case_has_nothing_to_keep_a_picture_in(
    make: Factory, work: UnitOfWork, world: World, connect: Connect
) -> None:
    trainer = await make.actor(Role.TRAINER)
    station = world.case.station.id
    assert station
    members = [(world.case.doctor.id, ParticipantRole.TRAINEE)]
    live = await open_for_transfer(work, trainer, title="x", station_id=station, members=members)
    client = await connect(trainer)
    joined = await client.do("session:join", session=live.uid)
    to = joined["participant"]
    assert await client.code("session:picture-ask", session=live.uid, to=to) == "no_case"
