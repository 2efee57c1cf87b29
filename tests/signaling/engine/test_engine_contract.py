"""What the engine promises to well-behaved clients, with the library's client and by raw frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import socketio
from aiohttp import WSMsgType

from telemed.signaling.engine import Limits, Reason
from telemed.signaling.engine.server import FAILED
from tests.signaling.engine.clients import Site, serving


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as running:
        yield running


async def test_library_client_joins_asks_and_hears(site: Site) -> None:
    speaker, hearer = await site.client({"name": "An"}), await site.client()
    assert await speaker.call("name") == "An"
    assert await speaker.call("join", "room") == await hearer.call("join", "room") == "joined"
    await speaker.emit("say", ("room", 'xin chào "bác sĩ" \u2028'))
    assert await hearer.heard.get() == ("said", 'xin chào "bác sĩ" \u2028')
    assert await speaker.call("echo", {"a": [1, None, 2.5]}) == {"a": [1, None, 2.5]}
    assert speaker.heard.empty()


async def test_opening_names_the_limits_and_offers_no_other_transport() -> None:
    limits = Limits(ping_seconds=7, pong_seconds=3, message_bytes=1000)
    async with serving(limits=limits) as site, aiohttp.ClientSession() as session:
        line = await session.ws_connect(site.url, headers={"Origin": site.origin})
        opening = json.loads((await line.receive_str())[1:])
        await line.close()
    assert opening.pop("sid")
    assert opening == {
        "upgrades": [],
        "pingInterval": 7000,
        "pingTimeout": 3000,
        "maxPayload": 1000,
    }


async def test_compression_is_never_negotiated(site: Site) -> None:
    client = await site.open(compress=15)
    assert client.line.compress == 0


async def test_answer_of_nothing_is_still_an_answer(site: Site) -> None:
    client = await site.join()
    await client.send('421["leave","nowhere"]')
    assert await client.receive("43") == "431[null]"


async def test_event_without_an_id_is_not_answered(site: Site) -> None:
    client = await site.join()
    await client.send('42["echo",1]', '422["echo",2]')
    assert await client.receive("43") == "432[2]"


async def test_event_to_one_client_reaches_only_it(site: Site) -> None:
    sender, receiver, other = await site.join(), await site.join(), await site.join()
    assert await sender.ask("tell", receiver.sid, "only you") is None
    assert await receiver.receive("42") == '42["told","only you"]'
    await site.server.emit("last", room="everybody")
    assert await other.receive("42") == '42["last",null]'


async def test_left_room_is_no_longer_heard(site: Site) -> None:
    speaker, hearer = await site.join(), await site.join()
    await hearer.ask("join", "room")
    assert site.server.rooms(hearer.sid) == {"everybody", "room"}
    assert site.server.sids_in("room") == [hearer.sid]
    await hearer.ask("leave", "room")
    await speaker.ask("say", "room", "gone")
    await speaker.ask("say", "everybody", "here")
    assert await hearer.receive("42") == '42["said","here"]'
    assert site.server.sids_in("room") == []


@pytest.mark.parametrize("length", [1, 125, 126, 1000, 65_535, 65_536, 120_000])
async def test_text_of_any_length_arrives_whole(site: Site, length: int) -> None:
    client = await site.join()
    text = "ế" * (length // 3) + "x" * (length % 3)
    assert await client.ask("echo", text) == text


async def test_events_of_one_client_are_handled_in_order(site: Site) -> None:
    client = await site.join()
    turns = [5 * (number % 2) for number in range(40)]
    for number, count in enumerate(turns):
        await client.send(f'42{number}["later",{count}]')
    answers = [await client.receive("43") for _ in turns]
    assert answers == [f"43{number}[{count}]" for number, count in enumerate(turns)]
    assert site.desk.seen == [("later", count) for count in turns]


async def test_one_waiting_handler_holds_up_nobody_else(site: Site) -> None:
    waiting, other = await site.join(), await site.join()
    await waiting.send('421["wait"]', '422["echo",1]')
    await site.desk.entered_gate.wait()
    assert await other.ask("echo", "quick") == "quick"
    site.desk.gate.set()
    assert [await waiting.receive("43"), await waiting.receive("43")] == ['431["waited"]', "432[1]"]


async def test_pings_continue_while_a_handler_outlasts_them() -> None:
    async with serving(limits=Limits(ping_seconds=0.05, pong_seconds=0.05)) as site:
        client = await site.join()
        await client.send('421["wait"]')
        pings = [await client.receive("2") for _ in range(5)]
        site.desk.gate.set()
        await client.send(*["3" for _ in pings])
        assert await client.receive("43") == '431["waited"]'


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("refuse", {"message": "not_signed_in", "data": {"code": "not_signed_in"}}),
        ("fail", {"message": "internal", "data": FAILED}),
    ],
)
async def test_client_that_may_not_join_is_told_and_forgotten(
    site: Site, wish: str, told: object
) -> None:
    client = await site.open()
    await client.send("40" + json.dumps({"wish": wish}))
    texts, code = await client.ended()
    assert [json.loads(text.removeprefix("44")) for text in texts] == [told]
    assert code == 1000
    assert site.server._fan_out.clients == {}
    assert site.desk.left.empty()


async def test_library_client_learns_that_it_was_refused(site: Site) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        await site.client({"wish": "refuse"})


@pytest.mark.parametrize("event", ["fail", "unheard_of", "bytes"])
async def test_failing_handler_is_answered_and_the_client_stays(site: Site, event: str) -> None:
    client = await site.join()
    await client.send(f'421["{event}"]')
    assert json.loads((await client.receive("43"))[3:]) == [FAILED]
    assert await client.ask("echo", "still here") == "still here"


async def test_wrong_number_of_arguments_is_answered(site: Site) -> None:
    client = await site.join()
    assert await client.ask("name", 1, 2, 3) == FAILED


async def test_disconnected_client_is_told_and_heard_no_more(site: Site) -> None:
    client = await site.join()
    await site.server.disconnect(client.sid)
    await client.send('421["echo","too late"]')
    assert await client.ended() == (["41"], 1000)
    assert await site.desk.left.get() == (client.sid, Reason.SERVER)
    assert site.desk.seen == []
    assert site.server.rooms(client.sid) == set()


async def test_client_that_leaves_is_forgotten_once(site: Site) -> None:
    leaver, closer = await site.join(), await site.join()
    await leaver.send("41")
    assert await leaver.ended() == ([], 1000)
    assert await site.desk.left.get() == (leaver.sid, Reason.CLIENT)
    await closer.line.close()
    assert await site.desk.left.get() == (closer.sid, Reason.CLIENT)
    assert site.desk.left.empty()
    with pytest.raises(KeyError):
        site.server.session_of(leaver.sid)


async def test_nothing_is_kept_of_clients_that_have_left(site: Site) -> None:
    clients = [await site.join() for _ in range(20)]
    for number, client in enumerate(clients):
        await client.ask("join", f"room {number % 3}")
    for client in clients:
        await client.line.close()
        await site.desk.left.get()
    fan_out = site.server._fan_out
    assert (fan_out.clients, fan_out.members, fan_out.rooms_of) == ({}, {}, {})
    assert site.server._sessions == {}


async def test_entering_a_room_after_leaving_has_no_effect(site: Site) -> None:
    client = await site.join()
    await client.line.close()
    await site.desk.left.get()
    await site.server.enter_room(client.sid, "room")
    assert site.server.sids_in("room") == []


async def test_other_namespace_is_refused_without_harm(site: Site) -> None:
    client = await site.open()
    await client.send('40/admin,{"a":1}')
    assert await client.receive("44") == '44/admin,{"message":"Invalid namespace"}'
    await client.join()
    assert await client.ask("echo", 1) == 1


async def test_message_in_fragments_is_one_message(site: Site) -> None:
    client = await site.join()
    writer = client.line._writer
    writer.transport.write(b"\x01\x84\0\0\0\x00421[" + b"\x80\x89\0\0\0\x00" + b'"echo",5]')
    assert await client.receive("43") == "431[5]"


async def test_websocket_ping_is_answered_with_its_own_words(site: Site) -> None:
    client = await site.join()
    await client.line.ping(b"are you there")
    async with asyncio.timeout(30):
        message = await client.line.receive()
    assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")


async def test_half_a_surrogate_pair_becomes_the_replacement_character(site: Site) -> None:
    speaker, hearer = await site.join(), await site.join()
    await speaker.send('42["say","everybody","a\\ud83d b \\uDE00\\ud83d\\ude00 \\\\ud83d"]')
    assert await hearer.receive("42") == (
        '42["said","a\N{REPLACEMENT CHARACTER} b \N{REPLACEMENT CHARACTER}😀 \\\\ud83d"]'
    )
    await speaker.send('421["echo","\\ud83d"]')
    assert await speaker.receive("43") == '431["\N{REPLACEMENT CHARACTER}"]'


async def test_server_text_with_half_a_surrogate_pair_can_be_sent(site: Site) -> None:
    hearer = await site.join()
    await site.server.emit("note", "x\udc00", room="everybody")
    assert await hearer.receive("42") == '42["note","x\N{REPLACEMENT CHARACTER}"]'


@pytest.mark.parametrize(
    "addressee",
    [{}, {"room": "a", "to": "b"}, {"room": ""}, {"room": "x" * 257}, {"to": "#everybody"}],
)
async def test_emit_needs_one_proper_addressee(site: Site, addressee: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"room|sid"):
        await site.server.emit("event", **addressee)


async def test_server_does_not_send_reserved_names_or_bytes(site: Site) -> None:
    await site.join()
    with pytest.raises(ValueError, match="reserved"):
        await site.server.emit("disconnect", room="everybody")
    with pytest.raises(TypeError):
        await site.server.emit("file", b"\0", room="everybody")


async def test_doors_of_the_library_that_pass_by_the_rules_are_closed(site: Site) -> None:
    for door in (site.server.on, site.server.call, site.server.register_namespace):
        with pytest.raises(TypeError):
            door("connect")
