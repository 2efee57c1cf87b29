"""What is sent to do harm: told or dropped; the room goes on."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from contextlib import suppress
from copy import copy
from typing import Any

import pytest
from aioice.ice import CandidatePair
from aiortc import rtp

from telemed.core.errors import Conflict, Invalid, Missing
from telemed.media.relay import limits
from telemed.media.relay.feedback import MOST_PACKETS, ArrivalLog
from telemed.media.relay.local import LocalRooms
from telemed.media.relay.offers import check_offer, without_candidates
from telemed.media.relay.packets import read_extensions, read_vp8
from telemed.media.relay.redundancy import unpack
from tests.media.conftest import ROOM, Publish, Watch
from tests.media.peers import PATIENCE_SECONDS, SyntheticPublisher, SyntheticViewer, picture

SECTION = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
# Each breaks a good offer.
CORPUS: dict[str, Any] = {
    "empty": lambda _good: "",
    "no description at all": lambda _good: "hello",
    "giant": lambda good: good + "a=x\r\n" * limits.OFFER_BYTES,
    "too many lines": lambda good: good + "a=x\r\n" * limits.OFFER_LINES,
    "a line too long": lambda good: good + "a=" + "x" * limits.LINE_BYTES + "y\r\n",
    "too many sections": lambda good: good + SECTION * 100,
    "too many candidates": lambda good: (
        good + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * (limits.OFFER_CANDIDATES + 1)
    ),
    "a candidate cut short": lambda good: good + "a=candidate:1 1 udp\r\n",
    "not ASCII": lambda good: good.replace("v=0", "v=０"),
    "control characters": lambda good: good + "a=x\x00y\r\n",
    "a data channel": lambda good: good + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    "a port that is none": lambda good: good.replace("m=audio ", "m=audio nine"),
    "no fingerprint": lambda good: good.replace("a=fingerprint:", "a=finger:"),
    "a broken fingerprint": lambda good: good.replace("a=fingerprint:sha-256 ", "a=fingerprint:"),
    "no ice password": lambda good: good.replace("a=ice-pwd:", "a=ice:"),
    "a payload type that is none": lambda good: good.replace("a=rtpmap:", "a=rtpmap:x"),
    "an extension that is none": lambda good: good.replace("a=extmap:", "a=extmap:x"),
    "codecs nobody knows": lambda good: good.replace("opus", "vorbis").replace("red", "blue"),
    "two voices": lambda good: good.replace("m=video", "m=audio"),
    "a clock rate that is none": lambda good: good.replace("/48000", "/fast"),
    "a role that is none": lambda good: good.replace("a=setup:actpass", "a=setup:never"),
    "no header": lambda good: good[good.index("m=") :],
    "only the header": lambda good: good[: good.index("m=")],
}


async def good_offer() -> str:
    publisher = SyntheticPublisher()
    offer = await publisher.offer()
    await publisher.close()
    return offer


@pytest.mark.parametrize("broken", CORPUS.values(), ids=CORPUS.keys())
async def test_a_description_that_is_none_is_refused(relay: LocalRooms, broken: Any) -> None:
    offer = broken(await good_offer())
    with pytest.raises(Invalid) as refusal:
        await relay.publish(ROOM, "doctor", offer)
    assert refusal.value.code == "offer_malformed"
    assert (await relay.get_stats(ROOM)).publishers == ()


async def test_descriptions_cut_and_shuffled_are_refused_or_taken(relay: LocalRooms) -> None:
    """Whatever happens, it is an answer or the one refusal, and soon."""
    lines = (await good_offer()).split("\r\n")
    made_up = random.Random(7)
    for _ in range(40):
        changed = [line for line in lines if made_up.random() > 0.06]
        place = made_up.randrange(len(changed))
        changed[place] = changed[place][: made_up.randrange(len(changed[place]) + 1)]
        begin = time.process_time()
        with suppress(Invalid):
            await relay.publish(ROOM, "doctor", "\r\n".join(changed))
        assert time.process_time() - begin < 5


def test_candidates_that_lead_inside_are_not_knocked_at() -> None:
    lines = [
        "a=candidate:1 1 udp 1 8.8.8.8 9 typ host",
        "a=candidate:1 1 udp 1 127.0.0.1 9 typ host",
        "a=candidate:1 1 udp 1 10.0.0.1 9 typ host",
        "a=candidate:1 1 udp 1 169.254.169.254 80 typ host",
        "a=candidate:1 1 udp 1 fd00::1 9 typ host",
        "a=candidate:1 1 udp 1 f00.local 9 typ host",
        "a=candidate:1 1 tcp 1 8.8.8.8 9 typ host",
        "a=end-of-candidates",
    ]
    assert without_candidates(lines, may_be_private=False) == lines[:1]


def test_addresses_that_a_browser_names_in_its_first_section_are_heard_in_the_last() -> None:
    address = "a=candidate:1 1 udp 1 8.8.8.8 9 typ relay"
    sections = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=video 9 UDP/TLS/RTP/SAVPF 96"]
    offer = [*sections[:2], address, sections[2]]
    assert without_candidates(offer, may_be_private=False) == [*sections, address]


async def test_an_offer_as_browsers_make_it_is_within_bounds() -> None:
    assert check_offer(await good_offer(), most_sections=2)


async def test_names_and_rooms_are_bounded(relay: LocalRooms) -> None:
    offer = await good_offer()
    for name in ("", "x" * 65, "a b", "ă"):
        with pytest.raises(Invalid):
            await relay.publish(ROOM, name, offer)
    with pytest.raises(Conflict):
        await relay.open_room(ROOM)
    with pytest.raises(Missing):
        await relay.publish("elsewhere", "doctor", offer)
    with pytest.raises(Missing):
        await relay.subscribe(ROOM, "trainee", offer, ["nobody"])


async def reaches(publisher: SyntheticPublisher, viewer: SyntheticViewer) -> None:
    """A whole picture arrives, as soon as what floods the socket has been read."""
    number = 6000
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(packet.payload[2:4] > b"\x97\x00" for packet in viewer.packets["video"]):
            number += 1
            await publisher.send_picture(number, picture(number, key=True))
            viewer.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(viewer.changed.wait(), 0.1)


async def test_garbage_on_the_port_is_dropped_and_the_room_goes_on(
    publish: Publish, watch: Watch, relay: LocalRooms
) -> None:
    publisher, viewer = await publish(), await watch()
    address = publisher.transport.transport._connection._nominated[1].remote_addr
    made_up = random.Random(11)
    slowest = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        for _ in range(40):
            for _ in range(50):
                stranger.sendto(os.urandom(made_up.randrange(1400)), address)
            # The time that this process worked: a busy machine is none of its doing.
            begin = time.process_time()
            await asyncio.sleep(0)
            slowest = max(slowest, time.process_time() - begin)
    assert slowest < 0.1
    await reaches(publisher, viewer)
    assert (await relay.get_stats(ROOM)).publishers[0].packets_dropped > 0


async def test_a_handshake_may_come_along_any_way_that_ice_knows(
    publish: Publish, relay: LocalRooms
) -> None:
    """Over IPv4 and IPv6 at once the two ends may settle on different ones."""
    await publish()
    link = relay._rooms[ROOM].publishers["doctor"].link
    pair = link._ice._nominated[1]
    elsewhere = copy(pair.remote_candidate)
    elsewhere.port = 9
    another = CandidatePair(pair.protocol, elsewhere)
    hello = b"\x16\xfe\xfd" + bytes(10)
    for known, dropped in (([], 1), ([another], 0)):
        link._ice._check_list += known
        before = link.dropped
        pair.protocol.datagram_received(hello, another.remote_addr)
        assert link.dropped - before == dropped


async def test_genuine_packets_full_of_nonsense_are_dropped(
    publish: Publish, watch: Watch, relay: LocalRooms
) -> None:
    """Encrypted by a participant who has the keys."""
    publisher, viewer = await publish(), await watch()
    made_up = random.Random(3)
    for number in range(300):
        body = made_up.randbytes(made_up.randrange(60))
        words = len(body) // 4
        extension = b"\xbe\xde" + words.to_bytes(2, "big") + body[: 4 * words]
        for first, rest in ((0x80, body), (0xA0, body), (0x90, extension), (0xB0, extension)):
            head = bytes([first, publisher.kinds["video/vp8"]]) + number.to_bytes(2, "big")
            ssrc = publisher.ssrcs["video"].to_bytes(4, "big")
            await publisher.send(head + bytes(4) + ssrc + rest)
            await asyncio.sleep(0)
        for peer in (publisher, viewer):
            control = bytes([0x80 | made_up.randrange(32), 200 + made_up.randrange(8)])
            await peer.send(control + words.to_bytes(2, "big") + bytes(4) + body[: 4 * words])
    await reaches(publisher, viewer)
    stats = await relay.get_stats(ROOM)
    assert stats.publishers[0].packets_dropped + stats.viewers[0].packets_dropped > 0


async def test_a_flood_of_one_publisher_is_cut_and_others_are_heard(
    publish: Publish, watch: Watch, relay: LocalRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUBLISHED_BYTES_A_SECOND", 0.0)
    monkeypatch.setattr(limits, "PUBLISHED_BYTES_AT_ONCE", 20_000.0)
    flooding, calm = await publish("doctor"), await publish("nurse")
    await watch("trainee", "doctor")
    of_calm = await watch("trainer", "nurse")
    for number in range(60):
        await flooding.send_picture(number, picture(number, key=True, fill=1000))
    for number in range(5):
        await calm.send_picture(number, picture(number, key=True))
    await of_calm.gets("video", 5)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await relay.get_stats(ROOM)).publishers[0].packets_received < 60:  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0)
    stats = await relay.get_stats(ROOM)
    assert 0 < stats.viewers[0].packets_sent < 20
    assert all(each.is_connected for each in stats.publishers)


async def test_layers_and_streams_that_a_publisher_makes_up_are_bounded(
    publish: Publish, watch: Watch, relay: LocalRooms
) -> None:
    publisher, viewer = await publish(), await watch()
    for number, rid in enumerate("abcdefghijklmnopqrstuvwxyz"):
        await publisher.send_picture(number, picture(number, key=True), rid=rid)
    await reaches(publisher, viewer)
    known = relay._rooms[ROOM].publishers["doctor"]
    assert len(known.tracks["video"].layers) <= limits.LAYERS_OF_A_TRACK
    assert len(known._streams) <= limits.STREAMS_OF_A_PUBLISHER


async def test_a_viewer_who_asks_for_everything_again_gets_a_share(
    publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    for number in range(60):
        await publisher.send_picture(number, picture(number, key=True, fill=1000))
    await viewer.gets("video", 60)
    lost = [packet.sequence_number for packet in viewer.packets["video"]]
    for _ in range(50):
        nack = rtp.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=viewer.ssrc("video"), lost=lost)
        await viewer.send(bytes(nack))
    await publisher.send_picture(60, picture(60, key=True))
    await viewer.gets("video", 61)
    assert 0 < len(viewer.packets["rtx"]) < 40


@pytest.mark.parametrize("reader", [read_vp8, unpack])
def test_readers_raise_nothing_unexpected(reader: Any) -> None:
    made_up = random.Random(5)
    for _ in range(5000):
        try:
            reader(made_up.randbytes(made_up.randrange(12)))
        except IndexError:
            continue


def test_header_extensions_end_within_the_packet() -> None:
    made_up = random.Random(5)
    for _ in range(5000):
        packet = made_up.choice((b"\xbe\xde", b"\x10\x00")) + made_up.randbytes(20)
        try:
            end, found = read_extensions(packet, 0)
        except IndexError:
            continue
        assert all(place + size <= end <= len(packet) for _, place, size in found)


def test_arrivals_are_bounded_however_they_jump() -> None:
    log = ArrivalLog()
    made_up = random.Random(9)
    for moment in range(20_000):
        log.note(made_up.randrange(1 << 16), moment * 1000)
    assert len(log._arrivals) <= 4 * MOST_PACKETS
    report = log.report()
    assert report is not None
    assert len(report) < limits.DATAGRAM_BYTES


async def test_who_never_connects_is_forgotten_and_who_did_stays(
    relay: LocalRooms, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish("nurse")
    await relay.publish(ROOM, "doctor", await good_offer())
    assert await publishers_of(relay) == {"nurse": True, "doctor": False}
    connection = relay._rooms[ROOM].publishers["doctor"].link.connection
    monkeypatch.setattr(limits, "CONNECT_SECONDS", -1.0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "doctor" in await publishers_of(relay):  # noqa: ASYNC110 - it tells no event
            await asyncio.sleep(0)
        while connection.connectionState != "closed":  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)
    assert await publishers_of(relay) == {"nurse": True}


async def publishers_of(relay: LocalRooms) -> dict[str, bool]:
    """Who sends, and whether their connection has come about."""
    return {each.name: each.is_connected for each in (await relay.get_stats(ROOM)).publishers}


async def test_viewers_are_no_publishers(relay: LocalRooms) -> None:
    viewer = SyntheticViewer()
    offer = await viewer.offer()
    with pytest.raises(Missing):
        await relay.subscribe(ROOM, "trainee", offer, ["doctor"])
    await viewer.close()
