"""The pieces of python-socketio that the engine stands on, with the types the library lacks.

Declared here is all that is used of them; `tests/signaling` fails when an update changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from logging import Logger

    class AsyncServer:
        """What `FastServer` keeps: the place of the manager and the tasks it starts."""

        manager: Any
        logger: Logger

        def __init__(self, **options: object) -> None: ...

        def start_background_task(
            self, target: Callable[..., Awaitable[None]], *arguments: object
        ) -> asyncio.Task[None]: ...

    class AsyncManager:
        """Keeper of clients and rooms, as the server and the Redis one expect it."""

        json: Any

        def set_server(self, server: object) -> None: ...

        def initialize(self) -> None: ...

        async def can_disconnect(self, sid: str, namespace: str) -> bool: ...

    class AsyncRedisManager(AsyncManager):
        """The same, speaking with other processes through Redis."""

        host_id: str
        connected: bool
        redis: Any
        pubsub: Any
        thread: asyncio.Task[None]

        def __init__(self, url: str, *, channel: str, redis_options: dict[str, object]) -> None: ...

        def _redis_connect(self) -> None: ...

        async def _publish(self, data: dict[str, object]) -> None: ...

else:
    from socketio import AsyncManager, AsyncRedisManager, AsyncServer

__all__ = ["AsyncManager", "AsyncRedisManager", "AsyncServer"]
