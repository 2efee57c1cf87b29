"""The relay in a process of its own: started, spoken to, and started anew when it dies.

A flood of media or a fault in it thus never slows a page. What was in a dead process is gone;
participants see their connection end and join again, as after any broken link.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from telemed.core.clock import TaskOwner
from telemed.core.errors import N_, Conflict, Invalid, Kind, Missing, TelemedError, Unavailable
from telemed.media.ice import NO_SERVERS, IceServers
from telemed.media.relay import control
from telemed.media.rooms import PeerStats, RoomStats, Wish

log = logging.getLogger(__name__)

START_SECONDS: Final = 20.0
ANSWER_SECONDS: Final = 15.0
# A recorder closes its files, on a disc that may be slow.
FINISH_SECONDS: Final = 40.0
STOP_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 60.0


class RelayProcess:
    """Implements `MediaRooms` by asking the relay's process."""

    def __init__(
        self,
        ice: IceServers = NO_SERVERS,
        *,
        is_turn_only: bool = False,
        may_be_private: bool = False,
    ) -> None:
        told = {"is_turn_only": is_turn_only, "may_be_private": may_be_private}
        self._options = json.dumps({"ice": ice.to_json(), **told})
        self._tasks = TaskOwner("relay-process")
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[control.Answer]] = {}
        self._numbers = itertools.count(1)
        self._up = asyncio.Event()
        self._supervising: asyncio.Task[None] | None = None
        # Counts the processes that came up: what was in an earlier one is gone.
        self.life = 0
        self.on_life: Callable[[], None] = lambda: None

    @property
    def pid(self) -> int | None:
        """The process, for its CPU time and for tests that kill it."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and watch it; returns when it answers. Raises `Unavailable`."""
        self._supervising = self._tasks.start("supervise", self._supervise())
        await self.wait_until_up()

    async def be_up(self) -> None:
        """Start at the first need, or wait for the one that starts. Raises `Unavailable`."""
        if self._supervising is None:
            await self.start()
        else:
            await self.wait_until_up()

    async def wait_until_up(self) -> None:
        """Until the process answers. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._up.wait()
        except TimeoutError as error:
            raise _unavailable() from error

    async def close(self) -> None:
        """End the process, and everything in it."""
        await self._tasks.close()

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            begin = asyncio.get_running_loop().time()
            await self._live()
            lived = asyncio.get_running_loop().time() - begin
            pause = FIRST_PAUSE_SECONDS if lived > STEADY_SECONDS else pause * 2
            pause = min(LONGEST_PAUSE_SECONDS, pause)
            log.error("the relay ended after %.0f s; it starts again in %.1f s", lived, pause)
            await asyncio.sleep(pause)

    async def _live(self) -> None:
        """One life of the process, from start to end."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "telemed.media.relay.worker", str(theirs.fileno())),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        try:
            assert process.stdin
            process.stdin.write(self._options.encode() + b"\n")
            process.stdin.close()
            reader, self._writer = await asyncio.open_unix_connection(
                sock=ours, limit=control.LINE_BYTES
            )
            await self._listen(reader)
        finally:
            self._down()
            await self._end(process)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            if await reader.readline() != control.READY:
                return
            self.life += 1
            self._up.set()
            self.on_life()
            while line := await reader.readline():
                answer = control.Answer.model_validate_json(line)
                waiting = self._waiting.pop(answer.number, None)
                if waiting and not waiting.done():
                    waiting.set_result(answer)

    def _down(self) -> None:
        self._up.clear()
        if self._writer:
            self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_unavailable())
        self._waiting.clear()

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        """It ends by itself when its socket does; if not, it is ended."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, call: control.Call, seconds: float = ANSWER_SECONDS) -> Any:
        """Raises what the relay raised, or `Unavailable`."""
        writer = self._writer
        if not writer or not self._up.is_set() or len(self._waiting) >= control.IN_FLIGHT:
            raise _unavailable()
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = control.to_line(control.Request(number=number, call=call))
        try:
            async with asyncio.timeout(seconds):
                if len(line) < control.LINE_BYTES:
                    writer.write(line)
                    await writer.drain()
                else:
                    raise _unavailable()
                answer = await waiting
        except (TimeoutError, ConnectionError) as error:
            raise _unavailable() from error
        finally:
            self._waiting.pop(number, None)
        if answer.refusal:
            raise _raised(answer.refusal)
        return answer.result

    async def open_room(self, room: str) -> None:
        """Make a room."""
        await self._ask(control.OpenRoom(room=room))

    async def close_room(self, room: str) -> None:
        """End every connection of a room; an unknown room is closed already."""
        await self._ask(control.CloseRoom(room=room))

    async def publish(self, room: str, name: str, offer: str) -> str:
        """Take what `name` sends; the answer."""
        return str(await self._ask(control.Publish(room=room, name=name, offer=offer)))

    async def subscribe(self, room: str, name: str, offer: str, publishers: Sequence[str]) -> str:
        """Send to the viewer `name` what the publishers send; the answer."""
        call = control.Subscribe(room=room, name=name, offer=offer, publishers=tuple(publishers))
        return str(await self._ask(call))

    async def set_wish(self, room: str, viewer: str, publisher: str, wish: Wish) -> None:
        """Change what a viewer gets of a publisher."""
        await self._ask(
            control.SetWish(
                room=room,
                viewer=viewer,
                publisher=publisher,
                picture=wish.picture,
                redundancy=wish.redundancy,
            )
        )

    async def leave(self, room: str, name: str) -> None:
        """End both connections of a participant."""
        await self._ask(control.Leave(room=room, name=name))

    async def get_stats(self, room: str) -> RoomStats:
        """What passed so far."""
        found = await self._ask(control.GetStats(room=room))
        publishers, viewers = (
            tuple(PeerStats(**{**each, "paused": tuple(each["paused"])}) for each in found[side])
            for side in ("publishers", "viewers")
        )
        return RoomStats(publishers, viewers)

    async def start_recording(self, room: str, directory: str, stem: str) -> None:
        """Begin a recording; nobody is in it yet."""
        call = control.StartRecording(room=room, directory=directory, stem=stem)
        await self._ask(call)

    async def set_recording(self, room: str, names: Sequence[str], *, is_paused: bool) -> None:
        """Who is recorded from now on."""
        call = control.SetRecording(room=room, names=tuple(names), is_paused=is_paused)
        await self._ask(call)

    async def end_recording(self, room: str) -> str | None:
        """Finish the files; the code of what ended it before its time."""
        refusal = await self._ask(control.EndRecording(room=room), FINISH_SECONDS)
        return str(refusal) if refusal else None


def _unavailable() -> Unavailable:
    return Unavailable(
        "media_unavailable", N_("Máy chủ truyền hình đang khởi động lại. Hãy thử lại sau ít giây.")
    )


def _raised(refusal: control.Refusal) -> TelemedError:
    """The error that was raised on the other side."""
    match refusal.kind:
        case Kind.INVALID:
            return Invalid(refusal.code, refusal.message, field=refusal.field)
        case Kind.MISSING:
            return Missing(refusal.code, refusal.message)
        case Kind.CONFLICT:
            return Conflict(refusal.code, refusal.message)
    return Unavailable(refusal.code, refusal.message)
