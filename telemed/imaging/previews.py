"""Runs the preview worker, a few at a time, each under a time limit."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from telemed.imaging import preview_worker
from telemed.imaging.storage import Received, received_file

TIME_LIMIT_SECONDS = 20
AT_ONCE = 2


@dataclass(frozen=True)
class Preview:
    """A picture made from the bytes, not yet kept, and the size of the original in pixels."""

    received: Received
    width: int
    height: int


class Previewer:
    """Owner of the worker processes."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def make(self, original: Received) -> Preview | None:
        """A preview beside the original, None when the bytes cannot be read as a picture."""
        target = original.path.with_suffix(".webp")
        async with self._places:
            answer = await _run(original.path, target)
        if answer is None:
            await asyncio.to_thread(target.unlink, missing_ok=True)
            return None
        width, height = answer.split()
        return Preview(await asyncio.to_thread(received_file, target), int(width), int(height))


async def _run(source: Path, target: Path) -> str | None:
    worker = Path(preview_worker.__file__)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(worker),
        str(source),
        str(target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin"},
    )
    try:
        async with asyncio.timeout(TIME_LIMIT_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    except BaseException:
        process.kill()
        raise
    return output.decode() if process.returncode == 0 else None
