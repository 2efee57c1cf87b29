"""A case that may be booked, seen in the browsers of both its sides."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select

from telemed.accounts.permissions import Actor
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import Database
from telemed.scheduling.availability import Hours
from telemed.scheduling.models import Booking
from tests.conftest import Client
from tests.factories import Case

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
TOMORROW = datetime(2026, 11, 24, 8, 30, tzinfo=LOCAL_ZONE)
MORNINGS = [Hours(day, 8 * 60, 12 * 60, 30) for day in range(7)]


@dataclass
class Room:
    """A case that may be booked and the browsers of both its sides."""

    case: Case
    doctor: Client
    specialist: Client

    async def book(self, start: str = TOMORROW.isoformat(), *, by: Client | None = None) -> int:
        path = f"/consults/{self.case.consult.uid}/bookings"
        answer = await (by or self.doctor).post(
            path, data={"start": start}, allow_redirects=False, headers=SCRIPT
        )
        return answer.status


async def bookings(database: Database) -> list[Booking]:
    async with database.read() as work:
        return list((await work.session.exec(select(Booking))).all())


def value_of(page: str, name: str) -> str | None:
    """What stands in a field or is chosen in a list."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    chosen = re.search(rf'<select[^>]*name="{name}".*?</select>', page, re.DOTALL)
    option = re.search(r'value="([^"]*)" selected', chosen[0]) if chosen else None
    return field[1] if field else option[1] if option else None
