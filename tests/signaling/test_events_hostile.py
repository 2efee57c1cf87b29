"""Descriptions and candidates made to do harm, floods, and a page that does not read.

Whoever sends them is told or dropped. The room goes on, memory stays bounded, and no single step of
the event loop takes a tenth of a second.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from telemed.keys import SIGNALING
from telemed.signaling import protocol
from telemed.signaling.engine.limits import Allowance, Limits
from telemed.signaling.protocol import LIMITS, Rate
from tests.signaling.conftest import World
from tests.signaling.foreign import PATIENCE_SECONDS, ForeignClient
from tests.signaling.test_protocol import HOST, MDNS, SDP, TCP

LONGEST_STEP_SECONDS = 0.1
# As many as one page can send of them at once.
MOST_SIGNALS = 20
CAMERA_OFF = {"muted": False, "camera_off": True}
NOTHING = 1e-6
MOST_BYTES = 32 * 1024 * 1024
ALMOST_ALL = SDP + ("a=" + "x" * 2000 + "\r\n") * 31
Outcome = Callable[[World, str, dict[str, Any]], Awaitable[None]]


@dataclass
class Watch:
    """The longest step of the event loop, in time of its own thread."""

    seconds: float = 0.0


@contextmanager
def watched() -> Iterator[Watch]:
    """Look at every step of the loop. What other processes take away does not count."""
    watch = Watch()
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        watch.seconds = max(watch.seconds, time.thread_time() - began)

    # A collection walks over everything that the whole suite has left.
    gc.disable()
    setattr(asyncio.Handle, "_run", timed)  # noqa: B010 - there is no other way to see a step
    try:
        yield watch
    finally:
        setattr(asyncio.Handle, "_run", run)  # noqa: B010 - as it was
        gc.enable()


@contextmanager
def bounded() -> Iterator[None]:
    """However much is sent, little of it is held at once, at both ends together."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def told(code: str) -> Outcome:
    """Refused to the sender with this code at the field; the other hears nothing."""

    async def check(world: World, name: str, payload: dict[str, Any]) -> None:
        answer = await world.doctor.ask(name, payload)
        assert (answer["ok"], answer["code"]) == (False, "fields_invalid")
        assert [field["code"] for field in answer["fields"]] == [code]
        assert "session:signal" not in [event for event, _ in await world.specialist.quiet()]

    return check


async def taken(world: World, name: str, payload: dict[str, Any]) -> None:
    """Within bounds: passed on as it came, to be judged by the other's browser; nobody else acts."""
    await world.doctor.do(name, **payload)
    signal = await world.specialist.push("session:signal")
    part = {"session:candidate": "candidate"}.get(name, "description")
    given = payload[part] or {}
    assert {key: (signal[part] or {})[key] for key in given} == given


async def dropped(world: World, name: str, payload: dict[str, Any]) -> None:
    """No message of the protocol at all: the connection ends, and its seat is kept."""
    text = f"420{json.dumps([name, payload])}"
    # As it stands, without the escapes that make it harmless.
    await world.doctor._socket._writer.send_frame(
        text.replace("raw-byte", "\x00").encode().replace(b"\x00", b"\xc3\x28"), 1
    )
    await asyncio.wait_for(world.doctor.closed.wait(), PATIENCE_SECONDS)
    lost = await world.specialist.push(
        "session:peer-state", lambda pushed: not pushed["peer"]["connected"]
    )
    assert lost["session"] == world.session


def lines(count: int) -> str:
    """A description of so many lines."""
    return SDP + "a=\n" * (count - SDP.count("\n"))


def sections(count: int) -> str:
    """A description of so many sections."""
    return SDP + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * (count - 1)


DESCRIPTIONS: dict[str, tuple[str, Outcome]] = {
    "nothing": ("", told("sdp_malformed")),
    "one break": ("\n", told("sdp_malformed")),
    "breaks only": ("\n" * 60_000, told("sdp_line_count")),
    "words": ("hello\n", told("sdp_malformed")),
    "another version": (SDP.replace("v=0", "v=1"), told("sdp_malformed")),
    "no last break": (SDP.rstrip(), told("sdp_malformed")),
    "a page of HTML": ("<script>alert(1)</script>\n" * 9, told("sdp_malformed")),
    "an object": ('{"__proto__": {}}\n' * 9, told("sdp_malformed")),
    "upper case": (SDP.replace("a=", "A="), told("sdp_malformed")),
    "a nul": (SDP + "a=\x00\r\n", told("sdp_malformed")),
    "an escape of the terminal": (SDP + "a=\x1b[2J\r\n", told("sdp_malformed")),
    "a lone return": (SDP + "a=x\ry\r\n", told("sdp_malformed")),
    "a line too long": (SDP + "a=" + "x" * protocol.MAX_SDP_LINE + "\r\n", told("sdp_malformed")),
    "a line just in bounds": (SDP + "a=" + "x" * (protocol.MAX_SDP_LINE - 2) + "\r\n", taken),
    "as many lines as may be": (lines(protocol.MAX_SDP_LINES), taken),
    "a line too many": (lines(protocol.MAX_SDP_LINES + 1), told("sdp_line_count")),
    "as many sections as may be": (sections(protocol.MAX_MEDIA_SECTIONS), taken),
    "a section too many": (sections(protocol.MAX_MEDIA_SECTIONS + 1), told("sdp_media_count")),
    "thousands of sections": (sections(1900), told("sdp_media_count")),
    "no section": (SDP.partition("m=")[0], told("sdp_media_count")),
    "almost all that may be": (ALMOST_ALL, taken),
    "a letter too many": (ALMOST_ALL + "a=" + "x" * 4000 + "\r\n", told("too_long")),
    "candidates to inside": (
        SDP
        + "".join(f"a={HOST.replace('192.0.2.7', each)}\r\n" for each in ("127.0.0.1", "10.0.0.1")),
        taken,
    ),
    "an empty fingerprint": (SDP + "a=fingerprint:\r\n", taken),
    "numbers that are none": (SDP + "a=rtpmap:9999999999999999999 x/0\r\n", taken),
}

CANDIDATES: dict[str, tuple[str, Outcome]] = {
    "a browser's": (HOST, taken),
    "of TCP": (TCP, taken),
    "a name of the local network": (MDNS, taken),
    "the loopback address": (HOST.replace("192.0.2.7", "127.0.0.1"), taken),
    "the machine's own data": (HOST.replace("192.0.2.7", "169.254.169.254"), taken),
    "a private address": (HOST.replace("192.0.2.7", "10.0.0.1"), taken),
    "a private address of IPv6": (HOST.replace("192.0.2.7", "fd00::1"), taken),
    "a private address within IPv6": (HOST.replace("192.0.2.7", "::ffff:10.0.0.1"), taken),
    "the last": ("", taken),
    "words": ("hello", told("candidate_malformed")),
    "cut short": ("candidate:1 1 udp", told("candidate_malformed")),
    "with its attribute": (f"a={HOST}", told("candidate_malformed")),
    "a second line": (f"{HOST}\r\na=ice-lite", told("candidate_malformed")),
    "a break at its end": (f"{HOST}\n", told("candidate_malformed")),
    "a nul": (HOST.replace("192", "192\x00"), told("candidate_malformed")),
    "another transport": (HOST.replace("udp", "sctp"), told("candidate_malformed")),
    "a port of six digits": (HOST.replace("53412", "534120"), told("candidate_malformed")),
    "digits of another script": (HOST.replace("53412", "٥٣٤١٢"), told("candidate_malformed")),
    "a name of other letters": (MDNS.replace("5f7c", "ọọọọ"), told("candidate_malformed")),
    "a name that never ends": (MDNS.replace("5f7c", "a" * 256), told("candidate_malformed")),
    "a command": (HOST.replace("192.0.2.7", "$(reboot)"), told("candidate_malformed")),
    "words without end": (HOST + " x y" * 240, told("too_long")),
    "spaces without end": (HOST + " " * 800, told("candidate_malformed")),
}


def offer(sdp: str) -> tuple[str, dict[str, Any]]:
    return "session:offer", {"description": {"type": "offer", "sdp": sdp}}


def answer(sdp: str) -> tuple[str, dict[str, Any]]:
    return "session:answer", {"description": {"type": "answer", "sdp": sdp}}


def candidate(text: str) -> tuple[str, dict[str, Any]]:
    return "session:candidate", {"candidate": {"candidate": text, "sdpMid": "0"}}


# What holds for an offer holds for an answer: the same words are judged by the same rule.
ALSO = ("words", "a line too many", "thousands of sections", "almost all that may be")
Sent = tuple[str, dict[str, Any]]
CORPUS: dict[str, dict[str, tuple[Sent, Outcome]]] = {
    "offers": {name: (offer(sdp), then) for name, (sdp, then) in DESCRIPTIONS.items()},
    "answers": {name: (answer(DESCRIPTIONS[name][0]), DESCRIPTIONS[name][1]) for name in ALSO},
    "candidates": {name: (candidate(text), then) for name, (text, then) in CANDIDATES.items()},
    # Each of these ends the connection.
    "an offer of bytes that are no text": {"": (offer(SDP + "a=raw-byte\r\n"), dropped)},
    "a candidate of bytes that are no text": {"": (candidate(f"{HOST} raw-byte"), dropped)},
    "an offer over the message": {"": (offer("x" * protocol.MAX_MESSAGE_BYTES), dropped)},
    "a candidate over the message": {"": (candidate("x" * protocol.MAX_MESSAGE_BYTES), dropped)},
}


@contextmanager
def named(case: str) -> Iterator[None]:
    """Whatever fails says which of many it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"sent: {case}")
        raise


@pytest.mark.parametrize("cases", CORPUS.values(), ids=CORPUS.keys())
async def test_what_is_sent_to_do_harm_does_none(
    world: World, cases: dict[str, tuple[Sent, Outcome]]
) -> None:
    first, _ = await world.both_settle()
    to_other = {"session": world.session, "to": first["participant"], "epoch": 2}
    for case, ((name, content), outcome) in cases.items():
        with named(case), watched() as watch:
            await outcome(world, name, {**to_other, **content})
            await world.specialist.do("session:state", session=world.session, **CAMERA_OFF)
        assert watch.seconds < LONGEST_STEP_SECONDS, case
    await goes_on(world)


async def goes_on(world: World) -> None:
    """The room takes what the other says, and writes it down."""
    said = {"session": world.session, "text": "SpO2 96 %", "key": "still-here"}
    number = (await world.specialist.do("session:chat", **said))["number"]
    event = await world.specialist.push("session:event", lambda event: event["kind"] == "chat")
    assert event["number"] == number


async def send_many(client: ForeignClient, name: str, payload: dict[str, Any], count: int) -> None:
    """As fast as the line takes it, without waiting for an answer."""
    text = "42" + json.dumps([name, payload])
    for _ in range(count):
        await client.send_text(text)


async def until_lost(world: World) -> None:
    """The one who floods has been put out, and the other was told."""
    await asyncio.wait_for(world.doctor.closed.wait(), PATIENCE_SECONDS)
    await world.specialist.push(
        "session:peer-state", lambda pushed: not pushed["peer"]["connected"]
    )


def earn_nothing(app: web.Application) -> None:
    """A slow machine would give the allowances time to fill up again."""
    burst = Limits().message_burst
    for line in app[SIGNALING].server._sockets:
        line._allowance = Allowance(NOTHING, burst)
        connection = app[SIGNALING].server.session_of(line.sid or "")
        connection.allowances[Rate.SIGNAL] = Allowance(NOTHING, LIMITS[Rate.SIGNAL][1])


FLOODS = {"offers": (offer(ALMOST_ALL), 100), "candidates": (candidate(HOST), 1000)}


@pytest.mark.parametrize(("sent", "count"), FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_ends_its_own_connection_and_reaches_nobody(
    world: World, app: web.Application, sent: tuple[str, dict[str, Any]], count: int
) -> None:
    first, _ = await world.both_settle()
    earn_nothing(app)
    name, content = sent
    payload = {"session": world.session, "to": first["participant"], "epoch": 2, **content}
    with bounded(), watched() as watch:
        flooding = asyncio.create_task(send_many(world.doctor, name, payload, count))
        await until_lost(world)
        await asyncio.wait([flooding])
        # A line that the server has cut cannot be written to.
        flooding.exception()
        await goes_on(world)
    arrived = [event for event, _ in await world.specialist.quiet()].count("session:signal")
    assert arrived <= LIMITS[Rate.SIGNAL][1]
    assert watch.seconds < LONGEST_STEP_SECONDS


async def test_too_many_signals_are_refused_and_those_of_the_other_are_not(
    world: World, app: web.Application
) -> None:
    first, second = await world.both_settle()
    earn_nothing(app)
    name, content = candidate(HOST)
    sent = {"session": world.session, "to": first["participant"], "epoch": 2, **content}
    back = {**sent, "to": second["participant"]}
    # One more than may be at once, and far below what ends the connection.
    answers = [await world.doctor.ask(name, sent) for _ in range(LIMITS[Rate.SIGNAL][1] + 1)]
    assert answers[-2]["ok"] is True
    assert answers[-1]["code"] == "throttled"
    await world.specialist.do(name, **back)
    await goes_on(world)


def narrow(app: web.Application, client: ForeignClient) -> None:
    """Leave little to the system's own buffers, and to those of the server."""
    for each in app[SIGNALING].server._sockets:
        assert each._transport
        line = each._transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        each._limits = replace(each._limits, pending_bytes=4 * len(ALMOST_ALL))
    line = client._socket.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def test_a_page_that_does_not_read_is_put_out_and_the_other_goes_on(
    world: World, app: web.Application
) -> None:
    first, _ = await world.both_settle()
    name, content = offer(ALMOST_ALL)
    sent = {"session": world.session, "to": first["participant"], "epoch": 2, **content}
    narrow(app, world.specialist)
    reader = world.specialist._reader
    assert reader
    reader.cancel()
    await asyncio.wait([reader])
    with bounded(), watched() as watch:
        answers = [await world.doctor.ask(name, sent) for _ in range(MOST_SIGNALS)]
        lost = await world.doctor.push(
            "session:peer-state", lambda pushed: not pushed["peer"]["connected"]
        )
    assert lost["peer"]["participant"] == first["participant"]
    assert answers[-1].get("code") == "peer_absent"
    assert watch.seconds < LONGEST_STEP_SECONDS
    await world.doctor.do("session:chat", session=world.session, text="a", key="k")
    # It is not there to be told of the end.
    world.specialist._reader = None
