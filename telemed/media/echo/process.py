"""Starts the processes of synthetic calls, a few at a time, each for one browser."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from telemed.core.clock import TaskOwner
from telemed.core.errors import N_, Unavailable
from telemed.media.echo.offers import checked_offer, refused

AT_ONCE: Final = 4
ANSWER_SECONDS: Final = 30.0
# Longer than the process gives itself.
END_SECONDS: Final = 75.0
ANSWER_BYTES: Final = 64 * 1024


class EchoPeers:
    """Owner of the processes."""

    def __init__(self) -> None:
        self._tasks = TaskOwner("echo")
        self._running = 0

    @property
    def running(self) -> int:
        """How many synthetic calls are going on."""
        return self._running

    async def answer(self, offer: str, ice_servers: Sequence[dict[str, Any]] = ()) -> str:
        """The answer to a browser's offer; its packets come back for a minute.

        Raises Invalid for an offer that is none, Unavailable while too many drills run.
        """
        asked = {"offer": checked_offer(offer), "ice_servers": list(ice_servers)}
        if self._running >= AT_ONCE:
            raise Unavailable("echo_busy", N_("Máy chủ đang bận kiểm tra máy khác"))
        self._running += 1
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        # The process outlives the request that started it.
        self._tasks.start("echo", self._live(json.dumps(asked).encode() + b"\n", answered))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await answered
        except TimeoutError as error:
            raise Unavailable("echo_late", N_("Máy chủ chưa trả lời. Thử lại sau.")) from error
        if not line:
            # aiortc says no in many ways.
            raise refused()
        return str(json.loads(line)["answer"])

    async def close(self) -> None:
        """End every one of them."""
        await self._tasks.close()

    async def _live(self, asked: bytes, answered: asyncio.Future[bytes]) -> None:
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telemed.media.echo.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=ANSWER_BYTES,
            )
            async with asyncio.timeout(END_SECONDS):
                await _talk(process, asked, answered)
        except TimeoutError:
            pass
        finally:
            self._running -= 1
            if not answered.done():
                answered.set_result(b"")
            if process is not None:
                await _end(process)


async def _talk(
    process: asyncio.subprocess.Process, asked: bytes, answered: asyncio.Future[bytes]
) -> None:
    assert process.stdin
    assert process.stdout
    with suppress(ConnectionError):
        process.stdin.write(asked)
        await process.stdin.drain()
    with suppress(ValueError):
        line = await process.stdout.readline()
        if not answered.done():
            answered.set_result(line)
    # Its input stays open: the end of it would tell the process that nobody wants it any more.
    await process.wait()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()
    if process.stdin is not None:
        process.stdin.close()
