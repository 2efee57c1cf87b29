"""The socket edge as a whole: who is connected, the loops that look after them, start and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from time import monotonic
from typing import Any, Final, TypeVar

from aiohttp import web

from telemed.accounts.logins import (
    LoginLimits,
    resolve_login,
    resolve_login_session,
    touch_login,
)
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import Clock, TaskOwner
from telemed.core.config import Settings
from telemed.core.db import Announcement, Database
from telemed.core.errors import N_, Conflict, TelemedError, Unauthenticated
from telemed.core.i18n import Catalogue
from telemed.keys import LOCALE
from telemed.media.ice import IceServers
from telemed.sessions import service
from telemed.sessions.models import LeaveReason
from telemed.sessions.recording.recorders import Recorders
from telemed.signaling.announcer import SocketAnnouncer
from telemed.signaling.dispatch import Caller, Connection, Dispatcher
from telemed.signaling.engine import FastServer, Limits, Reason, Refused
from telemed.signaling.engine.upstream_logs import describe_failure
from telemed.signaling.events import events
from telemed.signaling.forwarder import Forwarder, Relay
from telemed.signaling.presence import Presence
from telemed.signaling.protocol import MAX_MESSAGE_BYTES, PROTOCOL_VERSION, SOCKET_PATH, InSession
from telemed.signaling.rooms import Push, Room, Rooms, Step, not_joined
from telemed.web.cookies import LOCALE_COOKIE, login_token

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

MOST_CONNECTIONS: Final = 32
TOUCH_SECONDS: Final = 20.0
LOGIN_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 60.0
# What happens to a case without moving anybody's right to be in its room.
KEEPS_RIGHTS: Final = frozenset({"session_started", "session_paused", "messages_read"})
LIMITS: Final = Limits(message_bytes=MAX_MESSAGE_BYTES, ping_seconds=3, pong_seconds=4)


class Signaling:
    """Everything that speaks over sockets, for one process."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        catalogue: Catalogue,
        recorders: Recorders,
        relay: Relay | None = None,
        limits: Limits = LIMITS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._limits = LoginLimits.of(settings)
        self._catalogue = catalogue
        self._tasks = TaskOwner("signaling")
        self._is_stopping = False
        self._waiting: set[tuple[str, str]] = set()
        self.database = database
        self.recorders = recorders
        self.ice = IceServers.of(settings)
        self.connections: dict[str, Connection] = {}
        self.rooms = Rooms(self._tasks)
        self.forwarder = Forwarder(self, relay, address=settings.relay_address)
        self.presence = Presence(self, key=settings.signing_key(), grace_seconds=grace_seconds)
        self.server: FastServer[Connection] = FastServer(
            origins=settings.origins,
            on_connect=self._admit,
            on_event=self._receive,
            on_disconnect=self._forget,
            limits=limits,
        )
        self.announcer = SocketAnnouncer(
            self.server,
            {
                "session": self._session_changed,
                "consult": self._consult_changed,
                "person": self._person_changed,
            },
        )
        self._dispatcher = Dispatcher(
            events, self, database=database, catalogue=catalogue, logins=self
        )

    @property
    def clock(self) -> Clock:
        """The only source of time."""
        return self.database.clock

    def attach(self, app: web.Application) -> None:
        """Serve within an application, for as long as it runs."""
        self.server.attach(app, SOCKET_PATH)
        app.on_shutdown.insert(0, self._before_shutdown)
        app.cleanup_ctx.append(self._run)

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for, at latest until the server ends."""
        self._tasks.start(name, work)

    async def push(self, pushes: Sequence[Push]) -> None:
        """Send to single connections; one that is gone by now is no mistake."""
        for sid, event, payload in pushes:
            await self.server.emit(event, payload, to=sid)

    def room_of(self, caller: Caller, message: InSession) -> Room:
        """The room where the caller sits. Raises Conflict (`not_joined`)."""
        room = self.rooms.find(message.session)
        if room is None or message.session not in caller.connection.sessions:
            raise not_joined()
        return room

    async def in_room(self, caller: Caller, message: InSession, step: Step[ResultT]) -> ResultT:
        """Do something in turn in the room where the caller sits. Raises Conflict (`not_joined`)."""
        self.room_of(caller, message)
        return await self.rooms.run(message.session, step)

    async def look_again(self, connection: Connection) -> Actor | None:
        """The person of a connection as of now; a login that has ended ends the connection."""
        login_id = connection.actor.login_session_id
        async with self.database.read() as work:
            actor = await resolve_login_session(work, login_id)
        if actor is None:
            self._tasks.start("expel", self._expel(connection))
            return None
        connection.actor = actor
        connection.looked_at = monotonic()
        return actor

    def note_activity(self, actor: Actor) -> None:
        """Somebody did something: their login is not idle. Nobody waits for it."""
        self._tasks.start("activity", touch_login(self.database, actor, self._limits))

    # ---- the life of a connection

    async def _admit(
        self, sid: str, request: web.Request, auth: dict[str, Any] | None
    ) -> Connection:
        locale = request[LOCALE]
        try:
            if (auth or {}).get("protocol") != PROTOCOL_VERSION:
                raise Conflict("protocol_unsupported", N_("Trang này đã cũ. Tải lại trang."))
            token = login_token(request)
            async with self.database.read() as work:
                actor = await resolve_login(work, token) if token else None
            if actor is None:
                raise Unauthenticated
            require(actor, Action.SOCKET)
            same = [each for each in self.connections.values() if each.actor.id == actor.id]
            if len(same) >= MOST_CONNECTIONS:
                raise Conflict("too_many_connections", N_("Bạn đang mở quá nhiều trang"))
        except TelemedError as error:
            data: dict[str, Any] = {"code": error.code}
            if error.code == "protocol_unsupported":
                data["supported"] = [PROTOCOL_VERSION]
            raise Refused(self._catalogue.explain(locale, error), data) from None
        if LOCALE_COOKIE not in request.cookies:
            locale = actor.locale
        connection = Connection(sid, actor, locale)
        self.connections[sid] = connection
        return connection

    async def _receive(self, sid: str, event: str, *arguments: object) -> dict[str, Any]:
        return await self._dispatcher.answer(self.connections[sid], event, arguments)

    async def _forget(self, sid: str, reason: Reason) -> None:
        connection = self.connections.pop(sid)
        if self._is_stopping or reason is Reason.SHUTDOWN:
            return  # the server goes, not the person
        for uid in connection.sessions:
            # Not awaited: this may be running inside the room's own worker.
            self.rooms.start(uid, lambda room: self.presence.lose(room, sid))

    async def _expel(self, connection: Connection) -> None:
        """The login has ended: out of every room at once, and off the line."""

        async def step(room: Room) -> None:
            seat = room.find(connection.sid)
            if seat is not None:
                await self.presence.expel(room, seat.participant, LeaveReason.REVOKED)

        for uid in tuple(connection.sessions):
            await self.rooms.run(uid, step)
        connection.sessions.clear()
        if connection.sid in self.connections:
            await self.server.disconnect(connection.sid)

    # ---- what the database says has happened

    def _session_changed(self, hint: Announcement) -> None:
        session = hint.channel.partition(":")[2]
        self._in_turn(session, self.presence.follow_log)
        if hint.event.startswith("recording_"):
            self.recorders.notice(session)

    def _consult_changed(self, hint: Announcement) -> None:
        if hint.event in KEEPS_RIGHTS:
            return
        consult = hint.channel.partition(":")[2]
        for session, of in tuple(self.presence.consult_of.items()):
            if of == consult:
                self._in_turn(session, self.presence.check_rights)

    def _in_turn(self, uid: str, act: Callable[[Room], Awaitable[None]]) -> None:
        """Once for all hints that come before its turn: it looks at everything anyway."""
        if (uid, act.__name__) in self._waiting:
            return
        self._waiting.add((uid, act.__name__))

        async def step(room: Room) -> None:
            self._waiting.discard((uid, act.__name__))
            await act(room)

        if not self.rooms.start(uid, step):
            self._waiting.discard((uid, act.__name__))

    def _person_changed(self, hint: Announcement) -> None:
        if hint.event != "login_revoked":
            return
        person = hint.channel.partition(":")[2]
        for connection in tuple(self.connections.values()):
            if connection.actor.uid == person:
                self._tasks.start("look", self.look_again(connection))

    # ---- loops, start and stop

    @asynccontextmanager
    async def _run(self, app: web.Application) -> AsyncIterator[None]:
        self._tasks.start("touch", self._every(TOUCH_SECONDS, self._touch))
        self._tasks.start("logins", self._every(LOGIN_SECONDS, self._look_at_all))
        yield
        self.presence.close()
        self.forwarder.close()
        await self._tasks.close()

    async def _before_shutdown(self, app: web.Application) -> None:
        self._is_stopping = True
        await self._touch()

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.error("round failed: %s", describe_failure(error))  # noqa: TRY400 - no payload

    async def _touch(self) -> None:
        inside = [seat.participant for room in self.rooms for seat in room.connected]
        if inside:
            async with self.database.work() as work:
                await service.touch(work, inside)
        # Two who talk are not idle, whatever their hands do.
        talking = [room.connected for room in self.rooms if len(room.connected) > 1]
        for seat in chain.from_iterable(talking):
            if seat.sid in self.connections:
                await touch_login(self.database, self.connections[seat.sid].actor, self._limits)

    async def _look_at_all(self) -> None:
        for connection in tuple(self.connections.values()):
            await self.look_again(connection)
