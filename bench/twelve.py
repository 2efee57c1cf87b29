"""A full room: twelve participants, four of them seen, and what of a core the relay needs for it.

The participants are light ones (`bench/peers/crowd.py`), since twelve browsers would take the whole
machine; the frames and the voice that reach them are counted, so that the share means something:

    python -m bench.twelve [--seconds 60]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.media_relay import cpu_seconds
from bench.peers.crowd import Counter, Film, Sender, films
from telemed.media.relay.process import RelayProcess

ROOM: Final = "room"
PARTICIPANTS: Final = 12
SEEN: Final = 4
SETTLE_SECONDS: Final = 5
SECONDS: Final = 15
CPU_GOAL: Final = 0.15
FRAMES_GOAL: Final = 29.0
LOSS_GOAL: Final = 0.001


@dataclass(frozen=True)
class Row:
    """What the relay needed for what reached everybody."""

    cpu: float
    packets: float
    megabits: float
    frames: float
    worst_frames: float
    lost_voice: float
    lost_picture: float

    @property
    def holds(self) -> bool:
        """Cheap enough, and all of it there."""
        return (
            self.cpu <= CPU_GOAL
            and self.worst_frames >= FRAMES_GOAL
            and self.lost_voice <= LOSS_GOAL
        )


@dataclass(frozen=True)
class Total:
    """All that came so far, for each stream: packets, expected ones, frames, bytes; is it a picture."""

    streams: list[tuple[int, int, int, int, bool]]

    @classmethod
    def of(cls, counters: Sequence[Counter]) -> Total:
        """Count."""
        found = [stream for each in counters for stream in each.streams.values()]
        return cls([(s.packets, s.expected, s.frames, s.octets, s.is_video) for s in found])


def compare(before: Total, after: Total, seconds: float, cpu: float) -> Row:
    """What grew."""
    grown = [
        (*(b - a for a, b in zip(old[:4], new[:4], strict=True)), new[4])
        for old, new in zip(before.streams, after.streams, strict=True)
    ]
    pictures = [each for each in grown if each[4]]
    voices = [each for each in grown if not each[4]]
    return Row(
        cpu=cpu / seconds,
        packets=sum(each[0] for each in grown) / seconds,
        megabits=sum(each[3] for each in grown) * 8 / 1e6 / seconds,
        frames=sum(each[2] for each in pictures) / len(pictures) / seconds,
        worst_frames=min(each[2] for each in pictures) / seconds,
        lost_voice=1 - sum(each[0] for each in voices) / sum(each[1] for each in voices),
        lost_picture=1 - sum(each[0] for each in pictures) / sum(each[1] for each in pictures),
    )


async def join(
    relay: RelayProcess, heard: int, film: dict[str, Film]
) -> tuple[list[Sender], list[Counter]]:
    """Everybody, one after the other; the first are seen, and so many are heard."""
    names = [f"p{number}" for number in range(PARTICIPANTS)]
    senders: list[Sender] = []
    counters: list[Counter] = []
    for number in range(heard):
        sender = Sender(film if number < SEEN else {})
        await sender.accept(await relay.publish(ROOM, names[number], await sender.offer()))
        senders.append(sender)
    for name in names:
        others = [each for each in names[:heard] if each != name]
        counter = Counter(len(others), len(set(others) & set(names[:SEEN])))
        await counter.accept(await relay.subscribe(ROOM, name, await counter.offer(), others))
        counter.count()
        counters.append(counter)
    return senders, counters


async def measure(heard: int, film: dict[str, Film], seconds: float) -> Row:
    """One room, with a relay of its own."""
    relay = RelayProcess(may_be_private=True)
    await relay.start()
    await relay.open_room(ROOM)
    senders, counters = await join(relay, heard, film)
    runs = [*(each.run() for each in senders), *(each.run() for each in counters)]
    running = [asyncio.create_task(run) for run in runs]
    await asyncio.sleep(SETTLE_SECONDS)
    assert relay.pid
    began, used, before = time.monotonic(), cpu_seconds(relay.pid), Total.of(counters)
    await asyncio.sleep(seconds)
    passed, used = time.monotonic() - began, cpu_seconds(relay.pid) - used
    row = compare(before, Total.of(counters), passed, used)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await asyncio.gather(*(each.close() for each in (*senders, *counters)))
    await relay.close()
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench.twelve")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    seconds = parser.parse_args(arguments).seconds
    film = films()
    print(f"{PARTICIPANTS} light participants (no decoders), {SEEN} seen in two layers of VP8;")
    print(
        f"goal: {CPU_GOAL:.0%} of a core with {SEEN} who send, {FRAMES_GOAL:.0f} frames/s for all"
        f" and {LOSS_GOAL:.1%} of the voice lost at most"
    )
    print(
        f"{'heard':>5}{'CPU %':>8}{'packets/s':>11}{'Mbit/s':>8}{'frames/s':>10}{'worst':>7}"
        f"{'voice lost':>12}{'picture lost':>14}"
    )
    for heard in (SEEN, PARTICIPANTS):
        row = asyncio.run(measure(heard, film, seconds))
        verdict = "" if heard > SEEN else "holds" if row.holds else "MISSED"
        print(
            f"{heard:5}{row.cpu * 100:8.1f}{row.packets:11.0f}{row.megabits:8.1f}{row.frames:10.1f}"
            f"{row.worst_frames:7.1f}{row.lost_voice:12.2%}{row.lost_picture:14.2%}  {verdict}".rstrip()
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
