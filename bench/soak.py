"""Wear: half an hour of calls begun, broken, ended and begun again; what the processes hold meanwhile.

python -m bench.soak [--minutes 30]

Ten calls of two (their signals, heartbeats, modes, stills, messages and figures, through the real
server) and one session of six through the relay. The peers are light: clients over bare WebSockets,
and of the six aiortc connections with real DTLS and SRTP that send an encoded voice of 50 packets a
second and a made-up picture of 10 frames a second in two layers, and count what they get.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.soaking.calls import Pace
from tests.soaking.province import Moment, Province, founded
from tests.soaking.watched import Look

MINUTES: Final = 2
PAIRS: Final = 10
SLOPE: Final = 1.0  # MB in ten minutes
# A slope says nothing of what a process takes in its first minutes.
LEAST_MINUTES: Final = 10
PERIOD_SECONDS: Final = 60
SHORT_PERIOD_SECONDS: Final = 15
COLUMNS: Final = (*("MB", "files", "sockets", "tasks", "threads"),)


@dataclass(frozen=True)
class Row:
    """Both processes at one moment, and how much was heard until then."""

    minutes: float
    moment: Moment
    voices: int
    lost: int


async def measure(minutes: float) -> bool:
    """Run, print a row a minute and the verdict; whether it holds."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with founded(Path(folder), pairs=PAIRS, pace=Pace()) as province:
            going = asyncio.create_task(province.go_on())
            rows = await _watch(province, minutes)
            going.cancel()
            with suppress(asyncio.CancelledError):
                await going
            holds = _judge(province, rows, minutes)
            await province.stop()
            return holds


async def _watch(province: Province, minutes: float) -> list[Row]:
    period = PERIOD_SECONDS if minutes >= LEAST_MINUTES else SHORT_PERIOD_SECONDS
    print(f"{'':8}{'server':>30}{'':6}{'relay process':>30}{'':6}{'voice':>10}")
    names = "".join(f"{name:>8}" for name in COLUMNS)
    print(f"{'minute':8}{names}{names}{'packets':>12}{'lost':>6}{'calls':>7}{'changes':>9}")
    began, rows = time.monotonic(), list[Row]()
    while (now := time.monotonic() - began) < minutes * 60:
        await asyncio.sleep(max(0.0, period * (len(rows) + 1) - now))
        moment = await province.look_at_rest()
        heard = [member.figures() for member in province.members]
        voices, lost = (sum(each) for each in zip(*heard, strict=True))
        rows.append(Row((time.monotonic() - began) / 60, moment, voices, lost))
        _print(rows[-1], province)
    return rows


def _print(row: Row, province: Province) -> None:
    columns = "".join(_columns(look) for look in (row.moment.server, row.moment.relay))
    tally = province.tally
    print(
        f"{row.minutes:<8.1f}{columns}{row.voices:12}{row.lost:6}{tally.calls:7}{tally.churns:9}",
        flush=True,
    )


def _columns(look: Look) -> str:
    figures = (look.files, look.sockets, look.tasks, look.threads)
    return f"{look.megabytes:8.1f}" + "".join(f"{figure:8}" for figure in figures)


def _judge(province: Province, rows: list[Row], minutes: float) -> bool:
    tally, anew = province.tally, sum(member.anew for member in province.members)
    print(f"\n{tally.calls} calls ended, {tally.joins} joins, {tally.messages} messages delivered,")
    print(f"{tally.churns} times one of six left and came again; {anew} connections begun anew")
    verdicts = [("failures: " + str(dict(tally.failures) or "none"), not tally.failures)]
    late = rows[len(rows) // 3 :]
    middle = len(late) // 2
    for name in ("server", "relay"):
        looks = [getattr(row.moment, name) for row in late]
        verdicts.append((f"{name}: one process", len({look.pid for look in looks}) == 1))
        if minutes >= LEAST_MINUTES:
            slope = _slope([row.minutes for row in late], [look.megabytes for look in looks])
            verdicts.append((f"{name}: {slope:+.2f} MB in 10 minutes (≤ {SLOPE})", slope <= SLOPE))
        # Pools of threads fill up to their bounds: shown, not judged.
        for what in ("files", "sockets", "tasks"):
            counts = [getattr(look, what) for look in looks]
            earlier, later = max(counts[:middle] or counts), statistics.median(counts[middle:])
            verdicts.append((f"{name}: {what} {earlier} → {later:.0f}", later <= earlier))
    for words, holds in verdicts:
        print(f"{'holds ' if holds else 'MISSED'}  {words}")
    _print_grown(late[0].moment, late[-1].moment)
    return all(holds for _, holds in verdicts)


def _slope(minutes: list[float], megabytes: list[float]) -> float:
    return statistics.linear_regression(minutes, megabytes).slope * 10


def _print_grown(before: Moment, after: Moment) -> None:
    """What there is more of: to look for a leak, not to judge."""
    for name in ("server", "relay"):
        grown = getattr(after, name).grown_since(getattr(before, name))
        most = sorted(grown.items(), key=lambda each: -each[1])[:8]
        print(f"more of in the {name}: {', '.join(f'{what} +{count}' for what, count in most)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    asyncio.run(measure(parser.parse_args().minutes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
