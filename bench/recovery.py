"""Recovery: how long voice and picture are away for each fault, and how soon all is back.

python -m bench.recovery [fault …]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from playwright.sync_api import Playwright, sync_playwright

from telemed.core.config import load_settings
from tests.browser.lines import Lines, Pair
from tests.browser.test_call import Prepared, prepare
from tests.servers import Telemed

SECRET: Final = "a-secret-for-the-recovery-bench-long"
CAMERAS: Final = "--use-fake-device-for-media-stream=device-count=3"
SETTLE_SECONDS: Final = 3
VOICE_BACK_SECONDS: Final = 2.5
PICTURE_BACK_SECONDS: Final = 4.0
SOCKET_BACK_SECONDS: Final = 1.5
ADDRESS_GAP_SECONDS: Final = 4.0
# What is no gap: the meter looks twenty times a second, on a busy machine less often.
NO_GAP_SECONDS: Final = 0.5
SERVER_AWAY_SECONDS: Final = 4
# After a bad line a call may go on by voice alone for a while, on purpose.
PICTURE_PATIENCE_SECONDS: Final = 30


@dataclass(frozen=True)
class Row:
    """One fault, in seconds; the worse of the two sides."""

    fault: str
    gap: float
    socket: float
    voice: float
    picture: float
    goal: str
    holds: bool


def restart(pair: Pair) -> Row:
    """The server is killed and comes back; nothing of the media goes through it."""
    began = time.time()
    pair.server.kill()
    pair.near.let_pass(SERVER_AWAY_SECONDS)
    pair.server.start()
    up = time.time()
    socket = max(station.since(up - 0.5, "joins") for station in pair.stations) - 0.5
    gap = max(_gap(pair, name, began, time.time()) for name in ("voice", "picture"))
    holds = gap <= NO_GAP_SECONDS and socket <= SOCKET_BACK_SECONDS
    return Row("server killed, restarted", gap, socket, 0, 0, "no gap, socket ≤ 1.5", holds)


def outage(pair: Pair, *, seconds: int) -> Row:
    """The station's line is down for a while."""
    began = time.time()
    pair.near.link.cut()
    pair.near.let_pass(seconds)
    pair.near.link.mend()
    up = time.time()
    voice = max(station.since(up, "voice") for station in pair.stations)
    picture = _picture(pair, up)
    socket = pair.near.since(up, "joins")
    gap = _gap(pair, "voice", began, time.time())
    holds = voice <= VOICE_BACK_SECONDS and picture <= PICTURE_BACK_SECONDS
    goal = "voice ≤ 2.5, video ≤ 4"
    return Row(f"line down {seconds} s", gap, socket, voice, picture, goal, holds)


def change(pair: Pair) -> Row:
    """The station goes on over another line, with another address."""
    began = time.time()
    pair.near.link.change_address()
    # What was under way has come in after this.
    after = began + 0.3
    voice = max(station.since(after, "voice") for station in pair.stations) + 0.3
    picture = _picture(pair, after) + 0.3
    socket = pair.near.since(began, "joins")
    gap = _gap(pair, "voice", began, time.time())
    return Row("address changed", gap, socket, voice, picture, "gap ≤ 4", gap <= 4)


def reload(pair: Pair) -> Row:
    """The page is loaded anew; from the press of the key to voice and picture."""
    began = time.time()
    pair.near.page.reload()
    socket, voice = (pair.near.since(began, name) for name in ("joins", "voice"))
    picture = pair.near.find_since(began, "picture", PICTURE_PATIENCE_SECONDS)
    gap = pair.far.longest_gap("voice", began, time.time())
    return Row("page reloaded", gap, socket, voice, picture, "", True)


FAULTS: Final[dict[str, Callable[[Pair], Row]]] = {
    "restart": restart,
    **{f"down{seconds}": partial(outage, seconds=seconds) for seconds in (4, 8, 20, 60)},
    "address": change,
    "reload": reload,
}


def main() -> None:
    """Measure and print the table."""
    wanted = sys.argv[1:] or list(FAULTS)
    with tempfile.TemporaryDirectory() as folder:
        server = Telemed(Path(folder), secret_key=SECRET)
        server.command("migrate")
        settings = load_settings(data_dir=Path(folder) / "var", secret_key=SECRET)
        case, *_ = asyncio.run(prepare(settings, 1))
        with _served(server), sync_playwright() as playwright:
            _measure(playwright, server, case, wanted)


@contextmanager
def _served(server: Telemed) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


def _measure(playwright: Playwright, server: Telemed, case: Prepared, wanted: list[str]) -> None:
    print(f"{'seconds; the worse side':28}{'voice gap':>10}{'socket':>8}{'voice':>8}{'video':>8}")
    lines = Lines(playwright, server, CAMERAS)
    try:
        with lines.pair(case.consult, (case.doctor, case.specialist)) as pair:
            pair.begin()
            for name in wanted:
                pair.near.let_pass(SETTLE_SECONDS)
                pair.hears()
                _print(FAULTS[name](pair))
    finally:
        lines.close()


def _picture(pair: Pair, moment: float) -> float:
    """Seconds to the picture on the slower side; infinite where it is voice alone for longer."""
    patience = PICTURE_PATIENCE_SECONDS
    return max(station.find_since(moment, "picture", patience) for station in pair.stations)


def _gap(pair: Pair, name: str, begin: float, end: float) -> float:
    return max(station.longest_gap(name, begin, end) for station in pair.stations)


def _print(row: Row) -> None:
    figures = "".join(f"{value:8.2f}" for value in (row.socket, row.voice, row.picture))
    verdict = "" if not row.goal else f"  {'holds ' if row.holds else 'MISSED'} {row.goal}"
    print(f"{row.fault:28}{row.gap:10.2f}{figures}{verdict}", flush=True)


if __name__ == "__main__":
    main()
