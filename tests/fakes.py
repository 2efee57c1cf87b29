"""Stand-ins for what lies outside the process; they keep to the same protocols as the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from telemed.core.db import Announcement
from telemed.core.errors import Conflict, Missing, TelemedError, Unavailable
from telemed.media.rooms import RoomStats, Wish


class FakeAnnouncer:
    """Remembers every hint that was sent after a commit."""

    def __init__(self) -> None:
        self.hints: list[Announcement] = []

    async def announce(self, hints: list[Announcement]) -> None:
        self.hints.extend(hints)

    def events(self, channel: str) -> list[str]:
        """What was hinted on one channel, oldest first."""
        return [hint.event for hint in self.hints if hint.channel == channel]


class FakeRecordingRooms:
    """Remembers what a media process was told to record; writes nothing."""

    def __init__(self) -> None:
        self.acts: list[tuple[object, ...]] = []
        self.stems: dict[str, str] = {}
        self.refusal: str | None = None
        self.is_down = False
        self._changed = asyncio.Event()

    async def be_up(self) -> None:
        if self.is_down:
            raise Unavailable("media_unavailable", "")

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        self.stems[room] = stem
        self._note("start", room, stem)

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        if room not in self.stems:
            raise Missing
        self._note("set", frozenset(names), is_paused)

    async def end_recording(self, room: str) -> str | None:
        if self.stems.pop(room, None) is None:
            raise Missing
        self._note("end", room)
        return self.refusal

    def _note(self, *act: object) -> None:
        # Said again and again; what is new is of interest.
        if self.acts[-1:] != [act]:
            self.acts.append(act)
            self._changed.set()

    async def until(self, is_so: Callable[[list[tuple[object, ...]]], bool]) -> None:
        """Wait for what was told."""
        async with asyncio.timeout(30):
            while not is_so(self.acts):
                self._changed.clear()
                await self._changed.wait()


class FakeRelay:
    """Answers as a relay does, and forwards nothing; `die` is the end of its process."""

    def __init__(self) -> None:
        self.life = 0
        self.on_life: Callable[[], None] = lambda: None
        self.rooms: dict[str, set[str]] = {}
        self.wishes: list[tuple[str, str, Wish]] = []
        self.refusal: TelemedError | None = None

    async def be_up(self) -> None:
        self.life = self.life or 1

    def die(self) -> None:
        self.rooms.clear()
        self.life += 1
        self.on_life()

    async def open_room(self, room: str) -> None:
        if room in self.rooms:
            raise Conflict("media_room_taken", "")
        self.rooms[room] = set()

    async def close_room(self, room: str) -> None:
        self.rooms.pop(room, None)

    async def publish(self, room: str, name: str, offer: str) -> str:
        if self.refusal:
            raise self.refusal
        self.rooms[room].add(name)
        return f"v=0\r\na=publishes:{name}\r\n"

    async def subscribe(self, room: str, name: str, offer: str, publishers: Sequence[str]) -> str:
        if not set(publishers) <= self.rooms[room]:
            raise Missing
        return f"v=0\r\na=watches:{name} {','.join(publishers)}\r\n"

    async def set_wish(self, room: str, viewer: str, publisher: str, wish: Wish) -> None:
        self.wishes.append((viewer, publisher, wish))

    async def leave(self, room: str, name: str) -> None:
        self.rooms[room].discard(name)

    async def get_stats(self, room: str) -> RoomStats:
        return RoomStats((), ())

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        raise Missing

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        raise Missing

    async def end_recording(self, room: str) -> str | None:
        raise Missing
