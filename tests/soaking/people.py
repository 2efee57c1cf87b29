"""People of a call as their pages behave towards the server, without a page."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientSession

from tests.signaling.foreign import ForeignClient, open_socket
from tests.soaking.media import Clock, LightPublisher, LightViewer

PATIENCE_SECONDS: Final = 60
AGAIN_SECONDS: Final = 0.3
# These peers do not repeat what is lost of a handshake: they begin anew, as pages do later.
CONNECT_SECONDS: Final = 5
# Whoever was to be watched has gone meanwhile: the next list says so.
PASSING: Final = frozenset({"publisher_absent", "not_relayed", "not_joined", "stale_epoch"})


class Line(ForeignClient):
    """A connection whose pushes are heard at once, and kept nowhere."""

    heard: Callable[[str, dict[str, Any]], None] = staticmethod(lambda _event, _payload: None)

    async def _take(self, text: str) -> None:
        if text.startswith("42"):
            self.heard(*json.loads(text[2:]))
        else:
            await super()._take(text)


@dataclass(frozen=True)
class Login:
    """Where somebody is signed in, and as whom."""

    origin: str
    token: str
    person: str

    @property
    def cookies(self) -> dict[str, str]:
        return {"telemed": self.token}

    async def ask(self, method: str, path: str, body: Any = None) -> str:
        """One request over a connection of its own; what it says."""
        headers = {"Origin": self.origin, "Connection": "close"}
        async with (
            ClientSession(self.origin, cookies=self.cookies, headers=headers) as session,
            session.request(method, path, json=body) as answer,
        ):
            assert answer.status < 400, (path, answer.status, await answer.text())
            return await answer.text()


class Person:
    """Somebody with one page open at a time."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.joined: dict[str, Any] = {}
        self._session = ""
        self._opened = AsyncExitStack()
        self._seen: set[str] = set()
        self._changed = asyncio.Event()
        self._line: Line | None = None
        self._last_event = 0
        self._page = ""
        self._told = 0

    @property
    def participant(self) -> str:
        return str(self.joined["participant"])

    @property
    def epoch(self) -> int:
        return int(self.joined["epoch"])

    async def come(self, session: str) -> None:
        """Open the page, and enter the room."""
        self._session, self._last_event = session, 0
        self._page, self._told = secrets.token_urlsafe(12), 0
        self._seen.clear()
        await self.login.ask("GET", f"/sessions/{session}")
        await self._connect()
        await self._join({})

    async def break_line(self) -> None:
        """The line breaks, and is back: the same seat."""
        await self.go()
        await self._connect()
        seat = {key: self.joined[key] for key in ("epoch", "participant_token")}
        await self._join(seat | {"last_event": self._last_event})
        assert self.joined["resumed"], "another seat than before"

    async def leave(self) -> None:
        """Out of the room, and the page closed."""
        await self.do("session:leave")
        await self.go()

    async def go(self) -> None:
        """The page is gone, without a word."""
        if self._line:
            await self._line.close()
            self._line = None
        await self._opened.aclose()

    async def do(self, event: str, **payload: object) -> dict[str, Any]:
        """Something within the session, which has to succeed."""
        assert self._line
        return await self._line.do(event, session=self._session, **payload)

    async def probe(self) -> None:
        """Is the line alive?"""
        assert self._line
        await self._line.do("probe")

    async def tell_quality(self, summary: dict[str, Any]) -> None:
        """What the page has measured so far."""
        self._told += 1
        named = {"page": self._page, "number": self._told}
        await self.login.ask("POST", f"/sessions/{self._session}/quality", named | summary)

    async def sees(self, what: str) -> None:
        """Until it has been pushed, or was in what was missed."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while what not in self._seen:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never arrived: {what.split(maxsplit=1)[0]}") from None

    async def _connect(self) -> None:
        socket = await self._opened.enter_async_context(
            open_socket(self.login.origin, origin=self.login.origin, cookies=self.login.cookies)
        )
        self._line = await Line.connect(socket)
        self._line.heard = self._hear
        channels = [f"person:{self.login.person}"]
        await self._line.do("channel:watch", channels=channels)

    async def _join(self, seat: dict[str, Any]) -> None:
        self.joined = await self.do("session:join", **seat)
        self.take_media(self.joined)
        for event in self.joined["events"]:
            self._hear("session:event", event)

    def _hear(self, event: str, payload: dict[str, Any]) -> None:
        match event:
            case "session:event":
                self._last_event = max(self._last_event, payload["number"])
                self._seen.add(f"{payload['kind']} {payload['data'].get('text', '')}".strip())
            case "session:signal":
                self._seen.add(f"{payload['kind']} {payload['epoch']}")
            case "session:still":
                self._seen.add(f"still {payload['number']}")
            case "session:media":
                self.take_media(payload)
        self._changed.set()

    def take_media(self, view: dict[str, Any]) -> None:
        """Which way media goes from now on, and who publishes."""


class Member(Person):
    """Somebody in a room whose media goes through the relay."""

    def __init__(self, login: Login, clock: Clock, voice: list[bytes]) -> None:
        super().__init__(login)
        self._clock = clock
        self._voice = voice
        self._view: dict[str, Any] = {}
        self._answered: dict[str, Any] | None = None
        self._publisher: LightPublisher | None = None
        self._watched = ""
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._is_over = False
        self.viewer: LightViewer | None = None
        self.failures: list[str] = []
        self.anew = 0
        self._ending: set[asyncio.Task[None]] = set()
        self.voices = 0
        self.lost = 0

    def take_media(self, view: dict[str, Any]) -> None:
        self._view = view
        self._news.set()

    async def come(self, session: str) -> None:
        await super().come(session)
        self._is_over = False
        self._following = asyncio.create_task(self._follow())

    async def leave(self) -> None:
        await self.stop()
        await super().leave()

    async def stop(self) -> None:
        """No more media; what is being closed is waited for."""
        if self._following:
            # Not cancelled: a connection in the making would not be closed whole.
            self._is_over = True
            self._news.set()
            await asyncio.wait({self._following})
            self._following.result()
            self._following = None
        self._close_media()
        await asyncio.gather(*self._ending)

    async def hears(self, others: int) -> None:
        """Until so many others are heard, each of them through the newest connection."""
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while len(self._watched.split()) != others or not (
                self.viewer and self.viewer.hears_all
            ):
                self._changed.clear()
                await self._changed.wait()

    async def is_direct(self) -> None:
        """Until nothing goes through the relay."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._publisher or self.viewer or self._view["media"] != "direct":
                self._changed.clear()
                await self._changed.wait()

    def figures(self) -> tuple[int, int]:
        """Packets of voice heard so far, and those that are missing between them."""
        viewer = self.viewer
        now = (sum(viewer.voices.values()), viewer.lost) if viewer else (0, 0)
        return self.voices + now[0], self.lost + now[1]

    async def _follow(self) -> None:
        while not self._is_over:
            await self._news.wait()
            self._news.clear()
            try:
                await self._work(self._view)
            except TimeoutError:
                self.anew += 1
                self._news.set()
            except AssertionError as error:
                code = refusal_of(error)
                if code not in PASSING:
                    self.failures.append(code)
                await asyncio.sleep(AGAIN_SECONDS)
                self._news.set()
            self._changed.set()

    async def _work(self, view: dict[str, Any]) -> None:
        if view["media"] == "direct":
            self._close_media()
            return
        listed = {each["participant"]: each["number"] for each in view["publishers"]}
        is_answered = self._publisher and view is self._answered
        if self.participant not in listed and not is_answered:
            await self._publish()
        others = sorted(listed.keys() - {self.participant})
        key = " ".join(f"{other}:{listed[other]}" for other in others)
        if others and key != self._watched:
            await self._subscribe(others, key)

    async def _publish(self) -> None:
        publisher = LightPublisher(self._voice)
        try:
            answer = await self._negotiate("session:publish", await publisher.offered())
            async with asyncio.timeout(CONNECT_SECONDS):
                await publisher.accept(answer)
        except BaseException:
            self._end(publisher)
            raise
        before, self._publisher = self._publisher, publisher
        self._answered = self._view
        self._clock.peers.add(publisher)
        self._end(before)

    async def _subscribe(self, others: list[str], key: str) -> None:
        viewer = LightViewer(len(others), self._changed)
        try:
            offer = await viewer.offer()
            answer = await self._negotiate("session:subscribe", offer, publishers=others)
            async with asyncio.timeout(CONNECT_SECONDS):
                await viewer.accept(answer)
        except BaseException:
            self._end(viewer)
            raise
        before, self.viewer, self._watched = self.viewer, viewer, key
        self._clock.peers.add(viewer)
        self._note(before)
        self._end(before)

    async def _negotiate(self, event: str, offer: str, **more: object) -> str:
        description = {"type": "offer", "sdp": offer}
        done = await self.do(event, epoch=self.epoch, description=description, **more)
        return str(done["description"]["sdp"])

    def _close_media(self) -> None:
        before, self._publisher = self._publisher, None
        viewer, self.viewer = self.viewer, None
        self._watched = ""
        self._note(viewer)
        self._end(before)
        self._end(viewer)

    def _note(self, viewer: LightViewer | None) -> None:
        if viewer:
            self.voices += sum(viewer.voices.values())
            self.lost += viewer.lost

    def _end(self, peer: LightPublisher | LightViewer | None) -> None:
        """Nobody waits for it: a page goes on at once."""
        if peer:
            self._clock.peers.discard(peer)
            ending = asyncio.create_task(_close(peer))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


async def _close(peer: LightPublisher | LightViewer) -> None:
    # One in the middle of its handshake waits for what does not come.
    with suppress(TimeoutError):
        await peer.close()


def refusal_of(error: BaseException) -> str:
    """The code of an answer that was a refusal, or what else went wrong."""
    answer = error.args[0] if error.args else None
    if isinstance(answer, dict):
        return str(answer["code"])
    return f"{type(error).__name__} {error}".strip()
