"""A small application on the Socket.IO engine, served for real, and the clients that talk to it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import socketio
from aiohttp import WSMsgType, web

from telemed.signaling.engine import FastServer, Limits, LocalFanOut, Reason, Refused

WAIT_SECONDS = 30
SECRET = "Nguyễn-Văn-Bệnh"


class Desk:
    """The application: a few events, and a record of what reached it."""

    def __init__(self) -> None:
        self.server: FastServer[dict[str, object]]
        self.admitted: list[str] = []
        self.seen: list[tuple[str, object]] = []
        self.left: asyncio.Queue[tuple[str, Reason]] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.entered_gate = asyncio.Event()

    async def admit(
        self, sid: str, request: web.Request, auth: dict[str, Any] | None
    ) -> dict[str, object]:
        """Refuse, fail or let in, as the client asks for."""
        wish = (auth or {}).get("wish")
        if wish == "refuse":
            raise Refused("not_signed_in", {"code": "not_signed_in"})
        if wish == "fail":
            raise KeyError(SECRET)
        self.admitted.append(sid)
        await self.server.enter_room(sid, "everybody")
        return {"name": (auth or {}).get("name")}

    async def forget(self, sid: str, reason: Reason) -> None:
        """The session is still there; then say that the client left."""
        assert self.server.session_of(sid) is not None
        self.left.put_nowait((sid, reason))

    async def dispatch(self, sid: str, event: str, *arguments: Any) -> object:
        """Answer the events of the tests; anything else fails, as any bug would."""
        self.seen.append((event, arguments[0] if arguments else None))
        answer = getattr(self, f"on_{event}")
        return await answer(sid, *arguments)

    async def on_join(self, sid: str, room: Any) -> str:
        await self.server.enter_room(sid, room)
        return "joined"

    async def on_leave(self, sid: str, room: Any) -> None:
        await self.server.leave_room(sid, room)

    async def on_say(self, sid: str, room: Any, text: Any) -> None:
        await self.server.emit("said", text, room=room, skip_sid=sid)

    async def on_tell(self, sid: str, to: Any, text: Any) -> None:
        await self.server.emit("told", text, to=to)

    async def on_echo(self, sid: str, value: Any) -> object:
        return value

    async def on_name(self, sid: str) -> object:
        return self.server.session_of(sid)["name"]

    async def on_fail(self, sid: str, value: Any) -> None:
        raise KeyError(SECRET, value)

    async def on_bytes(self, sid: str) -> object:
        return b"not JSON"

    async def on_later(self, sid: str, turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    async def on_wait(self, sid: str) -> str:
        self.entered_gate.set()
        await self.gate.wait()
        return "waited"


class RawClient:
    """A WebSocket that says exactly what it is told to, and answers nothing by itself."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self.line = line
        self.sid = ""

    async def send(self, *packets: str) -> None:
        """Send text messages."""
        for packet in packets:
            await self.line.send_str(packet)

    async def receive(self, prefix: str = "") -> str:
        """The next message that starts so; an ended connection is an error."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                message = await self.line.receive()
                assert message.type is WSMsgType.TEXT, message
                if str(message.data).startswith(prefix):
                    return str(message.data)

    async def ask(self, event: str, *arguments: object) -> Any:
        """Send an event and return what its acknowledgement carries."""
        await self.send("427" + json.dumps([event, *arguments], ensure_ascii=False))
        return json.loads((await self.receive("437"))[3:])[0]

    async def join(self, auth: dict[str, object] | None = None) -> RawClient:
        """Join the namespace."""
        await self.send("40" + (json.dumps(auth) if auth else ""))
        self.sid = json.loads((await self.receive("40"))[2:])["sid"]
        return self

    async def ended(self) -> tuple[list[str], int | None]:
        """What still came, and the code with which the server closed; None if it just cut."""
        texts: list[str] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                message = await self.line.receive()
                if message.type is not WSMsgType.TEXT:
                    break
                texts.append(message.data)
        code = message.data if message.type is WSMsgType.CLOSE else None
        await self.line.close()
        return texts, code


class Site:
    """One running server and everything that was connected to it."""

    def __init__(self, desk: Desk, runner: web.AppRunner, stack: AsyncExitStack, port: int) -> None:
        self.desk = desk
        self.server = desk.server
        self.port = port
        self.origin = f"http://127.0.0.1:{port}"
        self.url = f"{self.origin}/socket.io/?EIO=4&transport=websocket"
        self._runner = runner
        self._stack = stack

    async def stop(self) -> None:
        """End the server as a process manager would."""
        await self._runner.cleanup()

    async def open(self, headers: dict[str, str] | None = None, **options: Any) -> RawClient:
        """A WebSocket that has not joined yet."""
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        given = {"Origin": self.origin} if headers is None else headers
        line = await session.ws_connect(self.url, headers=given, autoping=False, **options)
        client = RawClient(line)
        await client.receive("0")
        return client

    async def join(self, auth: dict[str, object] | None = None) -> RawClient:
        """A raw client that has joined."""
        return await (await self.open()).join(auth)

    async def client(self, auth: dict[str, object] | None = None) -> socketio.AsyncClient:
        """The library's own client, joined; it keeps events in the list `heard`."""
        client = socketio.AsyncClient(reconnection=False)
        client.heard = asyncio.Queue()

        async def hear(event: str, *arguments: object) -> None:
            client.heard.put_nowait((event, *arguments))

        client.on("*", hear)
        self._stack.push_async_callback(client.disconnect)
        await client.connect(
            self.origin, headers={"Origin": self.origin}, auth=auth, transports=["websocket"]
        )
        return client


@asynccontextmanager
async def serving(
    *,
    port: int = 0,
    limits: Limits | None = None,
    fan_out: LocalFanOut | None = None,
    **options: Any,
) -> AsyncIterator[Site]:
    """Serve a `Desk` on a port, free if not given, to pages of its own origin."""
    desk = Desk()
    app = web.Application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    listener = socket.create_server(("127.0.0.1", port))
    port = listener.getsockname()[1]
    desk.server = FastServer(
        origins=[f"http://127.0.0.1:{port}"],
        on_connect=desk.admit,
        on_event=desk.dispatch,
        on_disconnect=desk.forget,
        limits=limits,
        fan_out=fan_out,
        **options,
    )
    desk.server.attach(app)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        yield Site(desk, runner, stack, port)
