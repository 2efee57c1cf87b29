"""Several server processes act as one through Redis, and each stands alone while it is away."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import socketio

from telemed.signaling.engine import Reason, RedisFanOut
from tests.servers import Redis, free_port
from tests.signaling.engine.clients import WAIT_SECONDS, Site, serving

CHANNEL = "telemed-test"


@pytest.fixture
async def sites(redis_server: Redis) -> AsyncIterator[tuple[Site, Site]]:
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(serving(fan_out=RedisFanOut(redis_server.url, CHANNEL)))
            for _ in range(2)
        ]
        await _until_linked(first, second)
        await _until_linked(second, first)
        yield first, second


async def test_event_reaches_members_in_every_process_but_not_its_sender(
    sites: tuple[Site, Site],
) -> None:
    speaker, near, far = await sites[0].join(), await sites[0].join(), await sites[1].client()
    for member in (speaker, near):
        await member.ask("join", "room")
    await far.call("join", "room")
    await speaker.ask("say", "room", "qua Redis")
    assert await near.receive("42") == '42["said","qua Redis"]'
    assert await far.heard.get() == ("said", "qua Redis")
    await sites[1].server.emit("last", room="room")
    assert await speaker.receive("42") == '42["last",null]'


async def test_list_and_nothing_survive_the_way(sites: tuple[Site, Site]) -> None:
    far = await sites[1].client()
    for data in ([1, 2], [], [[1]], None, {"a": None}, "x\N{REPLACEMENT CHARACTER}"):
        await sites[0].server.emit("note", data, room="everybody")
        assert await far.heard.get() == ("note", data)


async def test_one_client_is_reached_and_ended_from_another_process(
    sites: tuple[Site, Site],
) -> None:
    client = await sites[0].join()
    await sites[1].server.emit("told", "you", to=client.sid)
    assert await client.receive("42") == '42["told","you"]'
    await sites[1].server.disconnect(client.sid)
    assert await client.ended() == (["41"], 1000)
    assert await sites[0].desk.left.get() == (client.sid, Reason.SERVER)


async def test_text_of_a_client_addresses_nobody_in_another_process(
    sites: tuple[Site, Site],
) -> None:
    attacker, victim = await sites[0].join(), await sites[1].join()
    for room in (victim.sid, f"#{victim.sid}", "#everybody"):
        await attacker.ask("say", room, "overheard?")
    await sites[0].server.emit("last", room="everybody")
    assert await victim.receive("42") == '42["last",null]'


async def test_publisher_with_the_plain_library_reaches_a_marked_room(
    sites: tuple[Site, Site], redis_server: Redis
) -> None:
    client = await sites[0].join()
    publisher = socketio.AsyncRedisManager(redis_server.url, channel=CHANNEL, write_only=True)
    await publisher.emit("note", {"number": 7}, room="#everybody")
    assert await client.receive("42") == '42["note",{"number":7}]'
    await publisher.redis.aclose()


async def test_without_redis_local_members_are_served_and_logs_stay_clean(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"redis://user:password-in-the-url@127.0.0.1:{free_port()}/0"
    with caplog.at_level(logging.DEBUG, "telemed"):
        async with serving(fan_out=RedisFanOut(url, CHANNEL)) as site:
            speaker, hearer = await site.join(), await site.join()
            assert await speaker.ask("say", "everybody", "private words") is None
            assert await hearer.receive("42") == '42["said","private words"]'
    assert "Cannot publish to redis... giving up" in caplog.messages
    written = "\n".join(str(vars(line)) for line in caplog.records)
    assert "password-in-the-url" not in written
    assert "private words" not in written


async def test_processes_find_each_other_again_after_redis_was_away() -> None:
    redis = Redis().start()
    try:
        async with (
            serving(fan_out=RedisFanOut(redis.url, CHANNEL)) as first,
            serving(fan_out=RedisFanOut(redis.url, CHANNEL)) as second,
        ):
            await _until_linked(first, second)
            redis.stop()
            await first.server.emit("lost", room="everybody")
            redis.start()
            await _until_linked(first, second)
            await _until_linked(second, first)
    finally:
        redis.remove()


async def test_redis_that_hangs_holds_up_no_handler() -> None:
    redis = Redis().start()
    assert redis._process
    try:
        async with (
            serving(fan_out=RedisFanOut(redis.url, CHANNEL)) as first,
            serving(fan_out=RedisFanOut(redis.url, CHANNEL)) as second,
        ):
            await _until_linked(first, second)
            speaker = await first.join()
            redis._process.send_signal(signal.SIGSTOP)
            async with asyncio.timeout(WAIT_SECONDS):
                for number in range(1500):
                    await first.server.emit("hint", number, room="everybody")
                assert await speaker.receive("42") == '42["hint",0]'
                assert await speaker.ask("echo", "still quick") == "still quick"
            redis._process.send_signal(signal.SIGCONT)
            await _until_linked(first, second)
    finally:
        redis._process.send_signal(signal.SIGCONT)
        redis.remove()


async def test_event_that_cannot_be_written_is_refused_to_its_sender(
    sites: tuple[Site, Site],
) -> None:
    client = await sites[0].join()
    with pytest.raises(TypeError):
        await sites[1].server.emit("file", b"\0", room="everybody")
    await sites[1].server.emit("note", 1, room="everybody")
    assert await client.receive("42") == '42["note",1]'


async def _until_linked(sender: Site, receiver: Site) -> None:
    """Say it again until it arrives: a process hears nothing until Redis has subscribed it."""
    listener = await receiver.client()
    async with asyncio.timeout(WAIT_SECONDS):
        while listener.heard.empty():
            await sender.server.emit("linked?", to=listener.get_sid())
            await asyncio.sleep(0.01)
