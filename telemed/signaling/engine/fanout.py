"""Who is in which room, and how an event reaches all of them: encoded once, written to each.

Application rooms are kept under `#` + name, so that no text from outside can name a sid. The
reverse map from a client to its rooms makes leaving cost what that client joined, not all rooms.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Protocol

import orjson

from telemed.signaling.engine.codec import encode_event, encode_json
from telemed.signaling.engine.frames import text_frame
from telemed.signaling.engine.library import AsyncManager, AsyncRedisManager

ROOM_MARK = "#"
# A Redis that does not answer must not hold up a handler for longer.
_REDIS_SECONDS = 2


class Client(Protocol):
    """The end of the line to one client."""

    def write(self, frame: bytes) -> bool:
        """Send a frame; True when the client lags behind."""


class _Json:
    """What the library writes into Redis and reads from it."""

    @staticmethod
    def dumps(value: object) -> bytes:
        return encode_json(value)

    @staticmethod
    def loads(text: bytes) -> Any:
        return orjson.loads(text)


class LocalFanOut(AsyncManager):
    """The clients of this process and their rooms."""

    def __init__(self) -> None:
        super().__init__()
        self.clients: dict[str, Client] = {}
        self.members: dict[str, dict[str, Client]] = {}
        self.rooms_of: dict[str, set[str]] = {}

    def add(self, sid: str, client: Client) -> None:
        """A client is here, in no room yet."""
        self.clients[sid] = client

    def remove(self, sid: str) -> bool:
        """A client is gone, from all its rooms; False if it was not here."""
        for room in tuple(self.rooms_of.get(sid, ())):
            self.basic_leave_room(sid, "/", room)
        return self.clients.pop(sid, None) is not None

    async def emit(
        self,
        event: str,
        data: object,
        namespace: str | None = None,
        room: str | None = None,
        skip_sid: object = None,
        **_options: object,
    ) -> None:
        """Send to a marked room or to one sid, and pause if somebody lags behind."""
        if self._deliver(event, data, room, skip_sid):
            await asyncio.sleep(0)

    def _deliver(self, event: str, data: object, room: str | None, skip_sid: object) -> bool:
        if not room:
            return False
        if room[0] == ROOM_MARK:
            members = self.members.get(room)
        else:
            members = {room: self.clients[room]} if room in self.clients else None
        if not members:
            return False
        arguments = list(data) if isinstance(data, tuple) else [data]
        frame = text_frame(encode_event(event, arguments))
        is_lagging = False
        for sid, client in members.items():
            if sid != skip_sid and client.write(frame):
                is_lagging = True
        return is_lagging

    async def close(self) -> None:
        """Nothing is open beside the clients."""

    # The rest is the face that the library's server and its Redis manager expect.

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether the client is in this process."""
        return sid in self.clients

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        """There is no such state here."""
        return False

    def basic_enter_room(
        self, sid: str, namespace: str, room: str, eio_sid: str | None = None
    ) -> None:
        """Put a client into a marked room; without effect if it has left meanwhile."""
        if sid in self.clients:
            self.members.setdefault(room, {})[sid] = self.clients[sid]
            self.rooms_of.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        """Take a client out of a marked room; empty rooms vanish."""
        members = self.members.get(room, {})
        if members.pop(sid, None) is None:
            return
        if not members:
            del self.members[room]
        self.rooms_of[sid].discard(room)
        if not self.rooms_of[sid]:
            del self.rooms_of[sid]

    def basic_close_room(self, room: str, namespace: str) -> None:
        """Take everybody out of a marked room."""
        for sid in tuple(self.members.get(room, ())):
            self.basic_leave_room(sid, namespace, room)


class RedisFanOut(AsyncRedisManager, LocalFanOut):
    """Local members directly, those of other processes through a Redis channel.

    Foreign publishers must write room names marked, as `"#" + name`. While Redis is away local
    members are still served; what others miss is lost, which a hint may be.
    """

    def __init__(self, url: str, channel: str = "telemed") -> None:
        options: dict[str, object] = {
            "socket_connect_timeout": _REDIS_SECONDS,
            "socket_timeout": _REDIS_SECONDS,
            # Naming itself to Redis reads the disk at every connection.
            "driver_info": None,
        }
        super().__init__(url, channel=channel, redis_options=options)

    def set_server(self, server: object) -> None:
        """Take the server's logger and tasks, but the engine's own JSON."""
        super().set_server(server)
        self.json = _Json

    async def emit(
        self,
        event: str,
        data: object,
        namespace: str | None = None,
        room: str | None = None,
        skip_sid: object = None,
        **_options: object,
    ) -> None:
        """Send here, then tell the other processes unless the only addressee was here."""
        await LocalFanOut.emit(self, event, data, room=room, skip_sid=skip_sid)
        if room in self.clients:
            return
        await self._publish(
            {
                "method": "emit",
                "event": event,
                "data": list(data) if isinstance(data, tuple) else [data],
                "binary": False,
                "namespace": "/",
                "room": room,
                "skip_sid": skip_sid,
                "callback": None,
                "host_id": self.host_id,
            }
        )

    def _redis_connect(self) -> None:
        # The library makes a new client at every attempt and drops the old one unclosed; one is
        # enough, since it opens its connections again by itself.
        if self.redis is None:
            super()._redis_connect()
        self.connected = True

    async def close(self) -> None:
        """Stop listening and close the connections."""
        self.thread.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.thread
        if self.redis is not None:
            await self.pubsub.aclose()
            await self.redis.aclose()
