"""The recorder in its own process: ended by order, by death, by its server's death, by a full disc."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.media.recording import wire
from telemed.media.recording.packets import Kind, Packet, SenderReport
from telemed.media.recording.process import TICK_SECONDS
from telemed.media.recording.recording import Outcome
from telemed.media.recording.supervisor import MOST_WAITING, RecorderLost, RecorderProcess
from telemed.media.recording.webm import CUES, StorageFull
from tests.media.recording.sender import Link, Sender, Sink, run
from tests.media.recording.watching import seek, watch

PATIENCE_SECONDS = 30
LONG_SECONDS = 20
# A killed recorder loses what waits for its order, and up to a cluster.
LOST_SECONDS = 4
LIMIT_BYTES = 100_000


@dataclass(frozen=True)
class Wire:
    """Straight into a recorder's socket."""

    connection: socket.socket

    def push(self, packet: Packet) -> None:
        self.connection.send(wire.pack_packet(1, packet))

    def report(self, report: SenderReport) -> None:
        self.connection.send(wire.pack_report(1, report))


@dataclass
class Live:
    """Plays a call into a process as fast as its past allows: all of it has just happened."""

    recorder: RecorderProcess
    asked: list[str] = field(default_factory=list)

    def push(self, packet: Packet) -> None:
        self.recorder.push("person", packet)

    def report(self, report: SenderReport) -> None:
        self.recorder.report("person", report)


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again, while the process works."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await asyncio.sleep(0.02, is_so()):
            pass


@pytest.fixture
async def live(is_rehearsed: None, tmp_path: Path) -> AsyncIterator[Live]:
    asked: list[str] = []
    recorder = await RecorderProcess.start(tmp_path, "call", asked.append)
    recorder.add("person")
    yield Live(recorder, asked)
    await recorder.kill()


def nothing(now: float) -> None:
    """The process ticks by itself."""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.webm*"))


@dataclass
class Rehearsal:
    """A call that can be played again at once: encoding it takes longer than recording it."""

    items: list[Callable[[Sink, float], None]] = field(default_factory=list)

    def push(self, packet: Packet) -> None:
        """Keep it; its arrival is from the beginning of the call."""
        self.items.append(
            lambda sink, start: sink.push(packet._replace(arrival=start + packet.arrival))
        )

    def report(self, report: SenderReport) -> None:
        self.items.append(lambda sink, _: sink.report(report))


@cache
def rehearsed(seconds: float) -> Rehearsal:
    rehearsal = Rehearsal()
    sender = Sender(Link(), script=dict.fromkeys(range(0, round(seconds), 10), asks_for_key))
    run(sender, rehearsal, nothing, seconds=seconds, start=0)
    return rehearsal


@pytest.fixture(scope="module")
def is_rehearsed() -> None:
    """Encoded before anybody waits for it."""
    rehearsed(LONG_SECONDS)


def asks_for_key(sender: Sender) -> None:
    sender.camera.wants_key = True


def play(sink: Sink, seconds: float) -> float:
    """A call that ends now; returns when it began."""
    rehearsal = rehearsed(seconds)
    start = time.monotonic() - seconds
    for play_item in rehearsal.items:
        play_item(sink, start)
    return start


async def test_a_recording_ended_by_order_is_there_with_its_checksum(live: Live) -> None:
    await until(lambda: live.asked == ["person"])
    play(live, 8)
    (file,) = (await live.recorder.finish()).files
    assert file.source == "person"
    assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert names(file.path.parent) == ["call-1.webm"]
    assert watch(file.path).lip_sync == pytest.approx([0] * 7, abs=0.04)


async def test_a_killed_recorder_leaves_a_file_that_plays_and_seeks(
    live: Live, tmp_path: Path
) -> None:
    part = tmp_path / "call-1.webm.part"
    start = play(live, LONG_SECONDS)
    await until(lambda: part.exists() and part.read_bytes().count(CUES) == 2)
    os.kill(live.recorder.pid, signal.SIGKILL)
    with pytest.raises(RecorderLost):
        await live.recorder.finish()
    worked_until = time.monotonic() - (time.time() - part.stat().st_mtime)
    seen = watch(part)
    assert seen.sounds[-1] > worked_until - start - LOST_SECONDS
    assert len(seen.lip_sync) >= 18
    assert seen.duration > 18
    assert seek(part, 15) == pytest.approx(10, abs=0.5)


async def test_a_full_disc_is_said_and_leaves_a_file_that_plays(live: Live) -> None:
    resource.prlimit(live.recorder.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    play(live, LONG_SECONDS)
    outcome = await live.recorder.ended()
    assert outcome.refusal == StorageFull().code
    (file,) = outcome.files
    assert LIMIT_BYTES / 2 < file.path.stat().st_size <= LIMIT_BYTES
    seen = watch(file.path)
    assert seen.duration == pytest.approx(seen.sounds[-1], abs=0.1)
    assert len(seen.lip_sync) > 2


async def test_a_disc_full_from_the_start_is_a_refusal_without_a_file(
    live: Live, tmp_path: Path
) -> None:
    resource.prlimit(live.recorder.pid, resource.RLIMIT_FSIZE, (1000, 1000))
    play(live, 5)
    outcome = await live.recorder.ended()
    assert outcome == Outcome((), StorageFull().code)
    assert names(tmp_path) == []


async def test_a_recorder_that_stands_still_costs_packets_not_memory(live: Live) -> None:
    await until(lambda: live.asked == ["person"])
    os.kill(live.recorder.pid, signal.SIGSTOP)
    packet = Packet(Kind.AUDIO, 1, 1, 1, False, False, bytes(1000), time.monotonic())
    for _ in range(MOST_WAITING + 1000):
        live.recorder.push("person", packet)
    assert live.recorder.dropped > 0
    os.kill(live.recorder.pid, signal.SIGCONT)
    assert (await live.recorder.finish()).refusal is None


@contextmanager
def wire_to_a_recorder(directory: Path) -> Iterator[socket.socket]:
    """A recorder's process without its server's side; over when the connection is."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "telemed.media.recording.process"),
                *(str(theirs.fileno()), str(directory), "call"),
            ],
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        yield ours
    process.wait(PATIENCE_SECONDS)


def test_what_waited_while_all_stood_still_is_recorded_in_its_place(tmp_path: Path) -> None:
    began = time.monotonic() - 12
    with wire_to_a_recorder(tmp_path) as ours:
        ours.send(wire.pack_order(wire.Order(wire.OrderKind.ADD, 1, began)))
        assert wire.read_from_recorder(ours.recv(wire.MOST_BYTES)) == wire.KeyFrameWanted(1)
        items = rehearsed(8).items
        for play_item in items[:60]:
            play_item(Wire(ours), began)
        # By the time on the wall all that follows would come too late for its place.
        time.sleep(3 * TICK_SECONDS)
        for play_item in items[60:]:
            play_item(Wire(ours), began)
    assert watch(tmp_path / "call-1.webm").lip_sync == pytest.approx([0] * 7, abs=0.04)


def test_without_its_server_a_recorder_finishes_its_files(tmp_path: Path) -> None:
    with wire_to_a_recorder(tmp_path) as ours:
        # Held back until the end, however slowly the process starts.
        began = time.monotonic() + PATIENCE_SECONDS
        ours.send(wire.pack_order(wire.Order(wire.OrderKind.ADD, 1, began)))
        play(Wire(ours), 5)
    assert names(tmp_path) == ["call-1.webm"]
    assert len(watch(tmp_path / "call-1.webm").lip_sync) == pytest.approx(4, abs=1)


@given(
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=1500),
    st.booleans(),
    st.sampled_from(Kind),
)
def test_packets_and_reports_cross_unchanged(
    short: int, number: int, payload: bytes, flag: bool, kind: Kind
) -> None:
    packet = Packet(kind, number, short, number, flag, not flag, payload, number / 7)
    report = SenderReport(kind, number, number / 7, number)
    assert wire.read_from_server(wire.pack_packet(short, packet)) == (short, packet)
    assert wire.read_from_server(wire.pack_report(short, report)) == (short, report)
