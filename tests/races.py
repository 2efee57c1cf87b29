"""Many hands at once, each with a unit of work of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import TelemedError

HANDS = 50
Attempt = Callable[[UnitOfWork], Awaitable[object]]


async def attempt_all(database: Database, attempts: Iterable[Attempt]) -> list[str]:
    """What became of each, in their order: `done`, or the code of the refusal."""
    return await asyncio.gather(*(_attempt(database, each) for each in attempts))


async def _attempt(database: Database, attempt: Attempt) -> str:
    try:
        async with database.work() as work:
            await attempt(work)
    except TelemedError as refusal:
        return refusal.code
    return "done"
