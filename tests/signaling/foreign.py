"""A client written from docs/protocol.md alone, over a bare WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Self

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

PATIENCE_SECONDS = 30


class Refused(Exception):
    """The server answered CONNECT with CONNECT_ERROR."""

    def __init__(self, words: dict[str, Any]) -> None:
        super().__init__(words["message"])
        self.data = words.get("data", {})


class ForeignClient:
    """One connection of one page."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pushes: list[tuple[str, dict[str, Any]]] = []
        self._arrived = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()

    @classmethod
    async def connect(
        cls, socket: ClientWebSocketResponse, auth: dict[str, Any] | None = None
    ) -> Self:
        """Shake hands. Raises Refused."""
        client = cls(socket)
        opening = await socket.receive_str()
        assert opening[0] == "0"
        assert json.loads(opening[1:])["upgrades"] == []
        await socket.send_str("40" + json.dumps({"protocol": 1} if auth is None else auth))
        answer = await socket.receive_str()
        if answer.startswith("44"):
            raise Refused(json.loads(answer[2:]))
        assert answer.startswith("40")
        client._reader = asyncio.create_task(client._read())
        return client

    async def ask(self, event: str, *arguments: object) -> dict[str, Any]:
        """Send an event; the whole answer."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]]
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(f"42{number}" + json.dumps([event, *arguments]))
        await asyncio.wait_for(answer, PATIENCE_SECONDS)
        return answer.result()

    async def do(self, event: str, **payload: object) -> dict[str, Any]:
        """Send an event that has to succeed; the data of its answer."""
        answer = await self.ask(event, payload)
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

    async def code(self, event: str, **payload: object) -> str:
        """Send an event that has to be refused; the code."""
        answer = await self.ask(event, payload)
        assert not answer["ok"], answer
        return str(answer["code"])

    async def push(
        self, name: str, which: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait for a push, and take it."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._arrived:
            while True:
                for index, (event, payload) in enumerate(self._pushes):
                    if event == name and which(payload):
                        del self._pushes[index]
                        return payload
                await self._arrived.wait()

    async def quiet(self) -> list[tuple[str, dict[str, Any]]]:
        """What has been pushed and not been taken, once everything sent before has arrived."""
        await self.do("probe")
        return list(self._pushes)

    async def send_text(self, text: str) -> None:
        """Something raw."""
        await self._socket.send_str(text)

    async def close(self) -> None:
        """Break the connection without a word of leaving."""
        await self._socket.close()
        if self._reader:
            await self._reader

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    break
                await self._take(message.data)
        finally:
            self.closed.set()
            # Whoever still waits is told, instead of waiting for nothing.
            gone = ConnectionResetError(f"nothing comes any more: {self._socket.close_code}")
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(gone)

    async def _take(self, text: str) -> None:
        if text == "2":
            await self._socket.send_str("3")
        elif text.startswith("43"):
            start = text.index("[")
            answer = self._answers.pop(int(text[2:start]))
            # Whoever asked may have stopped waiting.
            if not answer.done():
                answer.set_result(json.loads(text[start:])[0])
        elif text.startswith("42"):
            event, payload = json.loads(text[2:])
            async with self._arrived:
                self._pushes.append((event, payload))
                self._arrived.notify_all()


@asynccontextmanager
async def open_socket(
    url: str, *, origin: str | None, cookies: dict[str, str] | None = None
) -> AsyncIterator[ClientWebSocketResponse]:
    """A WebSocket as a browser would open it."""
    headers = {"Origin": origin} if origin else {}
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with (
        ClientSession(cookies=cookies) as session,
        session.ws_connect(address, headers=headers) as socket,
    ):
        yield socket
