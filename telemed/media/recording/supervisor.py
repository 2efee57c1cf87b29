"""The server's side of a recorder process: starts it, feeds it, asks it to end."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from telemed.core.errors import N_, Unavailable
from telemed.media.recording import wire
from telemed.media.recording.packets import Packet, SenderReport
from telemed.media.recording.recording import Outcome

# About ten seconds of a call of four, should the disc stand still.
MOST_WAITING: Final = 4096
END_SECONDS: Final = 30.0


class RecorderLost(Unavailable):
    """The process died; its files end about three seconds before that."""

    def __init__(self) -> None:
        super().__init__(
            "recorder_lost",
            N_("Việc ghi bị ngắt giữa chừng. Phần đã ghi vẫn xem được."),
        )


class RecorderProcess:
    """One recording in a process of its own. Packets are dropped when it cannot keep up."""

    def __init__(
        self,
        connection: socket.socket,
        process: asyncio.subprocess.Process,
        ask_key_frame: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._process = process
        self._ask_key_frame = ask_key_frame
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._numbers: dict[str, int] = {}
        self._sources: dict[int, str] = {}
        self._outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self.dropped = 0
        self._loop.add_reader(connection, self._read)

    @classmethod
    async def start(cls, directory: Path, stem: str, ask_key_frame: Callable[[str], None]) -> Self:
        """Start a process that writes into `directory`; `ask_key_frame` is called with a source."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telemed.media.recording.process"),
                *(str(theirs.fileno()), str(directory), stem),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(ours, process, ask_key_frame)

    @property
    def pid(self) -> int:
        """Of the recorder's process."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it ended, by order, by itself or by death."""
        return self._outcome.done()

    def add(self, source: str) -> None:
        """Record this participant too."""
        if source not in self._numbers:
            number = len(self._sources) + 1
            self._numbers[source] = number
            self._sources[number] = source
            self._order(wire.OrderKind.ADD, number, source)

    def remove(self, source: str) -> None:
        """This participant left for good."""
        number = self._numbers.pop(source, None)
        if number is not None:
            self._order(wire.OrderKind.REMOVE, number)

    def push(self, source: str, packet: Packet) -> None:
        """Hand over a packet; never waits."""
        if source in self._numbers:
            self._offer(wire.pack_packet(self._numbers[source], packet))

    def report(self, source: str, report: SenderReport) -> None:
        """Hand over a sender report; never waits."""
        if source in self._numbers:
            self._offer(wire.pack_report(self._numbers[source], report))

    def pause(self) -> None:
        """Nothing that is sent from now on is written."""
        self._order(wire.OrderKind.PAUSE)

    def resume(self) -> None:
        """Go on."""
        self._order(wire.OrderKind.RESUME)

    async def ended(self) -> Outcome:
        """Wait for the end, whatever brings it. Raises RecorderLost."""
        return self._with_names(await asyncio.shield(self._outcome))

    async def finish(self) -> Outcome:
        """End the recording and wait for its files. Raises RecorderLost."""
        self._order(wire.OrderKind.CLOSE)
        try:
            async with asyncio.timeout(END_SECONDS):
                return await self.ended()
        except TimeoutError:
            raise RecorderLost from None
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End the process at once if it is still there, and let go of everything."""
        self._over(None)
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _with_names(self, outcome: Outcome) -> Outcome:
        files = tuple(
            type(file)(**file.__dict__ | {"source": self._sources[int(file.source)]})
            for file in outcome.files
        )
        return Outcome(files, outcome.refusal)

    def _order(self, order: wire.OrderKind, source: int = 0, name: str = "") -> None:
        """Orders are few, keep their place among the packets and are never dropped."""
        self._send(wire.pack_order(wire.Order(order, source, time.monotonic(), name)))

    def _offer(self, datagram: bytes) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
        else:
            self._send(datagram)

    def _send(self, datagram: bytes) -> None:
        if self.is_over:
            return
        self._waiting.append(datagram)
        if len(self._waiting) == 1:
            self._write()

    def _write(self) -> None:
        """Send what waits; what the process cannot take yet goes when it can."""
        try:
            while self._waiting:
                self._connection.send(self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._connection, self._write)
        except ConnectionError:
            self._read()
        else:
            self._loop.remove_writer(self._connection)

    def _read(self) -> None:
        try:
            datagram = self._connection.recv(wire.MOST_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            datagram = b""
        message = wire.read_from_recorder(datagram) if datagram else None
        if isinstance(message, wire.KeyFrameWanted):
            if (source := self._sources.get(message.source)) is not None:
                self._ask_key_frame(source)
        else:
            self._over(message)

    def _over(self, outcome: Outcome | None) -> None:
        if self.is_over:
            return
        self._waiting.clear()
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        if outcome is None:
            self._outcome.set_exception(RecorderLost())
            # Nobody need wait for it.
            self._outcome.exception()
        else:
            self._outcome.set_result(outcome)
