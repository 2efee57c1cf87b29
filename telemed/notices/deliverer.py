"""Hands over what is due, each way by itself: a gateway that hangs holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from telemed.core.columns import new_uid
from telemed.core.db import Database
from telemed.notices.kinds import Channel
from telemed.notices.outbox import Outcome, Parcel, has_due, settle, take_due

log = logging.getLogger(__name__)

# Less than the lease of a delivery, with room for what is kept afterwards.
ATTEMPT_SECONDS = 30.0


class Gateway(Protocol):
    """Somebody outside who takes messages over."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand one over. May fail in any way; the same parcel may come again."""
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


class Deliverer:
    """One of them in every server process; each delivery is claimed by one."""

    def __init__(self, database: Database, gateways: Mapping[Channel, Gateway]) -> None:
        self._database = database
        self._gateways = gateways
        self._owner = new_uid()

    @property
    def channels(self) -> list[Channel]:
        """The ways that this installation has."""
        return list(self._gateways)

    async def run_due(self, channel: Channel) -> int:
        """Hand over what is due by one way, a bounded number at once; how many were tried."""
        async with self._database.read() as work:
            if not await has_due(work, channel):
                return 0
        async with self._database.work() as work:
            parcels = await take_due(work, channel, self._owner)
        await asyncio.gather(*(self._deliver(channel, parcel) for parcel in parcels))
        return len(parcels)

    async def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        outcome = await self._attempt(channel, parcel)
        if not outcome.is_taken:
            log.warning("%s delivery not taken: %s", channel, outcome.problem)
        async with self._database.work() as work:
            await settle(work, self._owner, parcel, outcome)

    async def _attempt(self, channel: Channel, parcel: Parcel) -> Outcome:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._gateways[channel].send(parcel)
        except TimeoutError:
            return Outcome.again("timeout")
        except Exception as error:  # noqa: BLE001 # whatever the other side does, the notice is kept
            # The words of the error may hold the message or the address.
            log.warning("%s gateway failed: %s", channel, type(error).__name__)
            return Outcome.again(type(error).__name__)

    async def run_forever(self, channel: Channel, pause_seconds: float = 1.0) -> None:
        """Look for what is due by one way until cancelled."""
        while True:
            try:
                busy = await self.run_due(channel)
            except Exception as error:  # the database may be away; the next round tries again
                log.exception("%s round failed: %s", channel, type(error).__name__)
                busy = 0
            if not busy:
                await asyncio.sleep(pause_seconds)

    async def close(self) -> None:
        """Let the gateways go."""
        for gateway in self._gateways.values():
            await gateway.close()
