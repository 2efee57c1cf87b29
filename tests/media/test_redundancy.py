"""Who gets voice twice, and in which form; what is lost on one leg is no loss on the next."""

from __future__ import annotations

import asyncio

from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from telemed.media.relay import dialect
from telemed.media.relay.redundancy import (
    HOLD_SECONDS,
    LENGTH_LIMIT,
    OFFSET_LIMIT,
    RETREAT_SECONDS,
    Protection,
    Voice,
    pack,
    unpack,
)
from tests.media.conftest import Publish, Watch
from tests.media.peers import PATIENCE_SECONDS, VOICE_TICKS, SyntheticViewer

OPUS = 111
ROOM = 400_000.0
ONCE = 40_000.0
voices = st.binary(min_size=1, max_size=1300)


@given(voices, voices, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_what_is_packed_is_unpacked_within_the_fields_of_the_standard(
    voice: bytes, before: bytes, timestamp: int, earlier: int
) -> None:
    unpacked = unpack(pack(voice, timestamp, (earlier, before), OPUS))
    age = (timestamp - earlier) % 2**32
    fits = 0 < age < OFFSET_LIMIT and len(before) < LENGTH_LIMIT
    assert unpacked == Voice(voice, ((age, before),) if fits else ())


def test_the_limits_are_those_of_fourteen_and_ten_bits() -> None:
    def older(age: int, length: int) -> tuple[tuple[int, bytes], ...]:
        unpacked = unpack(pack(b"new", age, (0, bytes(length)), OPUS))
        assert unpacked
        return unpacked.older

    assert older(2**14 - 1, 2**10 - 1) == ((2**14 - 1, bytes(2**10 - 1)),)
    assert older(2**14, 10) == ()
    assert older(960, 2**10) == ()
    assert older(0, 10) == ()


def test_the_header_is_the_one_of_the_standard() -> None:
    packed = pack(b"new", 960, (0, b"old"), OPUS)
    assert packed == bytes([0x80 | OPUS, 960 >> 6, (960 & 63) << 2, 3, OPUS]) + b"oldnew"
    assert pack(b"new", 960, None, OPUS) == bytes([OPUS]) + b"new"


@given(st.binary(max_size=60))
def test_garbage_is_no_voice(payload: bytes) -> None:
    unpacked = unpack(payload)
    assert unpacked is None or unpacked.newest


class Link:
    """A viewer's link: reports once a second."""

    def __init__(self) -> None:
        self.protection = Protection()
        self.now = 500.0

    def run(self, seconds: int, lost: float, estimate: float = ROOM) -> bool:
        for _ in range(seconds):
            self.now += 1
            self.protection.hear(self.now, lost)
            self.protection.judge(self.now, estimate, ONCE)
        return self.protection.is_on


def test_a_link_without_loss_gets_each_voice_once() -> None:
    assert not Link().run(60, 0.0)


def test_a_link_with_loss_gets_it_twice_until_it_has_been_well_for_long() -> None:
    link = Link()
    assert link.run(4, 0.1)
    assert link.run(60, 0.1)
    assert link.run(int(HOLD_SECONDS) - 1, 0.0)
    assert not link.run(10, 0.0)


def test_one_lost_packet_is_no_reason() -> None:
    link = Link()
    assert not link.run(1, 0.02)
    assert not link.run(5, 0.0)


def test_without_room_voice_goes_once_also_when_the_room_ends() -> None:
    link = Link()
    assert not link.run(10, 0.1, estimate=ONCE * 1.5)
    assert link.run(10, 0.1, estimate=ONCE * 4)
    assert not link.run(1, 0.1, estimate=ONCE * 1.5)


def test_what_makes_the_loss_worse_is_taken_back_and_tried_again_later() -> None:
    link = Link()
    assert link.run(3, 0.1, estimate=0)
    assert not link.run(3, 0.6, estimate=0)
    assert not link.run(int(RETREAT_SECONDS) - 10, 0.1, estimate=0)
    assert link.run(20, 0.1, estimate=0)


async def loses(viewer: SyntheticViewer, share: float) -> None:
    """The viewer reports a loss of its voice."""
    info = rtp.RtcpReceiverInfo(
        ssrc=viewer.ssrc("audio"),
        fraction_lost=int(share * 256),
        packets_lost=9,
        highest_sequence=9,
        jitter=0,
        lsr=0,
        dlsr=0,
    )
    await viewer.send(bytes(rtp.RtcpRrPacket(ssrc=1, reports=[info])))


async def test_only_the_viewer_who_loses_packets_gets_each_voice_twice(
    publish: Publish, watch: Watch
) -> None:
    publisher = await publish()
    weak, well = await watch("weak"), await watch("well")
    await loses(weak, 0.2)
    number, codecs = 0, {dialect.OPUS}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while dialect.RED not in codecs:
            number += 1
            await publisher.send_voice(number, b"voice %d" % number)
            await well.gets("audio", number)
            codecs = {weak.codecs[each.payload_type] for each in await weak.gets("audio", number)}
    last = weak.packets["audio"][-1].payload
    assert last.endswith(b"voice %dvoice %d" % (number - 1, number))
    assert unpack(last) == Voice(b"voice %d" % number, ((VOICE_TICKS, b"voice %d" % (number - 1)),))
    plain = {(well.codecs[each.payload_type], each.payload) for each in well.packets["audio"]}
    assert plain == {(dialect.OPUS, b"voice %d" % each) for each in range(1, number + 1)}


async def test_what_was_lost_on_the_way_to_the_relay_is_whole_for_every_viewer(
    publish: Publish, watch: Watch
) -> None:
    publisher, viewer = await publish(), await watch()
    opus = publisher.kinds[dialect.OPUS]
    for number in (1, 2, 4, 3, 5):
        before = ((number - 1) * VOICE_TICKS, b"voice %d" % (number - 1))
        red = pack(b"voice %d" % number, number * VOICE_TICKS, before, opus)
        await publisher.send_voice(number, red, dialect.RED)
    heard = await viewer.gets("audio", 6)
    assert [each.payload for each in heard] == [b"voice %d" % number for number in range(6)]
    assert [each.timestamp // VOICE_TICKS for each in heard] == list(range(6))
    first = heard[0].sequence_number
    assert [(each.sequence_number - first) & 0xFFFF for each in heard] == list(range(6))
