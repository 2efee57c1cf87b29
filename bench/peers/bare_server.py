"""What aiohttp alone can do: text from one WebSocket to the other of its pair, unread."""

from __future__ import annotations

from aiohttp import WSMsgType, web

from bench.peers.serving import serve


def make_app(_port: int) -> web.Application:
    """The first message names the room, and is sent back; all others go to the rest of it."""
    rooms: dict[str, list[web.WebSocketResponse]] = {}

    async def relay(request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(compress=False)
        await line.prepare(request)
        name = await line.receive_str()
        room = rooms.setdefault(name, [])
        room.append(line)
        await line.send_str(name)
        async for message in line:
            if message.type is WSMsgType.TEXT:
                for other in room:
                    if other is not line:
                        await other.send_str(message.data)
        room.remove(line)
        return line

    app = web.Application()
    app.router.add_get("/relay", relay)
    return app


if __name__ == "__main__":
    serve(make_app)
