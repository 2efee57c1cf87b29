"""Rooms of this process: the relay itself, behind the protocol that everybody else sees."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCIceTransportPolicy

from telemed.core.clock import SystemClock, TaskOwner
from telemed.core.errors import N_, Conflict, Invalid, Missing, Unavailable
from telemed.media.ice import NO_SERVERS, IceServers
from telemed.media.relay import dialect, limits
from telemed.media.relay.offers import refused
from telemed.media.relay.publishers import Publisher
from telemed.media.relay.taps import Tape
from telemed.media.relay.viewers import TICK_SECONDS, Viewer
from telemed.media.rooms import PeerStats, RoomStats, Wish

log = logging.getLogger(__name__)

Peer = Publisher | Viewer
Undo = Callable[[], Awaitable[None]]
LATE_TICKS: Final = 20


class Room:
    """Who publishes and who watches; each name at most once in each."""

    def __init__(self) -> None:
        self.publishers: dict[str, Publisher] = {}
        self.viewers: dict[str, Viewer] = {}

    def peers(self) -> list[Peer]:
        """Every connection of the room."""
        return [*self.publishers.values(), *self.viewers.values()]


class LocalRooms:
    """Forwards media within this process and its event loop. Implements `MediaRooms`."""

    def __init__(
        self,
        ice: IceServers = NO_SERVERS,
        *,
        is_turn_only: bool = False,
        may_be_private: bool = True,
    ) -> None:
        dialect.learn()
        self._ice = ice
        self._clock = SystemClock()
        self._policy = RTCIceTransportPolicy.RELAY if is_turn_only else RTCIceTransportPolicy.ALL
        self._may_be_private = may_be_private
        self._rooms: dict[str, Room] = {}
        self._tapes: dict[str, Tape] = {}
        self._tasks = TaskOwner("relay")
        self._endings: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None

    async def open_room(self, room: str) -> None:
        """Make a room."""
        if not 0 < len(room) <= limits.NAME_LENGTH:
            raise refused("room")
        if room in self._rooms or len(self._rooms) >= limits.ROOMS:
            raise Conflict("media_room_taken", N_("Phòng truyền hình đã có hoặc máy chủ đã đầy."))
        self._rooms[room] = Room()
        if self._ticking is None:
            self._ticking = self._tasks.start("tick", self._tick())

    async def close_room(self, room: str) -> None:
        """End every connection of a room; an unknown room is closed already."""
        found = self._rooms.pop(room, None)
        for peer in found.peers() if found else []:
            await self._end(peer)

    def _configuration(self, name: str) -> RTCConfiguration:
        """How one connection looks for paths: a credential is its participant's own."""
        issued = self._ice.issue(f"relay-{name}", self._clock.now())
        return RTCConfiguration(
            # An empty list: without one, aiortc asks a public server.
            iceServers=[RTCIceServer(**server) for server in issued.servers],
            iceTransportPolicy=self._policy,
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
        )

    async def publish(self, room: str, name: str, offer: str) -> str:
        """Take what `name` sends; the answer."""
        found = self._find(room)
        self._check_name(found, name)
        peer = Publisher(name, self._configuration(name), time.monotonic())
        await self._end_publisher(found, name)
        found.publishers[name] = peer
        answering = peer.answer(offer, may_be_private=self._may_be_private)
        answer = await self._answer(answering, partial(self._end_publisher, found, name))
        if room in self._tapes:
            self._tapes[room].attach(peer)
        return answer

    async def subscribe(self, room: str, name: str, offer: str, publishers: Sequence[str]) -> str:
        """Send to the viewer `name` what the publishers send; the answer."""
        found = self._find(room)
        self._check_name(found, name)
        missing = [each for each in publishers if each not in found.publishers]
        if missing or len(set(publishers)) < len(publishers):
            raise Missing
        peer = Viewer(name, self._configuration(name), time.monotonic())
        await self._end_viewer(found, name)
        found.viewers[name] = peer
        tracks = {each: found.publishers[each].tracks for each in publishers}
        answering = peer.answer(offer, tracks, may_be_private=self._may_be_private)
        return await self._answer(answering, partial(self._end_viewer, found, name))

    async def set_wish(self, room: str, viewer: str, publisher: str, wish: Wish) -> None:
        """Change what a viewer gets of a publisher."""
        watching = self._find(room).viewers.get(viewer)
        if not watching:
            raise Missing
        watching.set_wish(publisher, wish)

    async def leave(self, room: str, name: str) -> None:
        """End both connections of a participant."""
        found = self._find(room)
        await self._end_publisher(found, name)
        await self._end_viewer(found, name)

    async def get_stats(self, room: str) -> RoomStats:
        """What passed so far."""
        found = self._find(room)
        return RoomStats(
            publishers=tuple(_stats(peer, 0, ()) for peer in found.publishers.values()),
            viewers=tuple(_stats(p, p.estimate, p.paused) for p in found.viewers.values()),
        )

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        """Begin a recording; nobody is in it yet."""
        if room in self._tapes or len(self._tapes) >= limits.ROOMS:
            raise Conflict("media_room_taken", N_("Phòng truyền hình đã có hoặc máy chủ đã đầy."))
        # Taken before the process is there, so that two never write the same files.
        tape = self._tapes[room] = Tape()
        try:
            await tape.start(Path(directory), stem)
        except OSError:
            del self._tapes[room]
            raise Unavailable("recorder_unavailable", N_("Máy chủ chưa mở được máy ghi.")) from None

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        """Who is recorded from now on."""
        tape, found = self._tapes.get(room), self._rooms.get(room)
        if tape is None:
            raise Missing
        tape.set(frozenset(names), found.publishers if found else {}, is_paused=is_paused)

    async def end_recording(self, room: str) -> str | None:
        """Finish the files."""
        tape = self._tapes.pop(room, None)
        if tape is None:
            raise Missing
        return await tape.end()

    async def close(self) -> None:
        """End every room; what is being recorded is finished first."""
        tapes = [self.end_recording(room) for room in self._tapes]
        await asyncio.gather(*tapes, return_exceptions=True)
        await self._tasks.close()
        for room in list(self._rooms):
            await self.close_room(room)
        await asyncio.gather(*self._endings, return_exceptions=True)

    def _find(self, room: str) -> Room:
        found = self._rooms.get(room)
        if found is None:
            raise Missing
        return found

    def _check_name(self, room: Room, name: str) -> None:
        if not limits.NAME.fullmatch(name):
            raise refused("name")
        if len(room.peers()) >= limits.PEERS_IN_A_ROOM:
            raise Conflict("media_room_full", N_("Phòng truyền hình đã đủ người."))

    async def _answer(self, answering: Awaitable[str], undo: Undo) -> str:
        """An answer, or none of the participant's connection is left."""
        try:
            return await answering
        except (Invalid, asyncio.CancelledError):
            await undo()
            raise
        except Exception as error:
            # aiortc says no in many ways: by assertions, by keys not found, by values.
            log.info("an offer was not understood: %s", type(error).__name__)
            await undo()
            raise refused("offer") from error

    async def _end_publisher(self, room: Room, name: str) -> None:
        before = room.publishers.pop(name, None)
        if before is None:
            return
        for viewer in room.viewers.values():
            for track in before.tracks.values():
                viewer.drop(track)
        await self._end(before)

    async def _end_viewer(self, room: Room, name: str) -> None:
        if before := room.viewers.pop(name, None):
            await self._end(before)

    async def _end(self, peer: Peer) -> None:
        """End one connection to its end, whoever stops waiting for it: it holds sockets."""
        ending = asyncio.create_task(peer.close(), name="relay:end")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.shield(ending)

    async def _tick(self) -> None:
        """Feedback and timers of every connection, twenty times a second."""
        count = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            count += 1
            await self._tick_all(count)

    async def _tick_all(self, count: int) -> None:
        # In a frame of its own: what is done with here is not held until the next round.
        for room in list(self._rooms.values()):
            for peer in room.peers():
                self._tick_peer(peer, count)
            if count % LATE_TICKS == 0:
                await self._end_dead(room)

    @staticmethod
    def _tick_peer(peer: Peer, count: int) -> None:
        try:
            peer.tick(time.monotonic(), count)
        except (IndexError, ValueError, OverflowError) as error:
            # What one participant sent must not stop the others' clock.
            log.warning("a participant's timer failed: %s", type(error).__name__, exc_info=error)

    async def _end_dead(self, room: Room) -> None:
        """End connections that never came about, or are gone."""
        late = time.monotonic() - limits.CONNECT_SECONDS
        for name, publisher in list(room.publishers.items()):
            if _is_dead(publisher, late):
                await self._end_publisher(room, name)
        for name, viewer in list(room.viewers.items()):
            if _is_dead(viewer, late):
                await self._end_viewer(room, name)


def _is_dead(peer: Peer, late: float) -> bool:
    if peer.link.is_ready:
        return peer.link.connection.connectionState in {"failed", "closed"}
    return peer.since < late


def _stats(peer: Peer, estimate: int, paused: tuple[str, ...]) -> PeerStats:
    return PeerStats(
        name=peer.name,
        is_connected=peer.link.is_ready,
        packets_received=peer.link.received,
        packets_sent=peer.link.sent,
        packets_dropped=peer.link.dropped,
        estimate=estimate,
        paused=paused,
    )
