"""The JavaScript client, which the pages use, understands every ending as it is meant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from telemed.signaling.engine.server import FAILED
from tests.servers import free_port
from tests.signaling.engine.clients import WAIT_SECONDS, serving

SCRIPT = Path(__file__).with_name("browser_client.mjs")
GREETING = [["connect"], ["ack", "An"], ["failure", FAILED]]


class Page:
    """A client in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hears(self, count: int) -> list[list[Any]]:
        """The next things it says it heard."""
        assert self._process.stdout
        async with asyncio.timeout(WAIT_SECONDS):
            return [json.loads(await self._process.stdout.readline()) for _ in range(count)]


@asynccontextmanager
async def page(origin: str, *wish: str) -> AsyncIterator[Page]:
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), origin, *wish, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Page(process)
    finally:
        process.kill()
        await process.communicate()


async def test_page_asks_hears_and_learns_of_failures() -> None:
    async with serving() as site, page(site.origin) as client:
        assert await client.hears(3) == GREETING
        await site.server.emit("note", {"số": 1}, room="everybody")
        assert await client.hears(1) == [["event", "note", {"số": 1}]]


async def test_page_comes_back_by_itself_after_a_restart() -> None:
    port = free_port()
    async with serving(port=port) as site, page(site.origin) as client:
        assert await client.hears(3) == GREETING
        await site.stop()
        assert await client.hears(1) == [["disconnect", "transport close", True]]
        async with serving(port=port):
            assert await client.hears(3) == GREETING


async def test_page_that_was_put_out_stays_away() -> None:
    async with serving() as site, page(site.origin) as client:
        assert await client.hears(3) == GREETING
        await site.server.disconnect(site.desk.admitted[0])
        assert await client.hears(1) == [["disconnect", "io server disconnect", False]]


async def test_page_that_is_refused_reads_why_and_stays_away() -> None:
    async with serving() as site, page(site.origin, "refuse") as client:
        refusal = ["refused", "not_signed_in", {"code": "not_signed_in"}, False]
        assert await client.hears(1) == [refusal]
