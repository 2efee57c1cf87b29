"""A call from consent to watching, with a real relay and recorder; only the pages are missing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from sqlmodel import select

from telemed.app import Overrides, create_app
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.keys import DATABASE, RECORDERS
from telemed.sessions.recording.consent_texts import CURRENT
from telemed.sessions.recording.models import RecordingFile
from telemed.sessions.recording.service import patient_text_version
from tests.media.peers import SyntheticPublisher
from tests.media.performing import SECONDS, perform, rehearse
from tests.media.recording.watching import watch
from tests.signaling.conftest import SignIn, World
from tests.signaling.foreign import ForeignClient


@pytest.fixture
def app(settings: Settings, clock: FakeClock) -> web.Application:
    """The whole application, with the relay that it starts itself."""
    loopback = settings.model_copy(update={"relay_private_candidates": True})
    return create_app(loopback, Overrides(clock=clock, runs_jobs=False))


async def agree(world: World) -> None:
    """Everybody, and the patient."""
    await world.specialist.do("session:record-ask", session=world.session)
    said = {"session": world.session, "is_agreed": True}
    await world.doctor.do(
        "session:record-answer", **said, text_version=patient_text_version(), for_patient=True
    )
    for client in (world.doctor, world.specialist):
        await client.do("session:record-answer", **said, text_version=CURRENT.version)


async def way_of(client: ForeignClient, way: str) -> dict[str, Any]:
    return await client.push("session:media", lambda told: told["media"] == way)


async def file_of(database: Database) -> RecordingFile:
    async with database.read() as work:
        return (await work.session.exec(select(RecordingFile))).one()


async def recorder_is_up(app: web.Application) -> None:
    """Its process holds a lock beside the files that it will write."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(lambda: list(app[RECORDERS].folder.glob("*.lock"))):  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0.02)


async def test_what_is_sent_while_everybody_agrees_is_watched_afterwards(
    world: World, app: web.Application, server: TestServer, sign_in: SignIn, tmp_path: Path
) -> None:
    items = await asyncio.to_thread(rehearse)
    _, joined = await world.both_settle()
    await agree(world)
    await way_of(world.doctor, "relay")
    publisher = SyntheticPublisher()
    answered = await world.doctor.do(
        "session:publish",
        session=world.session,
        epoch=joined["epoch"],
        description={"type": "offer", "sdp": await publisher.offer()},
    )
    await publisher.accept(answered["description"]["sdp"])
    await recorder_is_up(app)
    await perform(publisher, items)
    await world.doctor.do("session:record-stop", session=world.session)
    kept = await world.specialist.push(
        "session:event", lambda event: event["kind"] == "recording_kept"
    )
    await way_of(world.doctor, "direct")
    assert kept["data"] == {"files": 1}
    await publisher.close()
    file = await file_of(app[DATABASE])
    url = server.make_url(f"/sessions/{world.session}/recording/files/{file.uid}")
    cookies = await sign_in(world.case.specialist)
    async with ClientSession(cookies=cookies) as browser, browser.get(url) as answer:
        assert answer.status == 200
        taken = tmp_path / "taken.webm"
        await asyncio.to_thread(taken.write_bytes, await answer.read())
    seen = await asyncio.to_thread(watch, taken)
    assert seen.duration > SECONDS - 2
    assert seen.pictures
    assert seen.sounds
