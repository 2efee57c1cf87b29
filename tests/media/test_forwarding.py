"""What comes in goes out, in each viewer's own numbers."""

from __future__ import annotations

import pytest
from aiortc import rtp

from telemed.media.relay import dialect, outlets, tracks
from telemed.media.relay.local import LocalRooms
from telemed.media.rooms import Picture, Redundancy, Wish
from tests.media.conftest import ROOM, Publish, Watch
from tests.media.peers import SyntheticPublisher, SyntheticViewer, picture


def numbers(packets: list[rtp.RtpPacket]) -> list[int]:
    """How far each sequence number is from the first."""
    return [(packet.sequence_number - packets[0].sequence_number) & 0xFFFF for packet in packets]


def asked_for_key_frame(publisher: SyntheticPublisher) -> bool:
    return any(isinstance(each, rtp.RtcpPsfbPacket) for each in publisher.control)


def is_feedback(packet: bytes) -> bool:
    """Whether this is the transport-wide kind."""
    return (packet[0] & 31, packet[1]) == (15, 205)


async def show(publisher: SyntheticPublisher, viewer: SyntheticViewer) -> None:
    """A first whole picture, seen by the viewer."""
    await publisher.send_picture(10, picture(100, key=True))
    await viewer.gets("video", 1)


async def test_voice_and_picture_pass_under_the_viewers_own_numbers(
    publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    await show(publisher, viewer)
    await publisher.send_voice(5, b"voice")
    voice, shown = (await viewer.gets("audio", 1))[0], viewer.packets["video"][0]
    assert (voice.payload, shown.payload) == (b"voice", picture(100, key=True))
    assert [voice.ssrc, shown.ssrc] == [viewer.ssrc("audio"), viewer.ssrc("video")]
    assert shown.ssrc not in publisher.ssrcs.values()
    assert shown.extensions.mid == viewer.parameters["video"].muxId
    assert shown.extensions.abs_send_time is not None
    assert shown.marker == 1


async def test_a_newcomer_is_asked_a_key_frame_for_before_anything_else_is_sent(
    publish: Publish, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asking again by the clock would hide that nobody asked at once.
    monkeypatch.setattr(outlets, "FIRST_PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(tracks, "KEY_FRAME_PAUSE_SECONDS", 0.0)
    publisher, first = await publish(), await watch("trainee")
    await show(publisher, first)
    await everything_is_heard(publisher, after=10)
    publisher.control.clear()
    newcomer = await watch("newcomer")
    await publisher.until(lambda: asked_for_key_frame(publisher))
    # One picture was already on its way: the newcomer has a picture within two of them, 66 ms.
    await publisher.send_picture(12, picture(102))
    await publisher.send_picture(13, picture(103, key=True))
    await newcomer.gets("video", 1)
    assert [packet.payload for packet in newcomer.packets["video"]] == [picture(103, key=True)]
    assert numbers(await first.gets("video", 4)) == [0, 1, 2, 3]


async def everything_is_heard(publisher: SyntheticPublisher, *, after: int) -> None:
    """One more picture, whose arrival the relay has told of: what it sent before is here as well."""
    await publisher.send_picture(after + 1, picture(after + 91), transport=700)
    await publisher.until(lambda: 700 in map(_first_told_of, publisher.raw_control))


def _first_told_of(packet: bytes) -> int | None:
    return int.from_bytes(packet[12:14], "big") if is_feedback(packet) else None


async def test_a_picture_begins_with_a_key_frame(publish: Publish, watch: Watch) -> None:
    publisher, viewer = await publish(), await watch()
    await publisher.send_picture(1, picture(1))
    await show(publisher, viewer)
    assert [packet.payload for packet in viewer.packets["video"]] == [picture(100, key=True)]


async def test_what_a_viewer_misses_is_repeated_from_the_history(
    publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    await show(publisher, viewer)
    lost = viewer.packets["video"][0].sequence_number
    nack = rtp.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=viewer.ssrc("video"), lost=[lost])
    await viewer.send(bytes(nack))
    repeated = (await viewer.gets("rtx", 1))[0]
    assert repeated.payload == lost.to_bytes(2, "big") + picture(100, key=True)


async def test_what_the_relay_misses_is_asked_for_again(publish: Publish, watch: Watch) -> None:
    publisher, viewer = await publish(), await watch()
    await show(publisher, viewer)
    await publisher.send_picture(13, picture(103))
    await publisher.until(lambda: any(_lost(each) == [11, 12] for each in publisher.control))
    # Late, but in its place.
    await publisher.send_picture(12, picture(102))
    await publisher.send_picture(11, picture(101))
    assert numbers(await viewer.gets("video", 4)) == [0, 3, 2, 1]


def _lost(packet: object) -> list[int]:
    return packet.lost if isinstance(packet, rtp.RtcpRtpfbPacket) and packet.fmt == 1 else []


async def test_the_publisher_hears_when_each_packet_came(publish: Publish) -> None:
    publisher = await publish()
    for number in range(3):
        await publisher.send_picture(number, picture(number), transport=500 + number)
    await publisher.until(lambda: any(map(is_feedback, publisher.raw_control)))
    report = next(filter(is_feedback, publisher.raw_control))
    assert int.from_bytes(report[12:14], "big") == 500


async def test_a_sender_report_passes_in_the_streams_own_numbers(
    publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    await show(publisher, viewer)
    info = rtp.RtcpSenderInfo(
        ntp_timestamp=7 << 32, rtp_timestamp=10 * 3000, packet_count=9, octet_count=9
    )
    ssrc = publisher.ssrcs["video"]
    await publisher.send(bytes(rtp.RtcpSrPacket(ssrc=ssrc, sender_info=info)))
    await viewer.until(lambda: viewer.control)
    report = viewer.control[0]
    assert report.ssrc == viewer.ssrc("video")
    assert report.sender_info.ntp_timestamp == 7 << 32
    assert report.sender_info.rtp_timestamp == viewer.packets["video"][0].timestamp
    assert report.sender_info.packet_count == 1


async def test_a_paused_picture_leaves_the_voice_alone(
    relay: LocalRooms, publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    await show(publisher, viewer)
    await relay.set_wish(ROOM, "trainee", "doctor", Wish(Picture.NONE))
    await publisher.send_picture(11, picture(101))
    await publisher.send_voice(1, b"voice")
    await viewer.gets("audio", 1)
    assert len(viewer.packets["video"]) == 1
    await relay.set_wish(ROOM, "trainee", "doctor", Wish(Picture.LARGE))
    await publisher.send_picture(12, picture(102))
    await publisher.send_picture(13, picture(103, key=True))
    assert numbers(await viewer.gets("video", 2)) == [0, 1]


async def test_redundant_voice_is_passed_stripped_or_made(
    relay: LocalRooms, publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    opus = publisher.kinds[dialect.OPUS]
    red = bytes([0x80 | opus, 0, 0, 3, opus]) + b"oldnew"
    codecs = []
    for number, (redundancy, codec, payload) in enumerate(
        [
            (Redundancy.PASS, dialect.RED, red),
            (Redundancy.STRIP, dialect.RED, red),
            (Redundancy.MAKE, dialect.OPUS, b"first"),
            (Redundancy.MAKE, dialect.OPUS, b"second"),
        ]
    ):
        await relay.set_wish(ROOM, "trainee", "doctor", Wish(redundancy=redundancy))
        await publisher.send_voice(number, payload, codec)
        codecs.append(viewer.codecs[(await viewer.gets("audio", number + 1))[-1].payload_type])
    payloads = [packet.payload for packet in viewer.packets["audio"]]
    assert codecs == [dialect.RED, dialect.OPUS, dialect.RED, dialect.RED]
    assert payloads[:2] == [red, b"new"]
    assert payloads[2].endswith(b"newfirst")
    assert payloads[3].endswith(b"firstsecond")


async def test_one_who_comes_again_replaces_oneself(
    relay: LocalRooms, publish: Publish, watch: Watch
) -> None:
    await publish()
    await publish()
    await watch()
    await watch()
    stats = await relay.get_stats(ROOM)
    assert [peer.name for peer in stats.publishers] == ["doctor"]
    assert [peer.name for peer in stats.viewers] == ["trainee"]
    await relay.leave(ROOM, "doctor")
    assert (await relay.get_stats(ROOM)).publishers == ()
