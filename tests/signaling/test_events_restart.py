"""A restart of the server: the seats are taken again, what was missed is replayed, media is not told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from telemed.app import Overrides, create_app
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.keys import DATABASE, JOBS
from telemed.sessions import log, service
from tests.conftest import ServerAsServed
from tests.signaling.conftest import SignIn, World, open_connection


@pytest.fixture
def second_app(settings: Settings, clock: FakeClock) -> web.Application:
    """What runs after the restart, on the same database."""
    return create_app(settings, Overrides(clock=clock, runs_jobs=False))


@pytest.fixture
async def restarted(second_app: web.Application) -> AsyncIterator[TestServer]:
    server = ServerAsServed(second_app)
    async with server:
        yield server


def seat(joined: dict[str, Any]) -> dict[str, Any]:
    return {key: joined[key] for key in ("epoch", "participant_token")}


async def test_after_a_restart_both_keep_seat_epoch_and_log(
    world: World,
    server: TestServer,
    restarted: TestServer,
    second_app: web.Application,
    settings: Settings,
    sign_in: SignIn,
) -> None:
    first, second = await world.both_settle()
    await server.close()
    await world.doctor.closed.wait()
    async with second_app[DATABASE].work() as work:
        await log.say(work, world.case.doctor, world.session, "said meanwhile", "k1")
    async with AsyncExitStack() as opened:
        doctor = await open_connection(opened, restarted, settings, sign_in, world.case.doctor)
        back = await doctor.do(
            "session:join",
            session=world.session,
            last_event=second["last_event"] + 1,
            **seat(second),
        )
        assert (back["resumed"], back["epoch"]) == (True, second["epoch"])
        assert [event["kind"] for event in back["events"]] == ["chat"]
        (other,) = back["participants"]
        assert (other["participant"], other["connected"], other["epoch"]) == (
            first["participant"],
            False,
            None,
        )
        specialist = await open_connection(
            opened, restarted, settings, sign_in, world.case.specialist
        )
        await specialist.do("session:join", session=world.session, **seat(first))
        peer = (await doctor.push("session:peer-state"))["peer"]
        assert (peer["participant"], peer["connected"], peer["epoch"]) == (
            first["participant"],
            True,
            first["epoch"],
        )


async def test_whoever_does_not_come_back_is_found_out_by_a_job(
    world: World,
    server: TestServer,
    restarted: TestServer,
    second_app: web.Application,
    settings: Settings,
    clock: FakeClock,
    sign_in: SignIn,
) -> None:
    first, second = await world.both_settle()
    await server.close()
    async with AsyncExitStack() as opened:
        doctor = await open_connection(opened, restarted, settings, sign_in, world.case.doctor)
        await doctor.do("session:join", session=world.session, **seat(second))
        clock.advance(timedelta(seconds=91))
        async with second_app[DATABASE].work() as work:
            await service.touch(work, [second["participant"]])
        await second_app[JOBS].run_due()
        left = await doctor.push("session:peer-left")
        assert (left["participant"], left["reason"]) == (first["participant"], "link_lost")
