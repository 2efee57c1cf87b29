"""A relay in the test's own loop, and participants that join it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from telemed.media.relay.local import LocalRooms
from telemed.media.rooms import PeerStats
from tests.media.peers import PATIENCE_SECONDS, Peer, SyntheticPublisher, SyntheticViewer

ROOM = "room"
Publish = Callable[..., Awaitable[SyntheticPublisher]]
Watch = Callable[..., Awaitable[SyntheticViewer]]


@pytest.fixture
async def relay() -> AsyncIterator[LocalRooms]:
    """A relay with one room."""
    relay = LocalRooms()
    await relay.open_room(ROOM)
    yield relay
    await relay.close()


async def connected(relay: LocalRooms) -> None:
    """The relay's side of every connection is up as well."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(peer.is_connected for peer in await _peers(relay)):  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0)


async def _peers(relay: LocalRooms) -> list[PeerStats]:
    stats = await relay.get_stats(ROOM)
    return [*stats.publishers, *stats.viewers]


@pytest.fixture
async def joined() -> AsyncIterator[list[Peer]]:
    """Participants that are ended with the test."""
    joined: list[Peer] = []
    yield joined
    for peer in joined:
        await peer.close()


@pytest.fixture
def publish(relay: LocalRooms, joined: list[Peer]) -> Publish:
    """Join as somebody who sends."""

    async def publish(
        name: str = "doctor", *kinds: str, rids: tuple[str, ...] = ()
    ) -> SyntheticPublisher:
        peer = SyntheticPublisher(*kinds)
        joined.append(peer)
        answer = await relay.publish(ROOM, name, await peer.offer(rids=rids))
        await peer.accept(answer)
        await connected(relay)
        return peer

    return publish


@pytest.fixture
def watch(relay: LocalRooms, joined: list[Peer]) -> Watch:
    """Join as somebody who watches."""

    async def watch(name: str = "trainee", publisher: str = "doctor") -> SyntheticViewer:
        peer = SyntheticViewer()
        joined.append(peer)
        answer = await relay.subscribe(ROOM, name, await peer.offer(), [publisher])
        await peer.accept(answer)
        await connected(relay)
        return peer

    return watch
