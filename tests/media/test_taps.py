"""From a publisher through the relay into a file that plays; and what never gets into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from telemed.core.errors import Conflict, Missing
from telemed.media.recording.manifest import close_manifest, is_being_written
from telemed.media.recording.packets import Packet, SenderReport
from telemed.media.relay.local import LocalRooms
from telemed.media.relay.process import RelayProcess
from telemed.media.relay.taps import CHOOSE_SECONDS, Tape
from tests.media.conftest import ROOM, Publish
from tests.media.peers import SyntheticPublisher, picture
from tests.media.performing import SECONDS, perform, rehearse
from tests.media.recording.watching import watch


@pytest.fixture
async def rooms() -> AsyncIterator[RelayProcess]:
    process = RelayProcess(may_be_private=True)
    await process.start()
    await process.open_room(ROOM)
    yield process
    await process.close()


async def until_written(folder: Path, stem: str) -> None:
    async with asyncio.timeout(30):
        while await asyncio.to_thread(is_being_written, folder, stem):  # noqa: ASYNC110 - a lock
            await asyncio.sleep(0.02)


async def test_who_is_recorded_is_in_a_file_that_plays_and_nobody_else(
    rooms: RelayProcess, tmp_path: Path
) -> None:
    items = await asyncio.to_thread(rehearse)
    people = {name: SyntheticPublisher() for name in ("doctor", "stranger")}
    for name, publisher in people.items():
        await publisher.accept(await rooms.publish(ROOM, name, await publisher.offer()))
    await rooms.start_recording(ROOM, str(tmp_path), "take")
    await rooms.set_recording(ROOM, ["doctor"], is_paused=False)
    with pytest.raises(Conflict):
        await rooms.start_recording(ROOM, str(tmp_path), "take")
    await asyncio.gather(*(perform(publisher, items) for publisher in people.values()))
    assert await rooms.end_recording(ROOM) is None
    with pytest.raises(Missing):
        await rooms.set_recording(ROOM, ["doctor"], is_paused=False)
    (noted,) = await asyncio.to_thread(close_manifest, tmp_path, "take")
    assert (noted.name, noted.is_whole, bool(noted.sha256)) == ("doctor", True, True)
    seen = await asyncio.to_thread(watch, tmp_path / noted.file)
    assert seen.duration == pytest.approx(noted.duration_ms / 1000, abs=0.01)
    assert seen.duration > SECONDS - 1.5
    assert len(seen.pictures) > 40
    assert seen.beeps
    assert seen.flashes
    for publisher in people.values():
        await publisher.close()


async def test_a_relay_that_dies_leaves_files_with_names(
    rooms: RelayProcess, tmp_path: Path
) -> None:
    items = await asyncio.to_thread(rehearse)
    publisher = SyntheticPublisher()
    await publisher.accept(await rooms.publish(ROOM, "doctor", await publisher.offer()))
    await rooms.start_recording(ROOM, str(tmp_path), "take")
    await rooms.set_recording(ROOM, ["doctor"], is_paused=False)
    await perform(publisher, items)
    process = rooms._process
    assert process
    process.kill()
    await until_written(tmp_path, "take")
    (noted,) = await asyncio.to_thread(close_manifest, tmp_path, "take")
    assert noted.name == "doctor"
    assert (await asyncio.to_thread(watch, tmp_path / noted.file)).pictures
    await publisher.close()


class Collector:
    """Takes the place of the recorder's process."""

    is_over = False

    def __init__(self) -> None:
        self.got: list[Packet] = []
        self.orders: list[str] = []

    def add(self, source: str) -> None:
        self.orders.append(source)

    def push(self, source: str, packet: Packet) -> None:
        self.got.append(packet)

    def report(self, source: str, report: SenderReport) -> None: ...

    def pause(self) -> None:
        self.orders.append("pause")

    def resume(self) -> None:
        self.orders.append("resume")


@pytest.fixture
def collector(relay: LocalRooms) -> Collector:
    """The room is being recorded."""
    tape: Any = Tape()
    tape._recorder = collector = Collector()
    relay._tapes[ROOM] = tape
    return collector


async def received(relay: LocalRooms, count: int) -> None:
    """So many packets of the one publisher have come through."""
    async with asyncio.timeout(30):
        while (await relay.get_stats(ROOM)).publishers[0].packets_received < count:  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0.01)


async def test_what_is_paused_or_not_agreed_to_is_not_handed_over(
    relay: LocalRooms, publish: Publish, collector: Collector
) -> None:
    publisher = await publish()
    for number, (names, is_paused) in enumerate(
        [([], False), (["doctor"], False), ([], True), (["doctor"], False)], start=1
    ):
        await relay.set_recording(ROOM, names, is_paused=is_paused)
        await publisher.send_voice(number, b"voice %d" % number)
        await received(relay, number)
    assert [packet.payload for packet in collector.got] == [b"voice 2", b"voice 4"]
    assert collector.orders == ["doctor", "pause", "doctor", "resume"]


async def test_the_largest_layer_is_recorded_and_a_change_is_another_stream(
    relay: LocalRooms, publish: Publish, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemed.media.relay.taps.CHOOSE_SECONDS", -CHOOSE_SECONDS)
    publisher = await publish(rids=("s", "l"))
    await relay.set_recording(ROOM, ["doctor"], is_paused=False)
    layers = relay._rooms[ROOM].publishers["doctor"].tracks["video"].layers
    for number, rid in enumerate(("s", "l"), start=1):
        await publisher.send_picture(number, picture(number), rid=rid)
        await received(relay, number)
    # Which layer sends, whether a whole picture, and which is the largest by then.
    sent = [
        ("s", True, "s"),
        ("l", True, "l"),
        ("s", True, "l"),
        ("l", False, "l"),
        ("s", False, "s"),
        ("s", True, "s"),
    ]
    for number, (rid, is_key, largest) in enumerate(sent, start=3):
        for name, layer in layers.items():
            layer.rates = [{True: 1e9, False: 1.0}[name == largest], 0, 0, 0]
        await publisher.send_picture(number, picture(number, key=is_key), rid=rid)
        await received(relay, number)
    assert [packet.sequence for packet in collector.got] == [3, 4, 6, 8]
    first, second, same, back = (packet.ssrc for packet in collector.got)
    assert second == same
    assert len({first, second, back}) == 3
