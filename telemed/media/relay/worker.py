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
from typing import Any

from pydantic import ValidationError

from telemed.core.clock import TaskOwner
from telemed.core.errors import TelemedError
from telemed.media.relay import control
from telemed.media.relay.local import LocalRooms
from telemed.media.rooms import IceServer, Wish

log = logging.getLogger(__name__)


async def call(rooms: LocalRooms, asked: control.Call) -> Any:  # noqa: C901, PLR0911 - one each
    """Carry out one call; what is answered."""
    match asked:
        case control.OpenRoom(room=room):
            return await rooms.open_room(room)
        case control.CloseRoom(room=room):
            return await rooms.close_room(room)
        case control.Publish(room=room, name=name, offer=offer):
            return await rooms.publish(room, name, offer)
        case control.Subscribe(room=room, name=name, offer=offer, publishers=publishers):
            return await rooms.subscribe(room, name, offer, publishers)
        case control.SetWish(room=room, viewer=viewer, publisher=publisher) as wish:
            wanted = Wish(wish.picture, wish.redundancy)
            return await rooms.set_wish(room, viewer, publisher, wanted)
        case control.Leave(room=room, name=name):
            return await rooms.leave(room, name)
        case control.GetStats(room=room):
            return dataclasses.asdict(await rooms.get_stats(room))
        case control.StartRecording(room=room, directory=directory, stem=stem):
            return await rooms.start_recording(room, directory, stem)
        case control.SetRecording(room=room, names=names, is_paused=is_paused):
            return await rooms.set_recording(room, names, is_paused=is_paused)
        case control.EndRecording(room=room):
            return await rooms.end_recording(room)


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
            result = await call(self._rooms, request.call)
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
    servers = [IceServer(**server) for server in options["ice_servers"]]
    rooms = LocalRooms(servers, may_be_private=options["may_be_private"])
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
