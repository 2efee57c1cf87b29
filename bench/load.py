"""The load: a thousand WebSocket clients in pairs for each server, in a process of its own.

Speaks the wire formats by itself, so that the client costs the same whoever serves, and turns from
one server to the next in short slices. Prints one JSON line.

    python -m bench.load --server telemed 8123 4711 socketio --server node 8124 4712 socketio
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

import uvloop

PAIRS: Final = 500
IN_FLIGHT: Final = 32
RATE_PER_SECOND: Final = 1000
WARM_UP_SECONDS: Final = 1.0
CAPACITY_SECONDS: Final = 0.5
DELAY_SECONDS: Final = 1.0
SLICES: Final = 16
SETTLE_SECONDS: Final = 10
LIMIT_SECONDS: Final = 400
PADDING: Final = "v=0 o=- 46117 2 IN IP4 127.0.0.1 s=- t=0 0 a=group:BUNDLE 0 1 " * 2
STAMP_DIGITS: Final = 19


def masked(payload: bytes) -> bytes:
    """A client's text frame; the mask is zero, which costs the server as much as any other."""
    if len(payload) < 126:
        return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


@dataclass(frozen=True)
class Dialect:
    """How one kind of server is joined and spoken to."""

    path: str
    steps: tuple[str, ...]  # sent one after each message of the server, the first at once if none
    speaks_first: bool
    answers: int  # messages of the server that come before the client is ready
    prefix: str
    suffix: str
    ping: bytes

    def message(self, room: str) -> Callable[[int], bytes]:
        """A maker of messages to one room that carry the moment they were sent."""
        head = f'{self.prefix}{{"room":"{room}","sdp":"{PADDING}","at":"'.encode()
        tail = f'"}}{self.suffix}'.encode()

        def make(stamp: int) -> bytes:
            return masked(head + b"%019d" % stamp + tail)

        return make


DIALECTS: Final = {
    "socketio": Dialect(
        path="/socket.io/?EIO=4&transport=websocket",
        steps=("40", '420["join","{room}"]'),
        speaks_first=True,
        answers=3,
        prefix='42["signal",',
        suffix="]",
        ping=b"2",
    ),
    "bare": Dialect(
        path="/relay",
        steps=("{room}",),
        speaks_first=False,
        answers=1,
        prefix="",
        suffix="",
        ping=b"",
    ),
}


class Client(asyncio.Protocol):
    """One WebSocket. Calls `heard` with every relayed message once it has joined."""

    def __init__(self, dialect: Dialect, room: str, port: int, index: int) -> None:
        self.index = index
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: Callable[[int, bytes], None] = lambda _index, _payload: None
        self.make = dialect.message(room)
        self._dialect = dialect
        self._steps = [masked(step.replace("{room}", room).encode()) for step in dialect.steps]
        self._answers = 0
        self._port = port
        self._buffer = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(
            f"GET {self._dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Origin: http://127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it had joined"))

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        start = 0 if self._is_open else self._open(data)
        end = len(data)
        while end - start >= 2:
            length, body = data[start + 1], start + 2
            if length == 126:
                length, body = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
            if end - start < 4 or end < body + length:
                break
            self._got(data[body : body + length])
            start = body + length
        self._buffer = data[start:]

    def _open(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        if b" 101 " not in data[:16]:
            raise ConnectionError(data[:100])
        self._is_open = True
        if not self._dialect.speaks_first:
            self.transport.write(self._steps.pop(0))
        return end + 4

    def _got(self, payload: bytes) -> None:
        if payload == self._dialect.ping:
            self.transport.write(masked(b"3"))
        elif self.ready.done():
            self.heard(self.index, payload)
        else:
            self._answers += 1
            if self._steps:
                self.transport.write(self._steps.pop(0))
            if self._answers == self._dialect.answers:
                self.ready.set_result(None)


class Server:
    """What the machine knows of the server's process and its threads."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._tick = os.sysconf("SC_CLK_TCK")
        self._page_kilobytes = os.sysconf("SC_PAGE_SIZE") / 1024

    def cpu_seconds(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / self._tick

    def kilobytes(self) -> float:
        return int((self._folder / "statm").read_text().split()[1]) * self._page_kilobytes


async def connect(dialect: Dialect, port: int, pairs: int) -> list[Client]:
    """Join two clients to each room; a hundred at a time."""
    loop = asyncio.get_running_loop()
    clients = [Client(dialect, f"pair-{index // 2}", port, index) for index in range(2 * pairs)]
    for start in range(0, len(clients), 100):
        batch = clients[start : start + 100]
        for client in batch:
            await loop.create_connection(partial(_same, client), "127.0.0.1", port)
        await asyncio.gather(*(client.ready for client in batch))
    return clients


def _same(client: Client) -> Client:
    return client


async def close(clients: list[Client]) -> None:
    """Leave, and give the server a moment to forget."""
    for client in clients:
        client.transport.close()
    await asyncio.sleep(0.5)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for the last messages. Raises when some are lost."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - an event for each message would be load
            await asyncio.sleep(0.01)


class Subject:
    """One server under load, its clients, and what was measured of it slice by slice."""

    def __init__(self, name: str, port: int, pid: int, dialect: Dialect) -> None:
        self.name = name
        self.capacities: list[float] = []
        self.p50: list[float] = []
        self.p99: list[float] = []
        self._port = port
        self._server = Server(pid)
        self._dialect = dialect
        self._clients: list[Client] = []
        self._empty = 0.0
        self._joined = 0.0
        self._busy_seconds = 0.0
        self._full_seconds = 0.0
        self._messages = 0

    async def prepare(self) -> None:
        """Connect everybody, weighing the server before and after, and warm it up."""
        # The first connections bring in code and caches that are not the clients' own.
        await close(await connect(self._dialect, self._port, 10))
        self._empty = self._server.kilobytes()
        self._clients = await connect(self._dialect, self._port, PAIRS)
        await asyncio.sleep(0.5)
        self._joined = self._server.kilobytes()
        await self._run_full(WARM_UP_SECONDS)

    async def measure_capacity(self) -> None:
        """One slice with as many messages as go through."""
        busy, begin = self._server.cpu_seconds(), time.perf_counter()
        arrived = await self._run_full(CAPACITY_SECONDS)
        wall = time.perf_counter() - begin
        self.capacities.append(arrived / wall)
        self._full_seconds += wall
        self._busy_seconds += self._server.cpu_seconds() - busy
        self._messages += arrived

    async def measure_delays(self) -> None:
        """One slice at a fixed rate."""
        hundredths = statistics.quantiles(await self._run_steady(), n=100)
        self.p50.append(hundredths[49])
        self.p99.append(hundredths[98])

    def figures(self) -> dict[str, float | list[float]]:
        """Everything measured; the slices of capacity in their order, to be compared in pairs."""
        loaded = self._server.kilobytes()
        return {
            "capacities": self.capacities,
            "capacity": statistics.median(self.capacities),
            "share": self._busy_seconds / self._full_seconds,
            "cpu": self._busy_seconds / self._messages * 1e6,
            "p50": statistics.median(self.p50),
            "p99": statistics.median(self.p99),
            "joined": (self._joined - self._empty) / len(self._clients),
            "loaded": (loaded - self._empty) / len(self._clients),
        }

    async def _run_full(self, seconds: float) -> int:
        """Keep a fixed number of messages under way for some time; how many arrived."""
        clients, total = self._clients, len(self._clients)
        sent, count, is_over = IN_FLIGHT, 0, False

        def heard(_index: int, _payload: bytes) -> None:
            nonlocal sent, count
            count += 1
            if not is_over:
                sent += 1
                sender = clients[sent % total]
                sender.transport.write(sender.make(0))

        for client in clients:
            client.heard = heard
        for client in clients[:IN_FLIGHT]:
            client.transport.write(client.make(0))
        await asyncio.sleep(seconds)
        is_over = True
        await until(lambda: count == sent)
        return count

    async def _run_steady(self) -> list[float]:
        """Send at a fixed rate whatever comes back; milliseconds under way of each message."""
        clients, delays, now = self._clients, list[float](), time.perf_counter_ns

        def heard(_index: int, payload: bytes) -> None:
            start = payload.rindex(b'"at":"') + 6
            delays.append((now() - int(payload[start : start + STAMP_DIGITS])) / 1e6)

        for client in clients:
            client.heard = heard
        begin, sent = now(), 0
        planned = int(RATE_PER_SECOND * DELAY_SECONDS)
        while sent < planned:
            due = min(planned, int((now() - begin) * RATE_PER_SECOND / 1e9) + 1)
            for turn in range(sent, due):
                sender = clients[(turn * 7) % len(clients)]
                sender.transport.write(sender.make(now()))
            sent = due
            await asyncio.sleep(0.001)
        await until(lambda: len(delays) == planned)
        return delays


async def measure(subjects: list[Subject]) -> None:
    """All figures of all servers, in short slices by turns; another one begins each time."""
    async with asyncio.timeout(LIMIT_SECONDS):
        for subject in subjects:
            await subject.prepare()
        for number in range(SLICES):
            first = number % len(subjects)
            for subject in (*subjects[first:], *subjects[:first]):
                await subject.measure_capacity()
                await subject.measure_delays()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--server", nargs=4, action="append", metavar=("NAME", "PORT", "PID", "HOW")
    )
    given = parser.parse_args().server
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        subjects = [
            Subject(name, int(port), int(pid), DIALECTS[how]) for name, port, pid, how in given
        ]
        runner.run(measure(subjects))
        print(json.dumps({subject.name: subject.figures() for subject in subjects}))


if __name__ == "__main__":
    main()
