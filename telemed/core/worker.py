"""Owner of a process that answers questions: warm, capped, one at a time, a bounded number waiting.

What libraries in C make of bytes that anybody may have sent happens there, beside no key of the
server. The other side is `worker_loop`.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from telemed.core import worker_loop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How long starting and one answer may take, how many may wait, how long an answer may be."""

    start_seconds: float
    answer_seconds: float
    waiting: int
    answer_bytes: int


class WorkerError(Exception):
    """There is no answer to a question."""


class BusyError(WorkerError):
    """Too many wait already."""


class AbsentError(WorkerError):
    """The process does not start."""


class LostError(WorkerError):
    """The process died, said nonsense or took too long: another one is started."""


class RefusedError(WorkerError):
    """The process says why not, by the name of an error alone."""


class Worker:
    """Starts its process at the first question, and anew when it has gone.

    `script` is run as `worker_loop` says; `setup` gives the first frame, in a thread.
    """

    def __init__(
        self, script: Path, limits: Limits, setup: Callable[[], bytes] = lambda: b""
    ) -> None:
        self.script = script
        self.limits = limits
        self._setup = setup
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process, if one is running."""
        running = self._process and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def ask(self, question: bytes) -> bytes:
        """The answer. Raises BusyError, AbsentError, LostError, RefusedError."""
        if self._waiting >= self.limits.waiting:
            raise BusyError
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(question)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process; the next question starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _ask(self, question: bytes) -> bytes:
        if self.pid is None:
            await self._start()
        try:
            return await self._exchange(question, self.limits.answer_seconds)
        except RefusedError:
            raise
        except (TimeoutError, OSError, EOFError) as error:
            log.warning("%s broke off: %s", self.script.name, type(error).__name__)
            await self.close()
            raise LostError from error
        except BaseException:
            # Its answer would be taken for that of the next question.
            await self.close()
            raise

    async def _start(self) -> None:
        await self.close()
        setup = await asyncio.to_thread(self._setup)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                worker_loop.__file__,
                str(self.script),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                limit=2**20,
            )
            await self._exchange(setup, self.limits.start_seconds)
        except (TimeoutError, OSError, EOFError, RefusedError) as error:
            log.warning("%s does not start: %s", self.script.name, type(error).__name__)
            await self.close()
            raise AbsentError from error
        except BaseException:
            await self.close()
            raise

    async def _exchange(self, frame: bytes, seconds: float) -> bytes:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        async with asyncio.timeout(seconds):
            self._process.stdin.write(struct.pack(">I", len(frame)) + frame)
            await self._process.stdin.drain()
            (size,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
            if size > self.limits.answer_bytes:
                raise EOFError
            answer = await self._process.stdout.readexactly(size)
        if answer[:1] != worker_loop.DONE:
            raise RefusedError(answer[1:].decode(errors="replace"))
        return answer[1:]
