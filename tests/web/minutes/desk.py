"""A case in hand and both its browsers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import ClientResponse

from telemed.accounts.permissions import Actor
from telemed.core.clock import FakeClock
from tests.conftest import Client
from tests.factories import Case
from tests.people import PASSWORD, code_at

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
TYPED = {"conclusion_1": "Ở lại trạm, theo dõi SpO2", "advice": "Thở oxy", "referral": "stay"}


@dataclass
class Room:
    """A case in hand, both its browsers, and what the specialist proves to be one with."""

    case: Case
    doctor: Client
    specialist: Client
    secret: str
    clock: FakeClock

    @property
    def path(self) -> str:
        return f"/consults/{self.case.consult.uid}/minutes"

    async def sign(self, code: str | None = None, **changes: str) -> ClientResponse:
        """Sign, unless told otherwise with the code that the authenticator shows now."""
        shown = self.code() if code is None else code
        form = TYPED | {"password": PASSWORD, "code": shown} | changes
        return await self.specialist.post(f"{self.path}/sign", data=form)

    def code(self) -> str:
        self.clock.advance(timedelta(seconds=30))
        return code_at(self.secret, self.clock.now())

    async def decide(self, **changes: str) -> ClientResponse:
        form = {"verdict": "accepted", "password": PASSWORD} | changes
        return await self.doctor.post(f"{self.path}/decision", data=form)

    async def keep(self, values: dict[str, str], revision: int = 0) -> ClientResponse:
        body = {"revision": revision, "values": values}
        return await self.specialist.post(f"{self.path}/draft", json=body, headers=SCRIPT)
