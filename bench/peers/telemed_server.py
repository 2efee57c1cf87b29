"""The engine, with a handler as the product writes them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bench.peers.serving import serve
from telemed.signaling.engine import FastServer, Limits, Reason


def make_app(port: int) -> web.Application:
    """Relay `signal` to the room it names; the allowance is counted, but never used up."""

    async def admit(_sid: str, _request: web.Request, _auth: dict[str, Any] | None) -> None:
        return None

    async def dispatch(sid: str, event: str, data: Any) -> object:
        if event == "signal":
            await server.emit("signal", data, room=data["room"], skip_sid=sid)
        elif event == "join":
            await server.enter_room(sid, data)
        return True

    async def forget(_sid: str, _reason: Reason) -> None:
        return None

    server = FastServer(
        origins=[f"http://127.0.0.1:{port}"],
        on_connect=admit,
        on_event=dispatch,
        on_disconnect=forget,
        limits=Limits(messages_per_second=100_000, message_burst=100_000),
    )
    app = web.Application()
    server.attach(app)
    return app


if __name__ == "__main__":
    serve(make_app)
