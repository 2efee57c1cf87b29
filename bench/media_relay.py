"""CPU of forwarding one publisher to 1, 2, 4 and 8 Chromium viewers: the relay against its peers.

The way of the voice is from the sender's microphone to a viewer's loudspeaker; what is added is
against two connections in one page, with nobody between them. Peers are aiortc's MediaRelay, which decodes, and Janus VideoRoom where Debian's package `janus` is
installed. Each measures its own process; all send 640x480 at 30 frames a second and voice:

    python -m bench.media_relay
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from bench.call_setup import ARGUMENTS
from bench.marks import ARGUMENTS as MARKS_ARGUMENTS
from bench.marks import DIRECT, LISTEN, heard, under_way, write_marks
from bench.peers.janus import JANUS, JanusPage
from tests.relayed import FLOWS, RelayedPage
from tests.servers import ROOT, free_port

VIEWERS: Final = (1, 2, 4, 8)
SECONDS: Final = 8
SETTLE_SECONDS: Final = 4
PATIENCE_MILLISECONDS: Final = 30_000
CAMERA: Final = "--use-fake-device-for-media-stream=fps=30"
RELAY, MEDIA_RELAY, JANUS_ROW = "relay", "aiortc MediaRelay", "Janus VideoRoom"
# CPU per forwarded kbit/s with four viewers, as a share of the peer's.
GOALS: Final = {JANUS_ROW: 1.1, MEDIA_RELAY: 0.1}
COMPARED_VIEWERS: Final = 4
# One packet of voice.
ADDED_GOAL_MILLISECONDS: Final = 20.0

Backend = Callable[[], AbstractContextManager[tuple[str, int]]]


@dataclass(frozen=True)
class Row:
    """One line of the table: share of a core, kbit/s, frames a second for each viewer, voice in ms."""

    cpu: float
    kilobits: float
    frames: float
    voice: float

    @property
    def cost(self) -> float:
        """Millionths of a core for a forwarded kbit/s."""
        return self.cpu * 1e6 / max(1.0, self.kilobits)


@contextmanager
def relay() -> Iterator[tuple[str, int]]:
    page = RelayedPage().start()
    try:
        yield page.origin, page.pid
    finally:
        page.stop()


@contextmanager
def media_relay() -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.media_relay", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        for _ in range(300):
            time.sleep(0.1)
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def janus() -> Iterator[tuple[str, int]]:
    page = JanusPage().start()
    try:
        yield page.origin, page.pid
    finally:
        page.stop()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_page(stack: ExitStack, browser: Browser, origin: str) -> Page:
    """A window of its own: a page in the background decodes late."""
    context = stack.enter_context(browser.new_context(permissions=["camera", "microphone"]))
    page = context.new_page()
    page.goto(origin)
    return page


def total(pages: list[Page]) -> tuple[int, int]:
    found = [page.evaluate("() => window.figures()") for page in pages]
    return sum(each["bytes"] for each in found), sum(each["frames"] for each in found)


def measure(browser: Browser, origin: str, pid: int, viewers: int) -> Row:
    with ExitStack() as stack:
        sender = open_page(stack, browser, origin)
        sender.evaluate("() => window.publish('doctor', 1)")
        pages = [open_page(stack, browser, origin) for _ in range(viewers)]
        for number, page in enumerate(pages):
            page.evaluate(f"() => window.watch('viewer{number}', 'doctor')")
        for page in pages:
            page.evaluate(FLOWS, PATIENCE_MILLISECONDS)
        for page in (sender, pages[0]):
            page.evaluate(LISTEN, "connection")
        time.sleep(SETTLE_SECONDS)
        begin, cpu, (sent, frames) = time.monotonic(), cpu_seconds(pid), total(pages)
        time.sleep(SECONDS)
        passed, used = time.monotonic() - begin, cpu_seconds(pid) - cpu
        sent_after, frames_after = total(pages)
        voice = under_way(heard(sender), heard(pages[0]))
    kilobits = (sent_after - sent) * 8 / 1000 / passed
    return Row(used / passed, kilobits, (frames_after - frames) / passed / viewers, voice)


def measure_direct(browser: Browser, origin: str) -> float:
    """Milliseconds of the voice with nobody between."""
    with ExitStack() as stack:
        page = open_page(stack, browser, origin)
        page.evaluate(DIRECT)
        page.evaluate(FLOWS, PATIENCE_MILLISECONDS)
        for name in ("near", "connection"):
            page.evaluate(LISTEN, name)
        time.sleep(SETTLE_SECONDS + SECONDS)
        return under_way(heard(page, "near"), heard(page))


def main() -> int:
    """Measure, in turn with each other, and print the table."""
    backends: dict[str, Backend] = {RELAY: relay, MEDIA_RELAY: media_relay}
    if shutil.which(JANUS):
        backends[JANUS_ROW] = janus
    rows: dict[tuple[str, int], Row] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        marks = Path(folder, "marks.wav")
        write_marks(marks)
        spoken = f"--use-file-for-fake-audio-capture={marks}"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*ARGUMENTS, *MARKS_ARGUMENTS, CAMERA, spoken],
        )
        with relay() as (origin, _pid):
            direct = measure_direct(browser, origin)
        for viewers in VIEWERS:
            for name, backend in backends.items():
                with backend() as (origin, pid):
                    rows[name, viewers] = measure(browser, origin, pid, viewers)
        browser.close()
    print_table(rows, direct)
    for name in [each for each in GOALS if each in backends]:
        ratio = rows[RELAY, COMPARED_VIEWERS].cost / rows[name, COMPARED_VIEWERS].cost
        verdict = "holds " if ratio <= GOALS[name] else "MISSED"
        print(f"{verdict}  {ratio:.2f} x {name} with 4 viewers (goal: {GOALS[name]} or less)")
    added = rows[RELAY, COMPARED_VIEWERS].voice - direct
    verdict = "holds " if added <= ADDED_GOAL_MILLISECONDS else "MISSED"
    print(
        f"{verdict}  {added:.0f} ms of voice added with 4 viewers"
        f" (goal: {ADDED_GOAL_MILLISECONDS:.0f} or less)"
    )
    return 0


def print_table(rows: dict[tuple[str, int], Row], direct: float) -> None:
    print(
        f"{'':20}{'viewers':>8}{'CPU %':>8}{'kbit/s':>9}{'frames/s':>10}{'1e-6 CPU per kbit/s':>21}"
        f"{'voice ms':>10}{'added':>7}"
    )
    print(f"{'nobody between':20}{1:8}{'':48}{direct:10.0f}")
    for (name, viewers), row in rows.items():
        figures = f"{row.cpu * 100:8.1f}{row.kilobits:9.0f}{row.frames:10.1f}{row.cost:21.1f}"
        print(f"{name:20}{viewers:8}{figures}{row.voice:10.0f}{row.voice - direct:7.0f}")


if __name__ == "__main__":
    sys.exit(main())
