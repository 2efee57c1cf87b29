"""The relay as the application has it: another process, which may die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import get_args

import pytest

from telemed.core.errors import Conflict, Invalid, Missing, Unavailable
from telemed.media.relay import control
from telemed.media.relay.local import LocalRooms
from telemed.media.relay.process import RelayProcess
from telemed.media.relay.worker import CALLS, Worker
from telemed.media.rooms import MediaRooms, Picture, Wish
from tests.media.peers import SyntheticPublisher, SyntheticViewer, picture


@pytest.fixture
async def process() -> AsyncIterator[RelayProcess]:
    """A relay's process."""
    process = RelayProcess(may_be_private=True)
    await process.start()
    yield process
    await process.close()


async def test_media_passes_through_the_process(process: RelayProcess) -> None:
    rooms: MediaRooms = process
    await rooms.open_room("room")
    publisher, viewer = SyntheticPublisher(), SyntheticViewer()
    await publisher.accept(await rooms.publish("room", "doctor", await publisher.offer()))
    await viewer.accept(await rooms.subscribe("room", "trainee", await viewer.offer(), ["doctor"]))
    await rooms.set_wish("room", "trainee", "doctor", Wish(Picture.SMALL))
    number = 0
    while not viewer.packets["video"]:
        number += 1
        await publisher.send_picture(number, picture(number, key=True))
        await asyncio.wait([asyncio.create_task(viewer.changed.wait())], timeout=0.1)
    stats = await rooms.get_stats("room")
    assert [peer.name for peer in (*stats.publishers, *stats.viewers)] == ["doctor", "trainee"]
    await rooms.leave("room", "doctor")
    await rooms.close_room("room")
    await publisher.close()
    await viewer.close()


def test_every_call_has_an_answer() -> None:
    assert set(CALLS) == set(get_args(control.Call))


async def test_refusals_are_the_same_from_afar(process: RelayProcess) -> None:
    await process.open_room("room")
    with pytest.raises(Conflict) as taken:
        await process.open_room("room")
    assert taken.value.code == "media_room_taken"
    with pytest.raises(Missing):
        await process.get_stats("elsewhere")
    with pytest.raises(Invalid) as malformed:
        await process.publish("room", "doctor", "hello")
    assert [field.field for field in malformed.value.fields] == ["offer"]
    with pytest.raises(Unavailable):
        await process.publish("room", "doctor", "x" * control.LINE_BYTES)


async def test_a_dead_process_is_started_anew(process: RelayProcess) -> None:
    await process.open_room("room")
    first = process.pid
    assert first
    os.kill(first, signal.SIGSTOP)
    asking = asyncio.create_task(process.get_stats("room"))
    await asyncio.sleep(0)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(Unavailable):
        await asking
    with pytest.raises(Unavailable):
        await process.get_stats("room")
    await process.wait_until_up()
    assert process.pid != first
    await process.open_room("room")


async def test_what_is_no_request_ends_the_control_line() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    far_reader, far_writer = await asyncio.open_unix_connection(sock=theirs)
    rooms = LocalRooms()
    serving = asyncio.create_task(Worker(rooms, far_writer).serve(far_reader))
    assert await reader.readline() == control.READY
    writer.write(b'{"number": 1, "call": {"method": "format_disk"}}\n')
    async with asyncio.timeout(30):
        await serving
    for each in (writer, far_writer):
        each.close()
        await each.wait_closed()
    await rooms.close()
