"""The real server, whose processes tell from outside and from inside what they hold."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Final

from tests.servers import Telemed

LOOKOUT: Final = Path(__file__).parent / "lookout"
SERVER: Final = "-m telemed serve"
RELAY: Final = "telemed.media.relay.worker"
PATIENCE_SECONDS: Final = 60
MEGABYTE: Final = 2**20


@dataclass(frozen=True)
class Look:
    """One process at one moment, after its garbage has been collected."""

    pid: int
    megabytes: float
    files: int
    sockets: int
    threads: int
    counts: dict[str, int]

    @property
    def tasks(self) -> int:
        """Tasks of its event loop."""
        return sum(count for name, count in self.counts.items() if name.startswith("task "))

    def grown_since(self, before: Look) -> dict[str, int]:
        """What there is more of than before; the sockets among it."""
        now = self.counts | {"sockets": self.sockets}
        then = before.counts | {"sockets": before.sockets}
        return {
            name: count - then.get(name, 0)
            for name, count in now.items()
            if count > then.get(name, 0)
        }


class Watched(Telemed):
    """Telemed with a lookout in each of its processes."""

    def __init__(self, directory: Path, **settings: str) -> None:
        super().__init__(directory, **settings)
        self._place = directory / "lookout"
        self._place.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """The lookout is found before anything else."""
        path = f"{self.sources}{os.pathsep}{LOOKOUT}"
        return super().environment | {"PYTHONPATH": path, "LOOKOUT": str(self._place)}

    async def look(self, name: str) -> Look:
        """How the newest process of a name is now."""
        pid = max(self._named(name), key=lambda pid: (self._place / f"{pid}.name").stat().st_mtime)
        told = self._place / f"{pid}.counts"
        told.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not told.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} tells nothing")
            await asyncio.sleep(0.02)
        counts = loads(told.read_text())
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        files = _opened(process)
        return Look(
            pid=pid,
            megabytes=int(status["VmRSS"].split()[0]) * 1024 / MEGABYTE,
            files=len(files),
            sockets=sum(file.startswith("socket:") for file in files),
            threads=int(status["Threads"]),
            counts=counts,
        )

    def _named(self, name: str) -> list[int]:
        files = self._place.glob("*.name")
        pids = [int(file.stem) for file in files if name in file.read_text()]
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def _opened(process: Path) -> list[str]:
    """What each of its descriptors is; one that is closed meanwhile is none."""
    found = []
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return found
