"""Who is in which room, and how an event reaches all of them: encoded once, written to each.

Application rooms are kept under `#` + name, so that no text from outside can name a sid. The
reverse map from a client to its rooms makes leaving cost what that client joined, not all rooms.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from telemed.signaling.engine.codec import encode_event
from telemed.signaling.engine.frames import text_frame
from telemed.signaling.engine.upstream import AsyncManager

ROOM_MARK = "#"


class Client(Protocol):
    """The end of the line to one client."""

    def write(self, frame: bytes) -> bool:
        """Send a frame; True when the client lags behind."""


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
