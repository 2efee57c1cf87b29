"""The people and cases of a province, the server they use, and the calls that go on there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.config import load_settings
from telemed.core.db import Database, UnitOfWork
from tests.factories import Factory
from tests.servers import Telemed
from tests.soaking.calls import Call, Conference, Pace, Pair, Tally, go_on
from tests.soaking.media import Clock, speech
from tests.soaking.people import Login, Member, Person
from tests.soaking.watched import RELAY, SERVER, Look, Watched

SECRET: Final = "a-secret-for-those-who-never-rest-long"
GUESTS: Final = 4
# What ends by itself does so within this: connections of the relay are looked at once a second.
SETTLE_SECONDS: Final = 3.0
LOOK_AGAIN_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Sides:
    """A case, and the logins of everybody who talks about it: the station's first."""

    consult: str
    logins: tuple[Login, ...]


@dataclass(frozen=True)
class Moment:
    """Both processes, while every call stands still."""

    server: Look
    relay: Look


class Province:
    """Calls of two and one of six, all at once, at one server."""

    def __init__(self, server: Watched, pairs: Sequence[Sides], six: Sides, pace: Pace) -> None:
        self.server = server
        self.tally = Tally()
        self._clock = Clock()
        voice = speech()
        self.members = [Member(login, self._clock, voice) for login in six.logins]
        self._calls: list[Call] = [
            Conference(six.consult, self.members, self.tally, pace),
            *(
                Pair(each.consult, [Person(login) for login in each.logins], self.tally, pace)
                for each in pairs
            ),
        ]
        self._resting = 0
        self._rested = asyncio.Event()
        self._may_go = asyncio.Event()
        self._may_go.set()

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[Self]:
        """Media goes on meanwhile."""
        beating = asyncio.create_task(self._clock.run())
        try:
            yield self
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating

    async def go_round(self) -> None:
        """Every call once, from its beginning to its end. Raises what goes wrong in one."""
        async with asyncio.TaskGroup() as group:
            for call in self._calls:
                group.create_task(call.once(_go_on))

    async def go_on(self) -> None:
        """One call after the other, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for call in self._calls:
                group.create_task(go_on(call, self.tally, self._rest))

    async def stop(self) -> None:
        """Everybody is gone, in the middle of what they did."""
        for call in self._calls:
            await call.stop()

    async def look(self) -> Moment:
        """How both processes are now."""
        return Moment(await self.server.look(SERVER), await self.server.look(RELAY))

    async def look_at_rest(self) -> Moment:
        """The same with every call in full swing, standing still."""
        self._resting = 0
        self._rested.clear()
        self._may_go.clear()
        try:
            await self._rested.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            return await self.look()
        finally:
            self._may_go.set()

    async def look_until_as(self, before: Moment, patience: float) -> Moment:
        """The first look with nothing more than before; the last one when there is always more."""
        end = asyncio.get_running_loop().time() + patience
        while True:
            now = await self.look()
            is_over = asyncio.get_running_loop().time() > end
            if is_over or not (
                now.server.grown_since(before.server) or now.relay.grown_since(before.relay)
            ):
                return now
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _rest(self) -> None:
        if self._may_go.is_set():
            return
        self._resting += 1
        if self._resting == len(self._calls):
            self._rested.set()
        await self._may_go.wait()


async def _go_on() -> None:
    """Nobody looks."""


async def settle(server: Telemed, *, pairs: int, guests: int) -> tuple[list[Sides], Sides]:
    """Cases with both their sides, and one with so many colleagues of the station besides."""
    settings = load_settings(data_dir=server.directory / "var", secret_key=SECRET)
    database = Database(settings.database, settings=settings)
    limits = LoginLimits.of(settings)
    async with database.work() as work:
        make = Factory(work)
        two = [await _sides(work, make, server.origin, limits) for _ in range(pairs)]
        more = await _sides(work, make, server.origin, limits, guests=guests)
    await database.close()
    return two, more


@asynccontextmanager
async def founded(folder: Path, *, pairs: int, pace: Pace) -> AsyncIterator[Province]:
    """A province with so many calls of two, at a server that has just been started."""
    server = Watched(folder, secret_key=SECRET)
    await asyncio.to_thread(server.command, "migrate")
    two, six = await settle(server, pairs=pairs, guests=GUESTS)
    await asyncio.to_thread(server.start)
    try:
        async with Province(server, two, six, pace).beating() as province:
            yield province
    finally:
        await asyncio.to_thread(server.stop)


async def _sides(
    work: UnitOfWork, make: Factory, origin: str, limits: LoginLimits, guests: int = 0
) -> Sides:
    case = await make.case(ConsultState.ACCEPTED)
    people: list[Actor] = [case.doctor, case.specialist]
    people += [await make.actor(Role.COMMUNE_DOCTOR, at=case.station) for _ in range(guests)]
    logins = [
        Login(
            origin,
            await open_login(work, each.id, LoginStrength.FULL, limits, "Chromium"),
            each.uid,
        )
        for each in people
    ]
    return Sides(case.consult.uid, tuple(logins))
