"""The tests' own bad lines do what they say (tests/impairment.py)."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from tests.impairment import Address, Link, Network, Shape, Way

PATIENCE_SECONDS = 30
PACKETS = 1000


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(seed=7) as network:
        yield network


class Endpoint:
    """A candidate of a page: a socket behind a link."""

    def __init__(self, network: Network, link: Link) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_SECONDS)
        self.address: Address = self._socket.getsockname()
        network.own(link, self.address)
        self.mirror: Address = ("127.0.0.1", network.mirror(self.address))

    def send(self, data: bytes, to: Endpoint) -> None:
        self._socket.sendto(data, to.mirror)

    def receive(self) -> tuple[bytes, Address]:
        return self._socket.recvfrom(2000)

    def give_up_after(self, seconds: float) -> None:
        self._socket.settimeout(seconds)

    def close(self) -> None:
        self._socket.close()


async def _pass(way: Way, sizes: list[int]) -> list[int]:
    """Which of the packets came out, in the order in which they did."""
    came: asyncio.Queue[int] = asyncio.Queue()
    for number, size in enumerate(sizes):
        way.send(size, partial(came.put_nowait, number))
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await came.get() for _ in range(len(sizes) - way.dropped)]


@pytest.mark.parametrize("loss", [0.05, 0.3])
async def test_as_much_is_lost_as_was_asked_for(loss: float) -> None:
    way = Way(random.Random(3))
    way.shape = Shape(loss=loss)
    came = await _pass(way, [100] * PACKETS)
    assert PACKETS * (1 - loss) == pytest.approx(len(came), rel=0.05)


async def test_the_same_seed_loses_the_same() -> None:
    came = []
    for _ in range(2):
        way = Way(random.Random(3))
        way.shape = Shape(loss=0.1)
        came.append(await _pass(way, [100] * PACKETS))
    assert came[0] == came[1]


async def test_a_rate_lets_a_queue_of_packets_through_and_no_more() -> None:
    way = Way(random.Random(3))
    way.shape = Shape(rate=800_000, queue=0.2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    came = await _pass(way, [1000] * 60)
    # A hundredth of a second for each packet.
    assert came == list(range(21))
    assert loop.time() - began == pytest.approx(0.21, abs=0.1)


async def test_nothing_overtakes_on_a_line_that_jitters() -> None:
    way = Way(random.Random(3))
    way.shape = Shape(delay=0.02, jitter=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    came = await _pass(way, [100] * 200)
    assert came == list(range(200))
    assert loop.time() - began >= 0.05


async def test_what_is_under_way_when_the_line_is_cut_is_lost() -> None:
    way = Way(random.Random(3))
    way.shape = Shape(delay=0.05)
    came: list[int] = []
    way.send(100, lambda: came.append(1))
    way.is_on = False
    way.send(100, lambda: came.append(2))
    assert way.dropped == 1
    loop = asyncio.get_running_loop()
    all_due = loop.create_future()
    loop.call_at(loop.time() + 0.1, all_due.set_result, None)
    await all_due
    assert came == []


def test_packets_pass_the_mirrors_and_nothing_comes_over_a_cut_link(network: Network) -> None:
    near, far = network.link(1), network.link(1)
    with (
        closing(Endpoint(network, near)) as here,
        closing(Endpoint(network, far)) as there,
    ):
        here.send(b"to there", there)
        assert there.receive() == (b"to there", here.mirror)
        near.cut()
        there.send(b"lost", here)
        here.give_up_after(0.3)
        with pytest.raises(TimeoutError):
            here.receive()
        here.give_up_after(PATIENCE_SECONDS)
        near.mend()
        there.send(b"back", here)
        assert here.receive() == (b"back", there.mirror)
        assert (near.up.passed, far.up.passed, near.down.passed) == (1, 2, 1)


def test_what_was_open_before_a_change_of_address_is_dead(network: Network) -> None:
    near, far = network.link(1), network.link(1)
    with (
        closing(Endpoint(network, near)) as here,
        closing(Endpoint(network, far)) as there,
    ):
        near.change_address()
        here.send(b"from the old address", there)
        with closing(Endpoint(network, near)) as moved:
            moved.send(b"from the new one", there)
            assert there.receive() == (b"from the new one", moved.mirror)
            there.send(b"to the old one", here)
            there.send(b"to the new one", moved)
            assert moved.receive() == (b"to the new one", there.mirror)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1000):
        writer.write(piece)
    writer.close()


async def test_a_stream_passes_waits_while_cut_and_ends(network: Network) -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    link = network.link(server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        link.shape(delay=0.05)
        began = loop.time()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert loop.time() - began >= 0.1
        link.cut()
        writer.write(b"later")
        began = loop.time()
        loop.call_later(0.3, link.mend)
        assert await reader.readexactly(5) == b"later"
        assert loop.time() - began >= 0.3
        writer.write_eof()
        assert await reader.read() == b""
    writer.close()
    server.close()


async def test_a_stream_is_dead_after_a_change_of_address(network: Network) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    ends: list[asyncio.StreamWriter] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        while piece := await reader.read(1000):
            heard.put_nowait(piece)

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    link = network.link(server.sockets[0].getsockname()[1])
    _, old = await asyncio.open_connection("127.0.0.1", link.port)
    old.write(b"from the first address")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await heard.get() == b"from the first address"
    link.change_address()
    old.write(b"too late")
    _, new = await asyncio.open_connection("127.0.0.1", link.port)
    new.write(b"from the new one")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await heard.get() == b"from the new one"
    server.close()
    for end in (*ends, old, new):
        end.transport.abort()
    await asyncio.gather(*(end.wait_closed() for end in (*ends, old, new)), return_exceptions=True)
