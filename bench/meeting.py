"""Two people about to meet, for the benchmarks of calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.consults.lifecycle import ConsultState
from telemed.core.config import load_settings
from telemed.core.db import Database
from telemed.sessions.opening import open_for_consult
from tests.factories import Factory
from tests.servers import Telemed


async def settle(folder: Path, secret: str) -> tuple[str, list[str]]:
    """A session of an accepted case; its address, the logins of the doctor and of the specialist."""
    settings = load_settings(data_dir=folder / "var", secret_key=secret)
    await asyncio.to_thread(Telemed(folder, secret_key=secret).command, "migrate")
    database = Database(settings.database, settings=settings)
    async with database.work() as work:
        case = await Factory(work).case(ConsultState.ACCEPTED)
        live = await open_for_consult(work, case.specialist, case.consult.uid)
        limits = LoginLimits.of(settings)
        tokens = [
            await open_login(work, actor.id, LoginStrength.FULL, limits, "Chromium")
            for actor in (case.doctor, case.specialist)
        ]
    await database.close()
    return f"/sessions/{live.uid}", tokens
