"""What a receiver report says of the pace, and how long a newcomer waits for a whole picture."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from telemed.media.relay.jitter import Jitter
from telemed.media.relay.outlets import FIRST_PATIENCE_SECONDS, PictureOutlet
from telemed.media.relay.packets import Media, read_vp8
from telemed.media.relay.tracks import Layer, Track
from tests.media.conftest import Publish, Watch
from tests.media.peers import PATIENCE_SECONDS, SyntheticPublisher, picture
from tests.media.test_layers import reports

CLOCK = 48_000
FRAME = 960
FRAME_SECONDS = 0.02


def heard(late: list[float], start: int = 0) -> Jitter:
    """Voice in 20 ms packets, each late by so many seconds."""
    jitter = Jitter(CLOCK)
    for number, seconds in enumerate(late):
        timestamp = (start + number * FRAME) & 0xFFFFFFFF
        jitter.note(timestamp, 100 + number * FRAME_SECONDS + seconds)
    return jitter


def test_an_even_pace_has_no_jitter_whatever_the_delay_and_across_the_turn_of_the_clock() -> None:
    assert heard([0.3] * 50, start=0xFFFFFFFF - 10 * FRAME).value <= 1


def test_every_other_packet_late_comes_near_to_that_lateness() -> None:
    ticks = heard([0.0, 0.01] * 200).value
    assert ticks == pytest.approx(0.01 * CLOCK, abs=2)


def test_one_late_packet_counts_a_sixteenth_and_fades() -> None:
    first = heard([0.0, 0.016]).value
    assert first == pytest.approx(0.016 * CLOCK / 16, abs=1)
    assert heard([0.0, 0.016] + [0.016] * 100).value < first / 10


def test_packets_of_one_picture_and_a_clock_that_jumps_are_no_jitter() -> None:
    jitter = Jitter(CLOCK)
    for timestamp, now in [(0, 1.0), (0, 1.2), (2_000_000_000, 1.02), (2_000_000_960, 1.04)]:
        jitter.note(timestamp, now)
    assert jitter.value == 0


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 1e6)), max_size=50))
def test_whatever_comes_the_value_fits_its_field(packets: list[tuple[int, float]]) -> None:
    jitter = Jitter(CLOCK)
    for timestamp, now in packets:
        jitter.note(timestamp, now)
    assert 0 <= jitter.value <= 0xFFFFFFFF


async def test_the_publisher_is_told_how_unevenly_its_packets_come(publish: Publish) -> None:
    publisher = await publish("doctor", "audio")
    # In one go: a second apart by their clock, and together by the relay's.
    for number in range(0, 250, 49):
        await publisher.send_voice(number, b"voice")
    await publisher.until(lambda: any(each.jitter for each in told(publisher)))
    assert max(each.jitter for each in told(publisher)) > FRAME


def told(publisher: SyntheticPublisher) -> list[rtp.RtcpReceiverInfo]:
    return [each for report in reports(publisher) for each in report.reports]


class Wire:
    """Keeps what is sent to the publisher; lets everything to the viewer go."""

    def __init__(self) -> None:
        self.asked = 0

    def send_control(self, _packet: bytes) -> None:
        self.asked += 1

    def agree(self, *_agreed: Any) -> None: ...

    def send(self, *_sent: Any) -> None: ...


class Waiting:
    """A viewer without a picture yet, of a publisher whose clock the test holds."""

    def __init__(self) -> None:
        wire: Any = Wire()
        self.wire = wire
        self.track = Track(wire, "video", "1", 7)
        self.layer = self.track.layers["l"] = Layer(self.track, 8, "l")
        self.outlet = PictureOutlet(wire, self.track)
        self.track.outlets.append(self.outlet)
        self.now = 1000.0

    def run(self, seconds: float, *, is_key: bool = False, is_sending: bool = True) -> int:
        """How often a key frame is asked for in that time."""
        before = self.wire.asked
        for _ in range(round(seconds / 0.05)):
            self.now += 0.05
            if is_sending:
                payload = picture(1, key=is_key)
                self.layer.heard_at = self.now
                media = Media(96, 1, 3000, 1, payload, read_vp8(payload))
                self.outlet.forward(self.layer, media)
            self.outlet.press(self.now)
        return int(self.wire.asked - before)


def test_a_key_frame_is_asked_for_again_until_one_passes() -> None:
    waiting = Waiting()
    waiting.outlet.pause()
    waiting.run(0.1)
    waiting.outlet.is_paused = False
    assert waiting.run(FIRST_PATIENCE_SECONDS + 0.1) == 1
    assert waiting.run(10) >= 4
    assert waiting.run(10, is_key=True) == 0


def test_nobody_is_asked_who_sends_no_picture_or_whose_picture_is_paused() -> None:
    waiting = Waiting()
    assert waiting.run(10, is_sending=False) <= 1
    waiting.outlet.pause()
    assert waiting.run(10) == 0


async def test_a_newcomer_asks_until_a_whole_picture_comes(publish: Publish, watch: Watch) -> None:
    publisher = await publish()
    await publisher.send_picture(0, picture(0))
    viewer = await watch()
    number = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while asked(publisher) < 3:
            number += 1
            await publisher.send_picture(number, picture(number))
            publisher.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(publisher.changed.wait(), 0.05)
    assert viewer.packets["video"] == []
    await publisher.send_picture(number + 1, picture(number + 1, key=True))
    assert len(await viewer.gets("video", 1)) == 1


def asked(publisher: SyntheticPublisher) -> int:
    return sum(isinstance(each, rtp.RtcpPsfbPacket) for each in publisher.control)
