"""Several server processes as one: events go through a Redis channel, in python-socketio's format.

Handlers never wait for Redis. What they send leaves through a bounded queue; while Redis is away
or slow, members of this process are served as always, and what the others miss is lost, which a
hint may be. Foreign publishers must write room names marked, as `"#" + name`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import orjson

from telemed.signaling.engine.codec import encode_json
from telemed.signaling.engine.fanout import LocalFanOut
from telemed.signaling.engine.upstream import AsyncRedisManager

log = logging.getLogger(__name__)

_OUTBOX: Final = 1000
_REDIS_SECONDS: Final = 2
_FLUSH_SECONDS: Final = 0.5
_CANCEL_SECONDS: Final = 0.2
_CANCELLATIONS: Final = 5


class _Json:
    """What the library writes into Redis and reads from it."""

    @staticmethod
    def dumps(value: object) -> bytes:
        return encode_json(value)

    @staticmethod
    def loads(text: bytes) -> Any:
        return orjson.loads(text)


class RedisFanOut(AsyncRedisManager, LocalFanOut):
    """Local members directly, those of other processes through Redis."""

    def __init__(self, url: str, channel: str = "telemed") -> None:
        options: dict[str, object] = {
            "socket_connect_timeout": _REDIS_SECONDS,
            "socket_timeout": _REDIS_SECONDS,
            # Naming itself to Redis reads the disk at every connection.
            "driver_info": None,
        }
        super().__init__(url, channel=channel, redis_options=options)
        self._outbox: asyncio.Queue[dict[str, object]] = asyncio.Queue(_OUTBOX)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_losing = False

    def set_server(self, server: object) -> None:
        """Take the server's logger and tasks, but the engine's own JSON."""
        super().set_server(server)
        self.json = _Json

    def initialize(self) -> None:
        """Start to listen and to publish."""
        super().initialize()
        self._tasks = [self.thread, asyncio.create_task(self._empty_outbox(), name="redis outbox")]

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

    async def close(self) -> None:
        """Send what can still be sent, stop, and close the connections."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._outbox.join()
        await self._cancel_tasks()
        if self.redis is not None:
            await self.pubsub.aclose()
            await self.redis.aclose()

    async def _cancel_tasks(self) -> None:
        # A cancellation that meets a time-out inside the Redis client may be swallowed there.
        for _ in range(_CANCELLATIONS):
            running = [task for task in self._tasks if not task.done()]
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running, timeout=_CANCEL_SECONDS)

    async def _publish(self, data: dict[str, object]) -> None:
        """Every message of the library and of ours passes here; it waits for nothing."""
        try:
            self._outbox.put_nowait(data)
        except asyncio.QueueFull:
            if not self._is_losing:
                log.warning("Redis is too slow: other processes miss events")
            self._is_losing = True
        else:
            self._is_losing = False

    async def _empty_outbox(self) -> None:
        while True:
            data = await self._outbox.get()
            try:
                await super()._publish(data)
            finally:
                self._outbox.task_done()

    def _redis_connect(self) -> None:
        # The library makes a new client at every attempt and drops the old one unclosed; one is
        # enough, since it opens its connections again by itself.
        if self.redis is None:
            super()._redis_connect()
        self.connected = True
