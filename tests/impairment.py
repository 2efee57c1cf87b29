"""Bad lines for tests, in user space: what a page sends and gets passes a `Link` that can be anything.

    with Network(seed=1) as network:
        near, far = network.link(server.port), network.link(server.port)
        browser = Chromium(playwright, *near.arguments)      # a browser process for each link
        context = browser.browser.new_context(bypass_csp=True, ...)
        context.add_init_script(near.init_script)
        near.shape(rate=128_000, delay=0.15, loss=0.05)      # both ways
        near.up.shape = Shape(rate=64_000)                   # one way
        near.cut(); near.mend(); near.change_address()

Every candidate of one page has a mirror, a socket that stands for it; the other pages are given the
mirror's address instead (the init script sees to that), so that media pass the link of who sends
them and then the link of who gets them. What comes from no page, such as a server's own peer, has
no link of its own. The page's line to the server passes the same two ways, as a stream: what is
lost of it comes later, and a cut link lets it through when it would next be sent again.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from aiohttp import web

LOCAL: Final = "127.0.0.1"
RETRANSMIT_SECONDS: Final = 0.2
LONGEST_RETRANSMIT_SECONDS: Final = 60.0
CHUNK_BYTES: Final = 1400
LARGE_CHUNK_BYTES: Final = 65_536
CHUNKS_UNDER_WAY: Final = 256
HEADER_BYTES: Final = 28
SOCKET_BUFFER_BYTES: Final = 1 << 20

Address = tuple[str, int]
ResultT = TypeVar("ResultT")

INIT_SCRIPT: Final = Path(__file__).with_suffix(".js").read_text()


@dataclass(frozen=True)
class Shape:
    """What one way of a line does to what passes it."""

    delay: float = 0.0
    """Seconds."""
    jitter: float = 0.0
    """Seconds that are added at most; nothing overtakes."""
    loss: float = 0.0
    """Share of the packets, 0 to 1."""
    rate: float | None = None
    """Bits per second; None has no limit."""
    queue: float = 0.4
    """Seconds of waiting at that rate before what comes is dropped."""


class Way:
    """One direction of a line: a queue of limited length in front of a slow, lossy, long wire."""

    def __init__(self, chance: random.Random) -> None:
        self.shape = Shape()
        self.is_on = True
        self.passed = 0
        self.dropped = 0
        self._chance = chance
        self._free_at = 0.0
        self._last_due = 0.0
        self._under_way: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, size: int, deliver: Callable[[], None]) -> None:
        """Let one packet pass, later or never."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        shape = self.shape
        if (
            not self.is_on
            or self._chance.random() < shape.loss
            or self._free_at - now > shape.queue
        ):
            self.dropped += 1
            return
        due = self._due(size, now)
        if due <= now and not self._under_way:
            self._pass(deliver)
            return
        self._under_way.append((due, deliver))
        if self._timer is None:
            self._timer = loop.call_at(due, self._drain)

    async def admit(self, size: int) -> float:
        """When a piece of a stream comes out, on the loop's clock; waits for a place in the queue."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._free_at - loop.time() - self.shape.queue)
        due = self._due(size, loop.time())
        if self._chance.random() < self.shape.loss:
            due += RETRANSMIT_SECONDS + 2 * self.shape.delay
        return due

    def _due(self, size: int, now: float) -> float:
        shape = self.shape
        self._free_at = max(self._free_at, now)
        if shape.rate:
            self._free_at += size * 8 / shape.rate
        due = self._free_at + shape.delay + shape.jitter * self._chance.random()
        self._last_due = max(due, self._last_due)
        return self._last_due

    def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._under_way and self._under_way[0][0] <= loop.time():
            _, deliver = self._under_way.popleft()
            if self.is_on:
                self._pass(deliver)
        if self._under_way:
            self._timer = loop.call_at(self._under_way[0][0], self._drain)

    def _pass(self, deliver: Callable[[], None]) -> None:
        self.passed += 1
        deliver()


class Link:
    """One page's line to the world; `up` is what the page sends."""

    def __init__(self, network: Network, number: int, server_port: int, seed: int) -> None:
        self.up = Way(random.Random(f"{seed} {number} up"))
        self.down = Way(random.Random(f"{seed} {number} down"))
        self.server_port = server_port
        self.port = 0
        self.number = number
        self.age = 0
        self._network = network

    @property
    def arguments(self) -> tuple[str, ...]:
        """Flags for the browser, whose pages then find the server at the end of this link."""
        here, there = f"{LOCAL}:{self.server_port}", f"{LOCAL}:{self.port}"
        return (f"--host-resolver-rules=MAP {here} {there}",)

    @property
    def init_script(self) -> str:
        """What every page of this link has to run first."""
        control = f"http://{LOCAL}:{self._network.port}/{self.number}"
        script = INIT_SCRIPT.replace("CONTROL", f"'{control}'")
        return script.replace("MIRRORS", f"'{self._network.mirrors}'")

    def shape(self, **changes: Any) -> None:
        """Change both ways alike; see `Shape`."""
        for way in (self.up, self.down):
            way.shape = replace(way.shape, **changes)

    def cut(self) -> None:
        """Nothing passes any more."""
        self.up.is_on = self.down.is_on = False

    def mend(self) -> None:
        """The line is back; streams go on when they would be sent again."""
        self.up.is_on = self.down.is_on = True

    def change_address(self) -> None:
        """The page is elsewhere: whatever it has open now is dead, without a word to anybody."""
        self._network.call(self._network.forget_addresses(self))


class Network:
    """All links of a test, in a thread with a loop of its own; mirrors are at one address of this machine."""

    def __init__(self, *, seed: int = 1, mirrors: str = LOCAL) -> None:
        self._seed = seed
        self.mirrors = mirrors
        self._numbers = count(1)
        self._links: dict[int, Link] = {}
        self._owners: dict[Address, Link] = {}
        self._dead: set[Address] = set()
        self._mirrors: dict[Address, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="impairment")
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self.port: int = self.call(self._open_control())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def link(self, server_port: int) -> Link:
        """A new line, without a fault yet, from a page to a server on this machine."""
        link = Link(self, next(self._numbers), server_port, self._seed)
        self._links[link.number] = link
        link.port = self.call(self._open_link(link))
        return link

    def mirror(self, endpoint: Address) -> int:
        """The port that stands for an endpoint, to whoever shall send to it."""
        return self.call(self._mirror_port(endpoint))

    def own(self, link: Link, endpoint: Address) -> None:
        """Say that an endpoint is behind a link."""
        self.call(self._note_owner(link, endpoint))

    def call(self, step: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Do something on the loop of the links, and wait for it."""
        return asyncio.run_coroutine_threadsafe(step, self._loop).result()

    def close(self) -> None:
        """End everything, the thread as well."""
        self.call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def forget_addresses(self, link: Link) -> None:
        """Everything that this link's page has open is dead from now on."""
        link.age += 1
        mine = [address for address, owner in self._owners.items() if owner is link]
        self._dead.update(mine)

    async def _open_control(self) -> int:
        app = web.Application()
        app.router.add_get("/{link}/mirror", self._asked_mirror)
        app.router.add_get("/{link}/own", self._told_own)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOCAL, 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _asked_mirror(self, request: web.Request) -> web.Response:
        mirror = self._mirror(_endpoint(request))
        return _answer(str(mirror.getsockname()[1]))

    async def _told_own(self, request: web.Request) -> web.Response:
        link = self._links[int(request.match_info["link"])]
        await self._note_owner(link, _endpoint(request))
        return _answer("")

    async def _note_owner(self, link: Link, endpoint: Address) -> None:
        self._owners.setdefault(endpoint, link)

    async def _mirror_port(self, endpoint: Address) -> int:
        port: int = self._mirror(endpoint).getsockname()[1]
        return port

    def _mirror(self, endpoint: Address) -> socket.socket:
        mirror = self._mirrors.get(endpoint)
        if mirror is None:
            mirror = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            mirror.setblocking(False)
            mirror.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            mirror.bind((self.mirrors, 0))
            self._mirrors[endpoint] = mirror
            self._loop.add_reader(mirror, self._receive, mirror, endpoint)
        return mirror

    def _receive(self, mirror: socket.socket, target: Address) -> None:
        with suppress(BlockingIOError):
            while True:
                data, source = mirror.recvfrom(LARGE_CHUNK_BYTES)
                self._forward(data, source, target)

    def _forward(self, data: bytes, source: Address, target: Address) -> None:
        size = len(data) + HEADER_BYTES
        sender, receiver = self._owners.get(source), self._owners.get(target)

        def arrive() -> None:
            if source in self._dead or target in self._dead:
                return
            with suppress(BlockingIOError):
                self._mirror(source).sendto(data, target)

        def enter_last() -> None:
            if receiver is None:
                arrive()
            else:
                receiver.down.send(size, arrive)

        if sender is None:
            enter_last()
        else:
            sender.up.send(size, enter_last)

    async def _open_link(self, link: Link) -> int:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task that is ended before its first step closes nothing.
            self._writers.add(writer)
            task = asyncio.create_task(_carry(link, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(accept, LOCAL, 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        for mirror in self._mirrors.values():
            self._loop.remove_reader(mirror)
            mirror.close()
        if self._runner:
            await self._runner.cleanup()


def _endpoint(request: web.Request) -> Address:
    host, _, port = request.query["endpoint"].rpartition(":")
    return host, int(port)


def _answer(text: str) -> web.Response:
    return web.Response(text=text, headers={"Access-Control-Allow-Origin": "*"})


async def _carry(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of the page, until both sides have closed it."""
    far_writer = None
    try:
        # The packets that open a connection pass the line as well.
        await asyncio.sleep(link.up.shape.delay + link.down.shape.delay)
        await _until_on(link, link.up)
        far_reader, far_writer = await asyncio.open_connection(LOCAL, link.server_port)
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_pump(link, link.up, reader, far_writer))
            ways.create_task(_pump(link, link.down, far_reader, writer))
    except* OSError:
        pass
    finally:
        for each in (writer, far_writer):
            if each is not None:
                each.transport.abort()


async def _pump(
    link: Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One direction of a connection; its end travels like everything else."""
    age = link.age
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY)
    loop = asyncio.get_running_loop()

    async def write() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - loop.time())
            await _until_on(link, way)
            is_dead = age != link.age
            if piece and not is_dead:
                writer.write(piece)
                await writer.drain()
            elif not piece:
                if not is_dead:
                    writer.write_eof()
                return

    async with asyncio.TaskGroup() as both:
        both.create_task(write())
        while True:
            piece = await reader.read(CHUNK_BYTES if way.shape.rate else LARGE_CHUNK_BYTES)
            await pieces.put((await way.admit(len(piece) + HEADER_BYTES), piece))
            if not piece:
                return


async def _until_on(link: Link, way: Way) -> None:
    """Wait as what is sent again and again does: twice as long each time."""
    age, again = link.age, RETRANSMIT_SECONDS
    while not way.is_on and age == link.age:
        await asyncio.sleep(again)
        again = min(2 * again, LONGEST_RETRANSMIT_SECONDS)
