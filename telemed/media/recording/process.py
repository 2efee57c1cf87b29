"""The recorder's own process: `python -m telemed.media.recording.process SOCKET DIRECTORY STEM`.

Reads packets from an inherited socket, writes files, answers with its outcome. When the server
goes away the files are finished all the same.
"""

from __future__ import annotations

import select
import signal
import socket
import sys
import time
from pathlib import Path

from telemed.media.recording import wire
from telemed.media.recording.manifest import Manifest, Noted
from telemed.media.recording.packets import Packet
from telemed.media.recording.participant import WrittenFile
from telemed.media.recording.recording import Outcome, Recording
from telemed.media.recording.webm import StorageFull

TICK_SECONDS = 0.1
# Silence for so long is silence, and not a server that is slow to hand over.
QUIET_SECONDS = 1.0
LEAD_SECONDS = 0.5


class RecorderClock:
    """The wall's time, but never far ahead of what was read.

    After standing still (a busy machine, a slow disc) what waits unread is recorded as if it had
    just come; by the wall's time its place in the file would be closed already.
    """

    def __init__(self, now: float) -> None:
        self._read_until = now
        self._last_read = now

    def note(self, happened: float, now: float) -> None:
        """Something was read `now` that happened then."""
        self._read_until = happened
        self._last_read = now

    def seconds(self, now: float) -> float:
        """The recorder's time."""
        is_quiet = now - self._last_read > QUIET_SECONDS
        return now if is_quiet else min(now, self._read_until + LEAD_SECONDS)


class Session:
    """Carries out what the server says until it says close, goes away, or storage is full."""

    def __init__(self, connection: socket.socket, directory: Path, stem: str) -> None:
        self._connection = connection
        now = time.monotonic()
        self._clock = RecorderClock(now)
        self._manifest = Manifest(directory, stem)
        self._names: dict[str, str] = {}
        self._recording = Recording(directory, stem, now, self._want_key_frame, self._note)
        self._is_over = False

    def run(self) -> Outcome:
        """Work to the end."""
        refusal = None
        try:
            while not self._is_over:
                readable, _, _ = select.select([self._connection], [], [], TICK_SECONDS)
                if readable:
                    self._read_waiting()
                self._recording.tick(self._clock.seconds(time.monotonic()))
        except StorageFull as full:
            refusal = full.code
        outcome = self._recording.close(self._clock.seconds(time.monotonic()))
        self._manifest.close()
        return Outcome(outcome.files, refusal or outcome.refusal)

    def _read_waiting(self) -> None:
        """Everything that came, but no longer than until the next tick."""
        until = time.monotonic() + TICK_SECONDS
        while not self._is_over and time.monotonic() < until:
            try:
                datagram = self._connection.recv(wire.MOST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                # Work in gulps: waking up for every packet costs more than the packet.
                time.sleep(TICK_SECONDS / 5)
                return
            except ConnectionError:
                # A server that died without reading our wishes; what it sent before still waits.
                continue
            if not datagram:
                self._is_over = True
                return
            self._obey(wire.read_from_server(datagram))

    def _obey(self, message: wire.Order | wire.Media) -> None:
        if isinstance(message, wire.Order):
            self._clock.note(message.at, time.monotonic())
            self._carry_out(message)
        elif isinstance(message.content, Packet):
            self._clock.note(message.content.arrival, time.monotonic())
            self._recording.push(str(message.source), message.content)
        else:
            self._recording.report(str(message.source), message.content)

    def _carry_out(self, order: wire.Order) -> None:
        match order.order:
            case wire.OrderKind.ADD:
                self._names[str(order.source)] = order.name
                self._recording.add(str(order.source), order.at)
            case wire.OrderKind.REMOVE:
                self._recording.remove(str(order.source), order.at)
            case wire.OrderKind.PAUSE:
                self._recording.pause(order.at)
            case wire.OrderKind.RESUME:
                self._recording.resume(order.at)
            case wire.OrderKind.CLOSE:
                self._is_over = True

    def _note(self, file: WrittenFile) -> None:
        noted = Noted(
            file=file.path.name,
            name=self._names[file.source],
            offset_ms=round(file.offset_seconds * 1000),
            duration_ms=round(file.duration_seconds * 1000),
            sha256=file.sha256,
            size=file.path.stat().st_size if file.sha256 else 0,
        )
        try:
            self._manifest.note(noted)
        except OSError as error:
            # What is finished and cannot be noted is found by its beginning.
            if not file.sha256:
                raise StorageFull from error

    def _want_key_frame(self, source: str) -> None:
        self._send(wire.pack_key_frame_wanted(int(source)))

    def _send(self, datagram: bytes) -> None:
        try:
            self._connection.send(datagram, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            # The wish is repeated; a server that went away wants none.
            return


def main() -> int:
    """Run once."""
    # A terminal's Ctrl-C meets the whole group; the server says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        outcome = Session(connection, Path(sys.argv[2]), sys.argv[3]).run()
        connection.setblocking(True)
        try:
            connection.send(wire.pack_outcome(outcome))
        except ConnectionError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
