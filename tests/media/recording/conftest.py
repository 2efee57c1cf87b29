"""A recording in virtual time, with one sender in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from telemed.media.recording.packets import Packet, SenderReport
from telemed.media.recording.participant import WrittenFile
from telemed.media.recording.recording import Recording
from tests.media.recording.sender import Link, Sender, run

START = 1000.0


class Take:
    """One sender's way into a recording."""

    def __init__(self, directory: Path, sender: Sender) -> None:
        self.sender = sender
        self.asked = 0
        self.now = START
        self.recording = Recording(directory, "call", START, self._ask)
        self.recording.add("person", START)

    def push(self, packet: Packet) -> None:
        self.recording.push("person", packet)

    def report(self, report: SenderReport) -> None:
        self.recording.report("person", report)

    def tick(self, now: float) -> None:
        self.now = now
        self.recording.tick(now)

    def run(self, seconds: float) -> WrittenFile:
        """The whole call; its one file."""
        end = run(self.sender, self, self.tick, seconds=seconds, start=START)
        outcome = self.recording.close(end)
        assert outcome.refusal is None
        (file,) = outcome.files
        return file

    def _ask(self, source: str) -> None:
        self.asked += 1
        self.sender.camera.wants_key = True


@pytest.fixture
def new_take(tmp_path: Path) -> Callable[..., Take]:
    """Makes a recording of a sender on a link."""

    def new(link: Link | None = None, *, uses_red: bool = False) -> Take:
        return Take(tmp_path, Sender(link or Link(), uses_red=uses_red))

    return new
