"""The relay's own process: `python -m telemed.media.relay.worker`, spoken to over one socket.

The socket is inherited by its number, so nobody else can ever connect to it. When it ends, so
does the process: a relay without its application forwards nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import ValidationError

from telemed.core.clock import TaskOwner
from telemed.core.errors import TelemedError
from telemed.media.ice import IceServers
from telemed.media.relay import control
from telemed.media.relay.local import LocalRooms
from telemed.media.rooms import Wish

log = logging.getLogger(__name__)


async def _set_wish(rooms: LocalRooms, asked: control.SetWish) -> None:
    wanted = Wish(asked.picture, asked.redundancy)
    await rooms.set_wish(asked.room, asked.viewer, asked.publisher, wanted)


async def _get_stats(rooms: LocalRooms, asked: control.GetStats) -> dict[str, Any]:
    return dataclasses.asdict(await rooms.get_stats(asked.room))


CALLS: Final[dict[type[control.Message], Callable[[LocalRooms, Any], Awaitable[Any]]]] = {
    control.OpenRoom: lambda rooms, asked: rooms.open_room(asked.room),
    control.CloseRoom: lambda rooms, asked: rooms.close_room(asked.room),
    control.Publish: lambda rooms, asked: rooms.publish(asked.room, asked.name, asked.offer),
    control.Subscribe: lambda rooms, asked: rooms.subscribe(
        asked.room, asked.name, asked.offer, asked.publishers
    ),
    control.SetWish: _set_wish,
    control.Leave: lambda rooms, asked: rooms.leave(asked.room, asked.name),
    control.GetStats: _get_stats,
    control.StartRecording: lambda rooms, asked: rooms.start_recording(
        asked.room, asked.directory, asked.stem
    ),
    control.SetRecording: lambda rooms, asked: rooms.set_recording(
        asked.room, asked.names, is_paused=asked.is_paused
    ),
    control.EndRecording: lambda rooms, asked: rooms.end_recording(asked.room),
}


class Worker:
    """Answers the application."""

    def __init__(self, rooms: LocalRooms, writer: asyncio.StreamWriter) -> None:
        self._rooms = rooms
        self._writer = writer
        self._calls = TaskOwner("control")
        self._free = asyncio.Semaphore(control.IN_FLIGHT)

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Until the application is gone, or says what cannot be understood."""
        self._writer.write(control.READY)
        try:
            while line := await reader.readline():
                request = control.Request.model_validate_json(line)
                await self._free.acquire()
                self._calls.start(request.call.method, self._answer(request))
        except (ValidationError, ValueError) as error:
            log.warning("control line not understood: %s", type(error).__name__)
        finally:
            await self._calls.close()

    async def _answer(self, request: control.Request) -> None:
        try:
            result = await CALLS[type(request.call)](self._rooms, request.call)
            answer = control.Answer(number=request.number, result=result)
        except TelemedError as error:
            refusal = control.Refusal(
                kind=error.kind,
                code=error.code,
                message=error.message,
                field=error.fields[0].field if error.fields else None,
            )
            answer = control.Answer(number=request.number, refusal=refusal)
        finally:
            self._free.release()
        self._writer.write(control.to_line(answer))
        await self._writer.drain()


async def run(inherited: socket.socket, options: dict[str, Any]) -> None:
    """Serve one application over an inherited socket."""
    reader, writer = await asyncio.open_unix_connection(sock=inherited, limit=control.LINE_BYTES)
    ice = IceServers.from_json(options.pop("ice"))
    rooms = LocalRooms(ice, **options)
    try:
        await Worker(rooms, writer).serve(reader)
    finally:
        await rooms.close()
        writer.close()


def main() -> None:
    """Serve until the other end of the socket closes. The first line tells the options."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    # It tells the addresses of participants.
    logging.getLogger("aioice").setLevel(logging.WARNING)
    inherited = socket.socket(fileno=int(sys.argv[1]))
    options = json.loads(sys.stdin.readline())
    asyncio.run(run(inherited, options))


if __name__ == "__main__":
    main()
