"""Socket.IO on aiohttp, for browsers of known origins: `FastServer`.

    server = FastServer(
        origins=["https://telemed.example"],
        on_connect=admit,        # async (sid, request, auth) -> session; raises Refused
        on_event=dispatch,       # async (sid, event, *arguments) -> what the client's ack carries
        on_disconnect=forget,    # async (sid, reason) -> None; session_of(sid) still answers
    )
    server.attach(app)
    await server.enter_room(sid, "worklist")
    await server.emit("worklist:changed", {"number": 7}, room="worklist", skip_sid=sid)

All events arrive at the one `on_event`, one after another for each client. An event that wants an
answer gets exactly one value: what the handler returned, or `FAILED` if it raised. `on_disconnect`
is called once for each `on_connect` that returned. Sessions are kept here, in memory.

What python-socketio's AsyncServer offers beside this is closed: no long-polling, no second
namespace, no binary, no `call()`, no handlers by name.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, Final, Generic, NoReturn, TypeVar

from aiohttp import web

from telemed.signaling.engine import codec
from telemed.signaling.engine.codec import Malformed
from telemed.signaling.engine.fanout import ROOM_MARK, LocalFanOut
from telemed.signaling.engine.frames import CloseCode, text_frame
from telemed.signaling.engine.limits import Limits
from telemed.signaling.engine.socket import EngineSocket, Reason
from telemed.signaling.engine.upstream import AsyncServer
from telemed.signaling.engine.upstream_logs import describe_failure, library_logger

log = logging.getLogger(__name__)

Session = TypeVar("Session")

FAILED: Final = {"ok": False, "code": "internal"}
_MAX_ROOM_NAME: Final = 256
_CANCEL_SECONDS: Final = 0.5


class Refused(Exception):
    """Raised by `on_connect`: the client may not join, and reads these words."""

    def __init__(self, message: str, data: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class FastServer(AsyncServer, Generic[Session]):
    """One Socket.IO namespace over WebSocket; see the module's words for its use."""

    def __init__(
        self,
        *,
        origins: Collection[str],
        on_connect: Callable[[str, web.Request, dict[str, Any] | None], Awaitable[Session]],
        on_event: Callable[..., Awaitable[object]],
        on_disconnect: Callable[[str, Reason], Awaitable[None]],
        admits_without_origin: Callable[[web.Request], bool] | None = None,
        fan_out: LocalFanOut | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._fan_out = fan_out or LocalFanOut()
        self._limits = limits or Limits()
        library_log = library_logger()
        super().__init__(
            client_manager=self._fan_out,
            async_mode="aiohttp",
            transports=["websocket"],
            logger=library_log,
            engineio_logger=library_log,
        )
        self._origins = frozenset(origins)
        self._admits_without_origin = admits_without_origin
        self._on_connect = on_connect
        self._on_event = on_event
        self._on_disconnect = on_disconnect
        self._sockets: set[EngineSocket] = set()
        self._sessions: dict[str, Session] = {}
        self._is_stopping = False
        self._all_gone = asyncio.Event()

    # ---- for the application

    def attach(self, app: web.Application, path: str = "/socket.io/") -> None:
        """Serve at this path, for as long as the application runs."""
        app.router.add_get(path, self.handle_request)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)

    async def emit(
        self,
        event: str,
        data: object = None,
        *,
        room: str | None = None,
        to: str | None = None,
        skip_sid: str | None = None,
    ) -> None:
        """Send to the members of a room, or to the one client `to`, a sid this server gave out."""
        if event in codec.RESERVED_EVENTS:
            raise ValueError("reserved event name")
        if (room is None) == (to is None):
            raise ValueError("emit() takes either room= or to=")
        key = _marked(room) if to is None else _sid(to)
        await self._fan_out.emit(event, data, room=key, skip_sid=skip_sid)

    async def enter_room(self, sid: str, room: str) -> None:
        """Put a client of this process into a room; without effect if it has left meanwhile."""
        self._fan_out.basic_enter_room(sid, "/", _marked(room))

    async def leave_room(self, sid: str, room: str) -> None:
        """Take a client of this process out of a room."""
        self._fan_out.basic_leave_room(sid, "/", _marked(room))

    def rooms(self, sid: str) -> set[str]:
        """The rooms of a client of this process."""
        return {room.removeprefix(ROOM_MARK) for room in self._fan_out.rooms_of.get(sid, ())}

    def sids_in(self, room: str) -> list[str]:
        """The members of a room that are connected to this process."""
        return list(self._fan_out.members.get(_marked(room), ()))

    def session_of(self, sid: str) -> Session:
        """What `on_connect` returned. Raises KeyError for a client that has left."""
        return self._sessions[sid]

    async def disconnect(
        self, sid: str, namespace: str | None = None, *, ignore_queue: bool = False
    ) -> None:
        """End a client's connection, in this process or another; it will not come back by itself."""
        client = self._fan_out.clients.get(sid)
        if isinstance(client, EngineSocket):
            client.end(Reason.SERVER, CloseCode.NORMAL, codec.LEAVE)
            await self._leave(client)
        elif not ignore_queue:
            await self._fan_out.can_disconnect(_sid(sid), "/")

    async def shutdown(self) -> None:
        """Tell every client, wait briefly, cut the rest off, and cancel handlers that hang."""
        self._is_stopping = True
        for socket in tuple(self._sockets):
            socket.end(Reason.SHUTDOWN, CloseCode.GOING_AWAY)
        await self._wait_until_gone(self._limits.shutdown_seconds)
        for socket in tuple(self._sockets):
            socket.abort(Reason.SHUTDOWN)
            if socket.task:
                socket.task.cancel()
        await self._wait_until_gone(_CANCEL_SECONDS)

    # ---- the way of a connection

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Open a WebSocket, if the page may have one."""
        if self._is_stopping:
            return web.Response(status=503)
        if not self._is_origin_admitted(request):
            return web.Response(status=403)
        query = request.query
        if (query.get("EIO"), query.get("transport"), "sid" in query) != ("4", "websocket", False):
            return web.Response(status=400)
        socket = EngineSocket(request, self._limits, self._receive)
        self._sockets.add(socket)
        try:
            return await socket.serve(secrets.token_urlsafe(15))
        finally:
            await self._leave(socket)
            self._sockets.discard(socket)
            if not self._sockets:
                self._all_gone.set()

    def _is_origin_admitted(self, request: web.Request) -> bool:
        given = request.headers.getall("Origin", [])
        if not given:
            return bool(self._admits_without_origin and self._admits_without_origin(request))
        return len(given) == 1 and given[0] in self._origins

    async def _receive(self, socket: EngineSocket, packet: bytes) -> None:
        kind = packet[:2]
        if kind == codec.EVENT:
            await self._receive_event(socket, packet)
        elif kind == codec.CONNECT:
            await self._join(socket, packet)
        elif kind == codec.LEAVE:
            socket.end(Reason.CLIENT, CloseCode.NORMAL)
            await self._leave(socket)
        elif kind != codec.ACK:  # nothing is ever asked of a client, so its answers mean nothing
            raise Malformed("binary, or unknown kind of packet")

    async def _receive_event(self, socket: EngineSocket, packet: bytes) -> None:
        ack_id, parts = codec.decode_event(packet)
        if socket.sid is None:
            raise Malformed("event before joining")
        try:
            answer = await self._on_event(socket.sid, *parts)
            reply = codec.encode_ack(ack_id, answer) if ack_id else b""
        except Exception as error:  # noqa: BLE001 - the client hears of it, whatever it was
            log.error("handler failed: %s", describe_failure(error))  # noqa: TRY400 - no payload
            reply = codec.encode_ack(ack_id, FAILED) if ack_id else b""
        if reply:
            socket.write(text_frame(reply))

    async def _join(self, socket: EngineSocket, packet: bytes) -> None:
        if packet[2:3] == b"/":
            name = codec.decode_namespace(packet)
            socket.write(text_frame(codec.encode_refusal("Invalid namespace", namespace=name)))
            return
        if socket.sid is not None:
            raise Malformed("joined twice")
        auth = codec.decode_auth(packet)
        sid = secrets.token_urlsafe(15)
        # Known before it is admitted, so that on_connect can put it into rooms.
        self._fan_out.add(sid, socket)
        try:
            self._sessions[sid] = await self._on_connect(sid, socket.request, auth)
        except Refused as refusal:
            self._refuse(socket, codec.encode_refusal(refusal.message, refusal.data))
        except Exception as error:  # noqa: BLE001 - the client hears of it, whatever it was
            log.error("on_connect failed: %s", describe_failure(error))  # noqa: TRY400 - no payload
            self._refuse(socket, codec.encode_refusal("internal", FAILED))
        else:
            socket.joined(sid)
            socket.write(text_frame(codec.encode_connect(sid)))
        finally:
            if socket.sid is None:
                self._fan_out.remove(sid)

    def _refuse(self, socket: EngineSocket, packet: bytes) -> None:
        socket.end(Reason.REFUSED, CloseCode.NORMAL, packet)

    async def _leave(self, socket: EngineSocket) -> None:
        """Forget a client, once, whoever ended the connection."""
        sid = socket.sid
        if sid is None or not self._fan_out.remove(sid):
            return
        try:
            await self._on_disconnect(sid, socket.reason)
        except Exception as error:  # noqa: BLE001 - nobody is left to hear of it
            log.error("on_disconnect failed: %s", describe_failure(error))  # noqa: TRY400 - no payload
        finally:
            del self._sessions[sid]

    # ---- start and stop

    async def _start(self, app: web.Application) -> None:
        self._fan_out.initialize()

    async def _stop(self, app: web.Application) -> None:
        await self.shutdown()
        await self._fan_out.close()

    async def _wait_until_gone(self, seconds: float) -> None:
        if self._sockets:
            self._all_gone.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._all_gone.wait()

    def on(self, *_arguments: object, **_options: object) -> NoReturn:
        """Closed: handlers are given to the constructor, where they cannot be passed by."""
        raise TypeError("FastServer takes its handlers at construction")

    register_namespace = call = on


def _marked(room: object) -> str:
    if not isinstance(room, str) or not 0 < len(room) <= _MAX_ROOM_NAME:
        raise ValueError("not the name of a room")
    return ROOM_MARK + room


def _sid(sid: object) -> str:
    if not isinstance(sid, str) or not sid or sid[0] == ROOM_MARK:
        raise ValueError("not a sid")
    return sid
