"""Has the media process do what a recording's state says, and keeps the files when it is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from telemed.core.clock import TaskOwner
from telemed.core.db import Database
from telemed.core.errors import N_, Missing, TelemedError, Unavailable
from telemed.imaging.storage import Storage
from telemed.media.forwarding import Reason
from telemed.sessions.access import find_meeting
from telemed.sessions.recording import keeping, repository, service

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
# People go over to the relay while it is being started; later than this nobody does.
START_TRIES: Final = 15
TEND_SECONDS: Final = 300.0
CLOSE_SECONDS: Final = 5.0
LOST: Final = "recorder_lost"
UNAVAILABLE: Final = "recorder_unavailable"


class RecordingRooms(Protocol):
    """The part of `MediaRooms` that is used here."""

    async def be_up(self) -> None:
        """Started, and answering. Raises Unavailable."""
        ...

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        """Begin; nobody is recorded yet. Raises Missing (no such room), Unavailable, Conflict."""
        ...

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        """Whom to record from now on. Raises Missing when none runs (any more), Unavailable."""
        ...

    async def end_recording(self, room: str) -> str | None:
        """Finish the files; the code of what ended it before its time. Raises as above."""
        ...


class Ways(Protocol):
    """Sends the media of a session through the media process while there is a reason."""

    async def require(self, session: str, reason: Reason) -> None:
        """From now on; again changes nothing. Raises Unavailable."""
        ...

    async def release(self, session: str, reason: Reason) -> None:
        """This reason is over."""
        ...


class NoWays:
    """Where nothing else decides how media goes."""

    async def require(self, session: str, reason: Reason) -> None:
        """It goes there already."""

    async def release(self, session: str, reason: Reason) -> None:
        """It goes on as it did."""


class Recorders:
    """The recordings that this server writes, each followed by a task."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        folder: Path,
        *,
        media: RecordingRooms | None,
        retention_years: int,
    ) -> None:
        self._database = database
        self._media = media
        self.keeper = keeping.Keeper(database, storage, folder, retention_years)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ways: Ways = NoWays()
        self._tasks = TaskOwner("recorders")
        self._news: dict[str, asyncio.Event] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False

    @property
    def is_available(self) -> bool:
        """Whether this server can record."""
        return self._media is not None

    def require(self) -> RecordingRooms:
        """Whoever writes recordings here. Raises Unavailable where nobody does."""
        if self._media is None:
            text = N_("Máy chủ này chưa bật máy chủ truyền hình nên chưa ghi được.")
            raise Unavailable("recording_unavailable", text)
        return self._media

    def notice(self, session: str) -> None:
        """Something about the recording of a session has changed."""
        if self._media is None or self._is_closing:
            return
        if session not in self._news:
            self._news[session] = asyncio.Event()
            following = self._tasks.start(f"recording {session}", self._follow(session))
            self._following[session] = following
        self._news[session].set()

    async def resume(self) -> None:
        """What a server that ended left behind is closed, and kept from now on."""
        async with self._database.read() as work:
            left = await repository.list_unkept(work)
        for _, session in left:
            async with self._database.work() as work:
                meeting = await find_meeting(work, session.uid, lock=True)
                if meeting is not None:
                    await service.give_up(work, meeting, LOST)
        self._tasks.start("tend", self._tend())

    async def _tend(self) -> None:
        """Keep what could not be kept at its end: a disc was full, a database away."""
        while True:
            try:
                async with self._database.read() as work:
                    left = await repository.list_unkept(work)
                for recording, session in left:
                    if service.is_over(recording) and session.uid not in self._news:
                        await self.keeper.keep(recording.uid)
            except Exception as error:  # the next round tries again
                log.exception("recordings could not be kept: %s", type(error).__name__)
            await asyncio.sleep(TEND_SECONDS)

    async def close(self) -> None:
        """End the following; the recorders finish their files by themselves."""
        self._is_closing = True
        for news in self._news.values():
            news.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*self._following.values())
        await self._tasks.close()

    async def _follow(self, session: str) -> None:
        news = self._news[session]
        try:
            while news.is_set() and not self._is_closing:
                follower = _Follower(self, self._database, self.require(), session)
                if await follower.run(news, lambda: self._is_closing):
                    await self._keep_ended(session)
        except Exception as error:  # the next start of the server closes what is left
            log.exception("a recording is no longer followed: %s", type(error).__name__)
        finally:
            del self._news[session], self._following[session]

    async def _keep_ended(self, session: str) -> None:
        async with self._database.read() as work:
            meeting = await find_meeting(work, session)
            found = (
                await repository.list_recordings(work, meeting.session.id or 0) if meeting else ()
            )
        for recording in found:
            if service.is_over(recording) and not (recording.kept_at or recording.deleted_at):
                await self.keeper.keep(recording.uid)


class _Follower:
    """One recording from its first agreement to its end."""

    def __init__(
        self, of: Recorders, database: Database, media: RecordingRooms, session: str
    ) -> None:
        self._ways = of.ways
        self._folder = of.folder
        self._database = database
        self._media = media
        self._session = session
        self._is_started = False
        self._tries = 0
        self._told: tuple[tuple[str, ...], bool] | None = None

    async def run(self, news: asyncio.Event, is_closing: Callable[[], bool]) -> bool:
        """Until it is over and its files are finished; False when the server ends before that."""
        news.clear()
        while await self._step():
            if is_closing():
                return False
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await news.wait()
            news.clear()
        if self._is_started:
            await self._end()
        await self._ways.release(self._session, Reason.RECORDING)
        return True

    async def _step(self) -> bool:
        """Bring the media process to what the database says; False when it is over."""
        async with self._database.read() as work:
            meeting = await find_meeting(work, self._session)
            case = await service.find_case(work, meeting) if meeting else None
        if case is None:
            return False
        try:
            if case.gate.may_record and not self._is_started:
                await self._ways.require(self._session, Reason.RECORDING)
                await self._media.be_up()
                await self._media.start_recording(
                    self._session, str(self._folder), case.recording.uid
                )
                self._is_started = True
            if self._is_started:
                names = service.permitted(case) if case.gate.may_record else ()
                await self._media.set_recording(
                    self._session, names, is_paused=not case.gate.may_record
                )
        except TelemedError as error:
            return await self._bear(error)
        return True

    async def _bear(self, error: TelemedError) -> bool:
        """Before it has begun it may begin later; what breaks afterwards is broken."""
        self._tries += 1
        may_come = isinstance(error, Missing | Unavailable)
        if not self._is_started and may_come and self._tries < START_TRIES:
            return True
        code = (await self._end() if self._is_started else None) or LOST
        self._is_started, code = False, code if self._tries < START_TRIES else UNAVAILABLE
        async with self._database.work() as work:
            meeting = await find_meeting(work, self._session, lock=True)
            if meeting is not None:
                await service.give_up(work, meeting, code)
        return False

    async def _end(self) -> str | None:
        try:
            return await self._media.end_recording(self._session)
        except TelemedError as error:
            # Its files end by themselves; whatever there is, is kept.
            log.warning("a recorder did not end in order: %s", error.code)
            return LOST
