"""Every internal name of aiortc, aioice and pylibsrtp that the relay rests on.

Whoever raises a version finds here what has moved.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import pytest
from aioice import ice
from aiortc import RTCPeerConnection, rtp
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

from telemed.media.relay import dialect
from telemed.media.relay.link import Link
from telemed.media.relay.local import LocalRooms
from tests.media.conftest import Publish, Watch
from tests.media.peers import NO_SERVERS, PATIENCE_SECONDS, SyntheticPublisher


def test_the_version_is_the_pinned_one() -> None:
    assert version("aiortc").startswith("1.16.")


def test_libsrtp_works_in_place_on_a_buffer_of_ours() -> None:
    for name in ("protect", "unprotect", "protect_rtcp", "unprotect_rtcp"):
        assert callable(getattr(lib, f"srtp_{name}"))
    assert ffi.sizeof(ffi.new("char[]", 8)) == 8
    assert Session()._srtp[0]


def test_the_lists_that_are_negotiated_from_can_be_added_to() -> None:
    dialect.learn()
    dialect.learn()
    voices = [codec.mimeType.lower() for codec in CODECS["audio"]]
    assert voices == [dialect.OPUS, dialect.RED]
    uris = [extension.uri for extension in HEADER_EXTENSIONS["video"]]
    assert len(uris) == len(set(uris))
    assert {dialect.MID, dialect.SEND_TIME, dialect.RID, dialect.REPAIRED_RID} < set(uris)


async def test_addresses_are_gathered_by_a_name_that_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_kinds: ["127.0.0.1"])
    connection = ice.Connection(ice_controlling=True)
    await connection.gather_candidates()
    hosts = {candidate.host for candidate in connection.local_candidates}
    await connection.close()
    assert hosts == {"127.0.0.1"}


def test_control_packets_are_written_and_read() -> None:
    packet = rtp.pack_rtcp_packet(205, 15, b"some")
    assert packet == bytes([0x80 | 15, 205, 0, 1]) + b"some"
    assert rtp.unpack_remb_fci(rtp.pack_remb_fci(300_000, [7]))[1] == [7]


async def test_a_connection_has_what_a_link_takes(
    relay: LocalRooms, publish: Publish, watch: Watch
) -> None:
    publisher = await publish()
    dtls = publisher.transport
    assert dtls._rx_srtp._srtp[0]
    assert dtls._tx_srtp._srtp[0]
    ice = dtls.transport._connection
    assert ice._queue.qsize() == 0
    pair = ice._nominated[1]
    assert pair.protocol in ice._protocols
    assert pair.remote_addr[1] > 0
    assert pair in ice._check_list
    assert callable(pair.protocol.datagram_received)
    assert callable(dtls.transport.stop)
    copied = pair.protocol.transport.get_extra_info("socket").dup()
    assert copied.fileno() >= 0
    copied.close()


async def test_the_room_for_a_packet_is_the_transports_to_set() -> None:
    """asyncio would make 256 KiB of room for each."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _address: Any) -> None:
            came.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    inner: Any = transport
    inner.max_size = 16
    transport.sendto(bytes(100), transport.get_extra_info("sockname"))
    assert await asyncio.wait_for(came, PATIENCE_SECONDS) == bytes(16)
    transport.close()


async def test_a_transceiver_has_what_an_outlet_takes() -> None:
    connection = RTCPeerConnection(NO_SERVERS)
    transceiver = connection.addTransceiver("video", direction="sendonly")
    sender = transceiver.sender
    assert sender._ssrc != sender._rtx_ssrc
    sender._stream_id = "doctor"
    offer = await connection.createOffer()
    assert "a=msid:doctor " in offer.sdp
    assert callable(sender.send)
    assert callable(transceiver.receiver.receive)
    await connection.close()


async def test_all_sections_share_one_transport() -> None:
    """By default the last pictures of several would stay on a transport that is dead."""
    publisher = SyntheticPublisher("audio", "video", "video")
    link = Link(NO_SERVERS, sink=lambda _packet, _is_control, _now: None)
    transceivers = await link.take(await publisher.offer())
    assert len({id(each.receiver.transport) for each in transceivers}) == 1
    await link.close()
    await publisher.close()


@pytest.mark.parametrize("kinds", [("audio",), ("audio", "video")])
async def test_an_answer_can_be_finished(relay: LocalRooms, kinds: tuple[str, ...]) -> None:
    publisher = SyntheticPublisher(*kinds)
    rids = ("a", "b") if "video" in kinds else ()
    answer = await relay.publish("room", "doctor", await publisher.offer(rids=rids))
    assert ("a=simulcast:recv a;b" in answer) is ("video" in kinds)
    assert ("x-google-start-bitrate=800" in answer) is ("video" in kinds)
    assert "transport-cc" in answer
    await publisher.close()
