"""Fixtures of the socket edge: the whole application with real sockets, and people at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.app import Overrides, create_app
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import UnitOfWork
from telemed.sessions.models import LiveSession
from telemed.web.cookies import login_cookie_name
from tests.factories import Case, Factory
from tests.fakes import FakeRecordingRooms, FakeRelay
from tests.signaling.foreign import ForeignClient, open_socket

Connect = Callable[[Actor], Awaitable[ForeignClient]]
SignIn = Callable[[Actor], Awaitable[dict[str, str]]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What the edge does is the same on every engine; the rules below it are tried on both."""
    return sqlite_url


@pytest.fixture
def recording_rooms() -> FakeRecordingRooms:
    """What stands in for the process that writes recordings."""
    return FakeRecordingRooms()


@pytest.fixture
def relay() -> FakeRelay:
    """What stands in for the process that forwards media."""
    return FakeRelay()


@pytest.fixture
def app(
    settings: Settings, clock: FakeClock, recording_rooms: FakeRecordingRooms, relay: FakeRelay
) -> web.Application:
    """The whole application, whose hints go to its sockets."""
    overrides = Overrides(
        clock=clock, runs_jobs=False, recording_rooms=recording_rooms, relay=relay
    )
    return create_app(settings, overrides)


@pytest.fixture
async def sign_in(work: UnitOfWork, settings: Settings) -> SignIn:
    """Cookies of people, who keep their login; what `work` holds becomes fact first."""
    kept: dict[int, dict[str, str]] = {}

    async def cookies_of(actor: Actor) -> dict[str, str]:
        if actor.id not in kept:
            limits = LoginLimits.of(settings)
            token = await open_login(work, actor.id, LoginStrength.FULL, limits, "Chromium")
            kept[actor.id] = {login_cookie_name(settings): token}
        await work.commit()
        return kept[actor.id]

    return cookies_of


@pytest.fixture
async def connect(
    server: TestServer, settings: Settings, sign_in: SignIn
) -> AsyncIterator[Connect]:
    """Connections of people who have signed in."""
    async with AsyncExitStack() as opened:
        yield partial(open_connection, opened, server, settings, sign_in)


async def open_connection(
    opened: AsyncExitStack,
    server: TestServer,
    settings: Settings,
    sign_in: SignIn,
    actor: Actor,
) -> ForeignClient:
    """One connection of one person, closed with the stack."""
    socket = await opened.enter_async_context(
        open_socket(
            str(server.make_url("")).rstrip("/"),
            origin=settings.origins[0],
            cookies=await sign_in(actor),
        )
    )
    client = await ForeignClient.connect(socket)
    opened.push_async_callback(client.close)
    return client


@dataclass
class World:
    """An accepted case with an open session, and both sides connected."""

    case: Case
    session: str
    doctor: ForeignClient
    specialist: ForeignClient
    people: dict[str, Actor]

    async def both_join(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The specialist comes in first; the answers to both joins."""
        first = await self.specialist.do("session:join", session=self.session)
        second = await self.doctor.do("session:join", session=self.session)
        await self.specialist.push("session:peer-joined")
        return first, second

    async def both_settle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Come in, and let everything arrive that this brings about."""
        joined = await self.both_join()
        grown = [await self.specialist.push("session:event") for _ in range(2)]
        assert [event["kind"] for event in grown] == ["participant_joined", "session_met"]
        await self.doctor.push("session:event")
        return joined


@pytest.fixture
async def people(make: Factory, case: Case) -> dict[str, Actor]:
    """Both sides of the case, and some who have nothing to do with it."""
    specialty = await make.specialty()
    return {
        "doctor": case.doctor,
        "specialist": case.specialist,
        "colleague": await make.actor(Role.COMMUNE_DOCTOR, at=case.station),
        "stranger": await make.actor(Role.COMMUNE_DOCTOR),
        "other specialist": await make.actor(Role.SPECIALIST, specialty=specialty),
        "administrator": await make.actor(Role.ADMINISTRATOR),
    }


@pytest.fixture
async def world(case: Case, live: LiveSession, people: dict[str, Actor], connect: Connect) -> World:
    """Both sides connected, nobody inside yet."""
    uid = live.uid
    doctor, specialist = await connect(case.doctor), await connect(case.specialist)
    return World(case, uid, doctor, specialist, people)
