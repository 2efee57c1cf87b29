"""The engine ends when it is told to, whatever its clients and handlers are doing."""

from __future__ import annotations

import asyncio

import aiohttp

from telemed.signaling.engine import Limits, Reason
from tests.signaling.engine.clients import serving

GOING_AWAY = 1001


async def test_every_client_is_told_so_that_it_comes_back() -> None:
    async with serving() as site:
        clients = [await site.join() for _ in range(20)]
        await site.stop()
        endings = [await client.ended() for client in clients]
        assert endings == [([], GOING_AWAY)] * 20
        assert {site.desk.left.get_nowait()[1] for _ in clients} == {Reason.SHUTDOWN}


async def test_hanging_handler_and_mute_client_do_not_hold_it_up() -> None:
    async with serving(limits=Limits(shutdown_seconds=0.1)) as site, asyncio.timeout(5):
        hanging, mute = await site.join(), await site.open()
        await hanging.send('421["wait"]')
        await site.desk.entered_gate.wait()
        await site.stop()
        assert await hanging.ended() == ([], GOING_AWAY)
        assert await mute.ended() == ([], GOING_AWAY)
        assert site.desk.left.get_nowait() == (hanging.sid, Reason.SHUTDOWN)


async def test_nobody_new_is_let_in_while_it_ends() -> None:
    async with serving() as site:
        await site.server.shutdown()
        headers = {"Origin": site.origin}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(site.url) as no:
            assert no.status == 503


async def test_ending_twice_does_no_harm() -> None:
    async with serving() as site:
        await site.join()
        await site.server.shutdown()
        await site.server.shutdown()
        assert site.server._sockets == set()


async def test_disconnecting_a_client_that_does_not_listen_ends_soon() -> None:
    async with serving(limits=Limits(close_seconds=0.05)) as site, asyncio.timeout(5):
        client = await site.join()
        client.line._writer.transport.pause_reading()
        await site.server.disconnect(client.sid)
        await asyncio.wait([socket.task for socket in site.server._sockets if socket.task])
        assert site.server._sockets == set()
