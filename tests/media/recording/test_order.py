"""Numbers that wrap, packets out of order, redundancy: what comes out is what was sent."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.media.recording import opus, vp8
from telemed.media.recording.audio import PATIENCE_SECONDS as AUDIO_PATIENCE_SECONDS
from telemed.media.recording.audio import AudioAssembler
from telemed.media.recording.packets import Frame, Kind, Packet
from telemed.media.recording.timing import StreamClock, Unwrapper
from telemed.media.recording.video import PATIENCE_SECONDS, VideoAssembler
from tests.media.recording.sender import red

SEEDS = st.integers(0, 2**32 - 1)
DELTA = b"\x01delta"
# Out of order by no more than this many packets.
NEAR = 20


def shuffled(packets: list[Packet], seed: int) -> list[Packet]:
    """Every packet is late by a few places; the first stays."""
    order = random.Random(seed)
    places = [(at and at + order.random() * NEAR, packet) for at, packet in enumerate(packets)]
    return [packet for _, packet in sorted(places, key=lambda place: place[0])]


def picture(number: int, start: int, base: int) -> list[Packet]:
    """A frame in three packets; the first frame of all is a key frame."""
    data = vp8.BLACK if number == 0 else DELTA + number.to_bytes(4, "big")
    third = len(data) // 3
    parts = (data[:third], data[third : 2 * third], data[2 * third :])
    return [
        Packet(
            Kind.VIDEO,
            ssrc=1,
            sequence=(start + number * 3 + at) % 2**16,
            timestamp=(base + number * 3000) % 2**32,
            is_marked=at == 2,
            is_red=False,
            payload=(b"\x00" if at else b"\x10") + part,
            arrival=0.0,
        )
        for at, part in enumerate(parts)
    ]


def sound(number: int, base: int, payload: bytes | None = None) -> Packet:
    return Packet(
        Kind.AUDIO,
        ssrc=2,
        sequence=number % 2**16,
        timestamp=(base + number * 960) % 2**32,
        is_marked=False,
        is_red=payload is not None,
        payload=payload or voice(number),
        arrival=0.0,
    )


def voice(number: int) -> bytes:
    return b"\xfc" + number.to_bytes(2, "big")


@given(st.sampled_from([16, 32]), SEEDS, st.lists(st.integers(-30_000, 30_000), max_size=50))
def test_a_counter_is_followed_through_its_wrap(bits: int, first: int, steps: list[int]) -> None:
    counter = Unwrapper(bits)
    true = newest = first % 2**bits + 2**bits
    assert counter.unwrap(true % 2**bits) == true
    for step in steps:
        true = newest + step
        newest = max(newest, true)
        assert counter.unwrap(true % 2**bits) == true


@given(SEEDS, SEEDS, st.integers(0, 2**16 - 1))
def test_video_comes_out_in_order_whatever_its_numbers(seed: int, base: int, start: int) -> None:
    sent = [packet for number in range(40) for packet in picture(number, start, base)]
    assembler = VideoAssembler()
    frames: list[Frame] = []
    for packet in shuffled(sent, seed):
        assembler.push(packet)
        frames += assembler.take(0.0)
    assert [frame.data for frame in frames[1:]] == [
        DELTA + number.to_bytes(4, "big") for number in range(1, 40)
    ]
    assert frames[0] == (frames[0].timestamp, True, vp8.BLACK)
    assert {b.timestamp - a.timestamp for a, b in pairwise(frames)} == {3000}


@given(SEEDS, SEEDS, st.sets(st.integers(1, 99)))
def test_redundancy_replaces_what_was_lost(seed: int, base: int, lost: set[int]) -> None:
    sent = [
        sound(
            number,
            base,
            red([(number - 1) * 960, number * 960], [voice(number - 1), voice(number)]),
        )
        for number in range(1, 101)
    ]
    arrived = [packet for number, packet in enumerate(sent) if number not in lost]
    assembler = AudioAssembler()
    heard: list[Frame] = []
    for packet in shuffled(arrived, seed):
        assembler.push(packet)
        heard += assembler.take(0.0)
    heard += assembler.take(0.0, is_last=True)
    gone = {number + 1 for number in lost if number + 1 in lost or number == 99}
    expected = [voice(number) for number in range(101) if number not in gone]
    assert [frame.data for frame in heard] == expected


def test_a_hole_in_sound_is_waited_for_and_then_passed_over() -> None:
    assembler = AudioAssembler()
    for number in (0, 1, 4):
        assembler.push(sound(number, base=0))
    assert len(list(assembler.take(0.0))) == 2
    assert list(assembler.take(AUDIO_PATIENCE_SECONDS)) == []
    (after,) = assembler.take(AUDIO_PATIENCE_SECONDS + 0.1)
    assert after.data == voice(4)


def test_after_a_loss_there_is_no_picture_until_a_key_frame() -> None:
    assembler = VideoAssembler()
    frames = [picture(number, start=0, base=0) for number in range(6)]
    again = [packet._replace(sequence=18 + at) for at, packet in enumerate(picture(0, 0, 18_000))]
    for packet in [*frames[0], *frames[1], *frames[2][1:], *frames[3], *frames[4], *frames[5]]:
        assembler.push(packet)
    assert len(list(assembler.take(0.0))) == 2
    assert list(assembler.take(PATIENCE_SECONDS + 0.1)) == []
    assert assembler.needs_key
    for packet in again:
        assembler.push(packet)
    (back,) = assembler.take(PATIENCE_SECONDS + 0.2)
    assert back.is_key


def test_a_packet_sent_again_in_time_loses_nothing() -> None:
    assembler = VideoAssembler()
    frames = [picture(number, start=0, base=0) for number in range(3)]
    for packet in [*frames[0], *frames[1][1:], *frames[2]]:
        assembler.push(packet)
    assert len(list(assembler.take(0.0))) == 1
    assembler.push(frames[1][0])
    assert len(list(assembler.take(PATIENCE_SECONDS))) == 2


@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_garbage_neither_breaks_nor_comes_out(
    payload: bytes, is_red: bool, is_marked: bool
) -> None:
    video, audio = VideoAssembler(), AudioAssembler()
    packet = Packet(Kind.VIDEO, 1, 0, 0, is_marked, is_red, payload, 0.0)
    video.push(packet)
    audio.push(packet._replace(kind=Kind.AUDIO))
    assert all(vp8.is_key_frame(frame.data) for frame in video.take(0.0, is_last=True))
    assert all(opus.duration_of(frame.data) for frame in audio.take(0.0, is_last=True))


@pytest.mark.parametrize(
    ("packet", "units"),
    [
        (b"\xfc\xff\xfe", 960),
        (b"\x08", 960),
        (b"\x18", 2880),
        (b"\x60", 480),
        (b"\xe0", 120),
        (b"\xfb\x03", 2880),
        (b"\xfb", 0),
        (b"\xfb\x3f", 0),
    ],
)
def test_an_opus_packet_says_how_long_it_plays(packet: bytes, units: int) -> None:
    assert opus.duration_of(packet) == units


def test_reports_place_a_stream_and_small_errors_are_taken_in_small_steps() -> None:
    clock = StreamClock(48_000)
    clock.note_arrival(48_000, 101.05)
    clock.note_arrival(96_000, 102.02)
    assert clock.seconds_at(48_000, None) == pytest.approx(101.02)
    clock.note_report(48_000, 5000.0)
    anchor = clock.own_anchor
    assert anchor == pytest.approx(101.02 - 5000.0)
    clock.note_report(96_000, 5001.2)
    assert clock.seconds_at(96_000, anchor) == pytest.approx(102.02 + 0.005)
    clock.note_report(96_000, 6000.0)
    assert clock.seconds_at(96_000, anchor) == pytest.approx(101.02 + 1000)
