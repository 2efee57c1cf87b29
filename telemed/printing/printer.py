"""Owner of the process that makes PDF files: warm, one page at a time, a bounded number waiting."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import sys
from pathlib import Path
from typing import Final

from telemed.core.config import SigningSettings
from telemed.core.errors import N_, Unavailable
from telemed.printing import worker

log = logging.getLogger(__name__)

CSS: Final = Path(__file__).with_name("paper.css")
TIME_LIMIT_SECONDS: Final = 20.0
# Loading the library and its fonts takes 1.5 s, on a busy old machine several times that.
START_LIMIT_SECONDS: Final = 60.0
MOST_WAITING: Final = 40


class Printer:
    """Starts its worker at the first page, and anew when it died or took too long."""

    def __init__(self, signing: SigningSettings | None = None) -> None:
        self._signing = signing or SigningSettings()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None

    async def make(self, html: str) -> bytes:
        """A page as PDF, signed where a certificate is set. Raises Unavailable."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("printer_busy", N_("Máy chủ đang in nhiều. Thử lại sau ít giây."))
        self._waiting += 1
        try:
            async with self._turn:
                return await self._make(html)
        finally:
            self._waiting -= 1

    async def _make(self, html: str) -> bytes:
        try:
            process = self._process or await self._start()
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                return await _ask(process, {"html": html})
        except _RefusedError as error:
            log.warning("a page could not be printed: %s", error)
            raise _unavailable() from error
        except (TimeoutError, OSError, EOFError) as error:
            log.warning("the printing process broke off: %s", type(error).__name__)
            await self.close()
            raise _unavailable() from error
        except asyncio.CancelledError:
            # Its answer would be taken for that of the next page.
            await self.close()
            raise

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            worker.__file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            limit=2**20,
        )
        self._process = process
        setup = {"css": await asyncio.to_thread(CSS.read_text)}
        if self._signing.certificate:
            setup["certificate"] = str(self._signing.certificate)
            setup["password"] = self._signing.password.get_secret_value()
        try:
            async with asyncio.timeout(START_LIMIT_SECONDS):
                await _ask(process, setup)
        except _RefusedError as error:
            await self.close()
            raise _RefusedError(f"set-up: {error}") from error
        return process

    async def close(self) -> None:
        """End the process; the next page starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()


class _RefusedError(Exception):
    """The worker says why not, by the name of an error alone."""


async def _ask(process: asyncio.subprocess.Process, frame: dict[str, str]) -> bytes:
    assert process.stdin
    assert process.stdout
    body = json.dumps(frame).encode()
    process.stdin.write(struct.pack(">I", len(body)) + body)
    await process.stdin.drain()
    (size,) = struct.unpack(">I", await process.stdout.readexactly(4))
    answer = await process.stdout.readexactly(size)
    if answer[:1] != b"+":
        raise _RefusedError(answer[1:].decode(errors="replace"))
    return answer[1:]


def _unavailable() -> Unavailable:
    return Unavailable(
        "printer_unavailable",
        N_("Chưa tạo được tệp PDF. Bạn vẫn in được từ trang này; báo quản trị nếu lặp lại."),
    )
