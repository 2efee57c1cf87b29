"""What no client can do to the engine, whatever it sends or does not read."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import aiohttp
import pytest
from aiohttp import web

from telemed.signaling.engine import Limits, LocalFanOut, Reason
from telemed.signaling.engine.server import FAILED
from tests.signaling.engine.clients import SECRET, Site, serving

PROTOCOL_ERROR = 1002
POLICY_VIOLATION = 1008
TOO_BIG = 1009

RESERVED = [
    '42["connect",{},{}]',
    '42["disconnect","client disconnect"]',
    '427["connect"]',
    '42["connect_error"]',
    '42["disconnecting"]',
    '42["newListener"]',
    '42["removeListener"]',
    '42/admin,["connect"]',
    '451-["connect",{"_placeholder":true,"num":0}]',
    '42["\\u0063onnect"]',
]
MALFORMED = [
    "",
    "0",
    "2",
    "2probe",
    "5",
    "9",
    "4",
    "4z",
    "45",
    "46",
    "47",
    "48",
    "42",
    "42[]",
    "42{}",
    "42[1]",
    '42[["a"]]',
    '42["say"',
    '42["say",NaN]',
    '42["say","\\ud83d",NaN]',
    '42["say",\\ud83d]',
    "42" + "[" * 100_000,
    '42["\\ud83d",' + "[" * 100_000,
    '42-1["say"]',
    "42" + "9" * 150 + '["say"]',
    '42/admin,["say"]',
    "44{}",
    '450-["say"]',
    '451-["say",{"_placeholder":true,"num":0}]',
    '4517-["say"]',
    '459999999999-["say"]',
    '461-1["say"]',
    "40",
    '40{"a":',
    "40[1]",
    "40/" + "n" * 65 + ",",
    "40/ñ,",
]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as running:
        yield running


@pytest.fixture
def log_text(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every line of every logger, as an operator would read it."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("packet", RESERVED)
async def test_reserved_name_ends_the_connection_unheard(site: Site, packet: str) -> None:
    client = await site.join()
    await client.send(packet, '42["echo","after"]')
    assert await client.ended() == ([], PROTOCOL_ERROR)
    assert await site.desk.left.get() == (client.sid, Reason.MALFORMED)
    assert (site.desk.admitted, site.desk.seen) == ([client.sid], [])


@pytest.mark.parametrize("packet", MALFORMED, ids=lambda text: repr(text[:24]))
async def test_malformed_packet_ends_only_its_own_connection(
    site: Site, packet: str, log_text: pytest.LogCaptureFixture
) -> None:
    neighbour, client = await site.join(), await site.join()
    await client.send(packet, '42["echo","after"]')
    assert await client.ended() == ([], PROTOCOL_ERROR)
    assert site.desk.seen == []
    assert await neighbour.ask("echo", 1) == 1
    assert [line.levelname for line in log_text.records if "telemed" in line.name] == ["WARNING"]


@pytest.mark.parametrize("packet", ['42["echo",1]', "3", "41x"])
async def test_nothing_is_handled_before_joining(site: Site, packet: str) -> None:
    client = await site.open()
    await client.send(packet)
    await client.ended()
    assert (site.desk.seen, site.desk.admitted) == ([], [])


async def test_binary_message_ends_the_connection(site: Site) -> None:
    client = await site.join()
    await client.line.send_bytes(b'42["echo",1]')
    assert await client.ended() == ([], PROTOCOL_ERROR)


async def test_text_that_is_not_utf8_ends_the_connection(site: Site) -> None:
    client = await site.join()
    payload = b'42["echo","\xff"]'
    client.line._writer.transport.write(bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
    assert await client.ended() == ([], PROTOCOL_ERROR)


async def test_message_over_the_limit_ends_the_connection() -> None:
    async with serving(limits=Limits(message_bytes=1000)) as site:
        client = await site.join()
        fitting = "x" * (999 - len('427["echo", ""]'))
        assert await client.ask("echo", fitting) == fitting
        await client.send("42" + json.dumps(["echo", "x" * 1000]))
        assert await client.ended() == ([], TOO_BIG)


@pytest.mark.parametrize("answer", ['430["x"]', "430", "431", "431[]", "43", '43-1["x"]', "43{}"])
async def test_forged_answers_mean_nothing(site: Site, answer: str) -> None:
    client = await site.join()
    await client.send(answer)
    assert await client.ask("echo", 1) == 1


async def test_text_of_a_client_addresses_only_rooms_of_that_name(site: Site) -> None:
    attacker, victim = await site.join(), await site.join()
    await victim.ask("join", "a")
    await victim.ask("join", "b")
    for name in (victim.sid, f"#{victim.sid}", "#a"):
        assert await attacker.ask("join", name) == "joined"
        assert await attacker.ask("say", name, "overheard?") is None
    no_names: list[object] = [None, ["a", "b"], "", {}, 5, True, "x" * 257]
    for no_name in no_names:
        assert await attacker.ask("say", no_name, "overheard?") == FAILED
        assert await attacker.ask("join", no_name) == FAILED
    await site.server.emit("last", to=victim.sid)
    assert await victim.receive("42") == '42["last",null]'


@pytest.mark.parametrize(
    ("origins", "status"),
    [
        (["{own}"], 101),
        ([], 403),
        (["https://evil.example"], 403),
        (["null"], 403),
        (["{own}.evil.example"], 403),
        (["{own}/"], 403),
        (["HTTP://127.0.0.1:{port}"], 403),
        (["http://localhost:{port}"], 403),
        (["{own}", "{own}"], 403),
        (["{own}, https://evil.example"], 403),
        ([""], 403),
        (["*"], 403),
    ],
)
async def test_only_the_exact_origin_is_admitted(
    site: Site, origins: list[str], status: int
) -> None:
    given = [text.format(own=site.origin, port=site.port) for text in origins]
    assert await _handshake(site, "".join(f"Origin: {text}\r\n" for text in given)) == status


async def test_missing_origin_is_admitted_only_as_the_application_says() -> None:
    def has_key(request: web.Request) -> bool:
        return request.headers.get("X-Key") == "right"

    async with serving(admits_without_origin=has_key) as site:
        assert await _handshake(site, "") == 403
        assert await _handshake(site, "X-Key: wrong\r\n") == 403
        assert await _handshake(site, "X-Key: right\r\n") == 101
        assert await _handshake(site, "X-Key: right\r\nOrigin: https://evil.example\r\n") == 403


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("GET", "EIO=4&transport=websocket", 400),
        ("GET", "EIO=4&transport=polling", 400),
        ("GET", "EIO=3&transport=websocket", 400),
        ("GET", "EIO=4&transport=websocket&sid=abc", 400),
        ("GET", "", 400),
        ("POST", "EIO=4&transport=polling&sid=abc", 405),
        ("OPTIONS", "EIO=4&transport=polling", 405),
    ],
)
async def test_there_is_no_other_transport(
    site: Site, method: str, query: str, status: int
) -> None:
    async with (
        aiohttp.ClientSession(headers={"Origin": site.origin}) as session,
        session.request(method, f"{site.origin}/socket.io/?{query}") as answer,
    ):
        assert answer.status == status
    assert site.server._sockets == set()


async def test_sustained_flood_ends_the_connection(log_text: pytest.LogCaptureFixture) -> None:
    async with serving(limits=Limits(messages_per_second=1, message_burst=50)) as site:
        client = await site.join()
        await client.send(*['42["echo",1]'] * 200)
        assert (await client.ended())[1] == POLICY_VIOLATION
        assert await site.desk.left.get() == (client.sid, Reason.FLOOD)
        assert len(site.desk.seen) <= 2 * 50
    assert "connection ended: flood" in log_text.messages


async def test_large_messages_weigh_more_than_small_ones() -> None:
    async with serving(limits=Limits(messages_per_second=0.001, message_burst=20)) as site:
        client = await site.join()
        large = "x" * 40_000
        assert await client.ask("echo", large) == large
        await client.send("42" + json.dumps(["echo", large]))
        assert await client.ended() == ([], POLICY_VIOLATION)


async def test_websocket_pings_are_part_of_the_flood() -> None:
    async with serving(limits=Limits(messages_per_second=0.001, message_burst=20)) as site:
        client = await site.join()
        for _ in range(30):
            await client.line.ping()
        assert await site.desk.left.get() == (client.sid, Reason.FLOOD)


async def test_burst_within_the_allowance_is_served() -> None:
    async with serving(limits=Limits(messages_per_second=0.001, message_burst=60)) as site:
        client = await site.join()
        await client.send(*[f'42{number}["echo",{number}]' for number in range(50)])
        answers = [await client.receive("43") for _ in range(50)]
    assert answers == [f"43{number}[{number}]" for number in range(50)]


@pytest.mark.parametrize("depth", [200, 900, 1200])
async def test_deep_nesting_harms_nobody_else(site: Site, depth: int) -> None:
    client, neighbour = await site.join(), await site.join()
    await client.send('421["echo",' + "[" * depth + "]" * depth + "]")
    assert await neighbour.ask("echo", 1) == 1


async def test_flooding_client_does_not_own_the_loop(site: Site) -> None:
    flooder, other = await site.join(), await site.join()
    await flooder.send(*[f'42["echo",{number}]' for number in range(300)])
    assert await other.ask("echo", "my turn") == "my turn"


async def test_slow_consumer_is_dropped_and_the_others_get_everything(
    log_text: pytest.LogCaptureFixture,
) -> None:
    async with serving(limits=Limits(pending_bytes=200_000)) as site:
        reader = await site.join()
        silent = await _join_and_never_read(site)
        for number in range(1000):
            await site.server.emit("picture", [number, "x" * 20_000], room="everybody")
            assert (await reader.receive("42")).startswith(f'42["picture",[{number},')
        _, reason = await site.desk.left.get()
        silent.close()
    assert reason is Reason.SLOW
    assert "connection dropped: slow consumer" in log_text.messages


async def test_client_that_never_joins_is_cut_off() -> None:
    async with serving(limits=Limits(connect_seconds=0.05)) as site:
        client = await site.open()
        assert await client.ended() == ([], None)
        assert site.server._sockets == set()


async def test_client_that_answers_no_ping_is_cut_off() -> None:
    async with serving(limits=Limits(ping_seconds=0.05, pong_seconds=0.05)) as site:
        client = await site.join()
        assert await client.ended() == (["2"], None)
        assert await site.desk.left.get() == (client.sid, Reason.SILENT)


async def test_client_that_answers_pings_stays() -> None:
    async with serving(limits=Limits(ping_seconds=0.02, pong_seconds=5)) as site:
        client = await site.join()
        for _ in range(5):
            await client.receive("2")
            await client.send("3")
        assert await client.ask("echo", 1) == 1


async def test_pong_that_came_while_the_server_stood_still_counts() -> None:
    async with serving(limits=Limits(ping_seconds=0.05, pong_seconds=0.2)) as site:
        client = await site.join()
        await client.receive("2")
        await client.send("3")
        _stand_still(0.3)
        assert await client.ask("echo", 1) == 1


def _stand_still(seconds: float) -> None:
    end = monotonic() + seconds
    while monotonic() < end:
        pass


async def test_leaving_touches_only_the_rooms_of_the_leaver(site: Site) -> None:
    class Unwalkable(dict):  # type: ignore[type-arg] # any walk over all rooms or clients fails
        def __iter__(self) -> Iterator[str]:
            raise AssertionError("walked over everything")

        items = keys = values = copy = __iter__  # type: ignore[assignment] # see above

    fan_out: LocalFanOut = site.server._fan_out
    fan_out.members, fan_out.clients = Unwalkable(), Unwalkable()
    client = await site.join()
    await client.ask("join", "room")
    await client.line.close()
    assert await site.desk.left.get() == (client.sid, Reason.CLIENT)
    assert len(fan_out.members) == len(fan_out.clients) == 0


async def test_logs_hold_nothing_that_a_client_sent(
    site: Site, log_text: pytest.LogCaptureFixture
) -> None:
    client = await site.client({"name": SECRET})
    await client.call("fail", SECRET)
    await client.call("echo", SECRET)
    raw = await site.join()
    await raw.send(f'42["{SECRET}","{SECRET}"]', f'42["connect","{SECRET}"]')
    await raw.ended()
    failing = await site.open()
    await failing.send('40{"wish":"fail"}')
    await failing.ended()
    assert await _handshake(site, "Origin: https://secret-origin.example\r\n") == 403
    ours = [line for line in log_text.records if line.name.startswith("telemed")]
    written = logging.Formatter()
    text = "\n".join(written.format(line) for line in ours)
    assert "KeyError in tests.signaling.engine.clients.on_fail" in text
    for private in (SECRET, "secret-origin", raw.sid, client.get_sid()):
        assert private not in text
    assert {line.name for line in log_text.records} <= {
        *(line.name for line in ours),
        "asyncio",
        "socketio.client",
        "engineio.client",
    }


async def _handshake(site: Site, headers: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(_upgrade(headers))
    status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return int(status)


def _upgrade(headers: str) -> bytes:
    return (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    ).encode()


async def _join_and_never_read(site: Site) -> socket.socket:
    """A client with a small receive buffer that joins and then reads nothing, ever."""
    loop = asyncio.get_running_loop()
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await loop.sock_connect(line, ("127.0.0.1", site.port))
    await loop.sock_sendall(line, _upgrade(f"Origin: {site.origin}\r\n") + b"\x81\x82\0\0\0\x0040")
    heard = b""
    while b"40{" not in heard:
        heard += await loop.sock_recv(line, 4096)
    return line
