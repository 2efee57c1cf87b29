"""python-socketio as it comes."""

from __future__ import annotations

from typing import Any

import socketio
from aiohttp import web

from bench.peers.serving import serve


def make_app(_port: int) -> web.Application:
    """Relay `signal` to the room it names."""
    server = socketio.AsyncServer(async_mode="aiohttp")

    async def join(sid: str, room: str) -> bool:
        await server.enter_room(sid, room)
        return True

    async def signal(sid: str, data: Any) -> None:
        await server.emit("signal", data, room=data["room"], skip_sid=sid)

    server.on("join", join)
    server.on("signal", signal)
    app = web.Application()
    server.attach(app)
    return app


if __name__ == "__main__":
    serve(make_app)
