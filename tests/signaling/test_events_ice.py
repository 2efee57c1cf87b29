"""Credentials of TURN over sockets: whose they are, when they are renewed, who gets none."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from html import unescape

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.media.ice import turn_credential
from tests.signaling.conftest import Connect, SignIn, World

SECRET = "a-secret-that-is-shared-with-coturn"
URLS = ["turn:turn.example:3478?transport=udp", "turns:turn.example:5349?transport=tcp"]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """An installation with a TURN server."""
    return settings.model_copy(update={"turn_urls": URLS, "turn_secret": SecretStr(SECRET)})


def expected(participant: str, until: datetime) -> list[dict[str, object]]:
    username, credential = turn_credential(SECRET.encode(), participant, until)
    return [{"urls": URLS, "username": username, "credential": credential}]


async def test_each_gets_credentials_of_their_own(world: World, clock: FakeClock) -> None:
    until = clock.now().replace(microsecond=0) + timedelta(hours=4)
    for joined in await world.both_join():
        assert datetime.fromisoformat(joined["ice_expires_at"]) == until
        assert joined["ice_servers"] == expected(joined["participant"], until)


async def test_credentials_are_renewed_for_who_is_inside(world: World, clock: FakeClock) -> None:
    first, _ = await world.both_join()
    clock.advance(timedelta(hours=2))
    renewed = await world.specialist.do("session:ice", session=world.session)
    until = clock.now().replace(microsecond=0) + timedelta(hours=4)
    assert renewed == {
        "now": clock.now().isoformat(),
        "ice_servers": expected(first["participant"], until),
        "ice_expires_at": until.isoformat(),
    }


async def test_nobody_outside_gets_any(world: World, connect: Connect) -> None:
    await world.specialist.do("session:join", session=world.session)
    assert await world.doctor.code("session:ice", session=world.session) == "not_joined"
    await world.doctor.do("session:join", session=world.session)
    await world.doctor.do("session:leave", session=world.session)
    assert await world.doctor.code("session:ice", session=world.session) == "not_joined"
    again = await connect(world.case.specialist)
    assert await again.code("session:ice", session=world.session) == "not_joined"


async def test_nobody_gets_any_after_the_end(world: World) -> None:
    await world.both_settle()
    await world.doctor.do("session:end", session=world.session)
    ended = {"session_ended", "not_joined"}
    assert await world.doctor.code("session:ice", session=world.session) in ended
    assert await world.specialist.code("session:ice", session=world.session) in ended
    assert await world.doctor.code("session:join", session=world.session) == "session_ended"


async def test_the_page_of_the_room_has_some_for_ten_minutes(
    world: World, server: TestServer, sign_in: SignIn, clock: FakeClock
) -> None:
    """A path is looked for while the page comes in."""
    cookies = await sign_in(world.case.doctor)
    async with ClientSession(cookies=cookies) as browser:
        page = await browser.get(server.make_url(f"/sessions/{world.session}"))
        text = unescape(await page.text())
    until = clock.now().replace(microsecond=0) + timedelta(minutes=10)
    who = f"{world.session}-{world.case.doctor.uid}"
    assert json.dumps(expected(who, until)[0]["credential"]) in text
    assert page.headers["Cache-Control"] == "no-store"


async def test_nobody_gets_any_with_a_page_that_is_not_theirs_or_is_over(
    world: World, server: TestServer, sign_in: SignIn
) -> None:
    address = server.make_url(f"/sessions/{world.session}")
    async with ClientSession(cookies=await sign_in(world.people["stranger"])) as browser:
        assert "turn.example" not in await (await browser.get(address)).text()
    await world.both_settle()
    await world.doctor.do("session:end", session=world.session)
    async with ClientSession(cookies=await sign_in(world.case.doctor)) as browser:
        assert "turn.example" not in await (await browser.get(address)).text()
