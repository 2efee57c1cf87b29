"""A sender in virtual time: flashes and beeps, encoded, cut into RTP, spoilt on the way."""

from __future__ import annotations

import heapq
import math
import random
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any, Protocol

import av
from av.video.frame import PictureType

from telemed.media.recording.packets import Kind, Packet, SenderReport

FRAMES_PER_SECOND = 25
PACKET_SECONDS = 0.02
PACKET_UNITS = 960
PAYLOAD_BYTES = 400
MARK_EVERY_SECONDS = 1.0
MARK_SECONDS = 0.12
# The sender's clock has nothing to do with the recorder's.
NTP_OFFSET = 3_900_000_000.0
WHITE, GREY = 235, 60


class Sink(Protocol):
    """What a recording takes."""

    def push(self, packet: Packet) -> None: ...
    def report(self, report: SenderReport) -> None: ...


def is_marked(seconds: float) -> bool:
    return seconds % MARK_EVERY_SECONDS < MARK_SECONDS


class Camera:
    """VP8 frames, white while there is a mark; key frames only when asked for."""

    def __init__(self, size: tuple[int, int] = (160, 120)) -> None:
        self.wants_key = True
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        context = av.CodecContext.create("libvpx", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, FRAMES_PER_SECOND)
        context.bit_rate = 200_000
        context.gop_size = 100_000
        context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        self._context = context
        self._count = 0

    def encode(self, seconds: float) -> bytes:
        frame = av.VideoFrame(self._context.width, self._context.height, "yuv420p")
        luma = WHITE if is_marked(seconds) else GREY + int(seconds * 10) % 20
        for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = self._count
        frame.pict_type = PictureType.I if self.wants_key else PictureType.NONE
        self._count += 1
        self.wants_key = False
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class Microphone:
    """Opus packets, a tone while there is a mark; `None` where the encoder had nothing yet."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        context.sample_rate = 48_000
        context.layout = "stereo"
        context.format = "s16"
        context.options = {"application": "lowdelay", "frame_duration": "20"}
        self._context = context
        self._count = 0

    def encode(self, seconds: float) -> bytes:
        frame = av.AudioFrame(format="s16", layout="stereo", samples=PACKET_UNITS)
        frame.sample_rate = 48_000
        frame.pts = self._count
        frame.planes[0].update(tone() if is_marked(seconds) else bytes(PACKET_UNITS * 4))
        self._count += PACKET_UNITS
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


@cache
def tone() -> bytes:
    """20 ms of 1 kHz in both ears."""
    wave = (int(12_000 * math.sin(math.tau * at / 48)) for at in range(PACKET_UNITS))
    return array("h", (sample for value in wave for sample in (value, value))).tobytes()


def red(timestamps: list[int], packets: list[bytes]) -> bytes:
    """RFC 2198 around the newest packet and those before it."""
    newest = timestamps[-1]
    heads = (
        struct.pack("!I", 1 << 31 | 111 << 24 | (newest - at) << 10 | len(packet))
        for at, packet in zip(timestamps[:-1], packets[:-1], strict=True)
    )
    return b"".join(heads) + bytes([111]) + b"".join(packets)


@dataclass
class Link:
    """What happens to packets: delay, loss, what is sent again, hours without any."""

    seed: int = 1
    delay_seconds: float = 0.05
    jitter_seconds: float = 0.02
    video_is_later_seconds: float = 0.0
    loss: float = 0.0
    sent_again: float = 0.9
    outages: tuple[tuple[float, float], ...] = ()
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def arrival(self, now: float, *, is_video: bool) -> float | None:
        """When a packet sent now is there; None for never."""
        if any(start <= now < end for start, end in self.outages):
            return None
        delay = self.delay_seconds + self._random.random() * self.jitter_seconds
        delay += self.video_is_later_seconds if is_video else 0
        if self._random.random() >= self.loss:
            return now + delay
        if is_video and self._random.random() < self.sent_again:
            return now + delay + 0.2
        return None


@dataclass
class Sender:
    """Speaks and shows; `script` holds what it does when, in virtual seconds."""

    link: Link
    script: dict[float, Callable[[Sender], None]] = field(default_factory=dict)
    camera: Camera = field(default_factory=Camera)
    microphone: Microphone = field(default_factory=Microphone)
    has_camera: bool = True
    has_microphone: bool = True
    uses_red: bool = False
    epoch: int = 0
    # Both near their wrap.
    sequences: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 65_500))
    timestamps: dict[Kind, int] = field(
        default_factory=lambda: {Kind.VIDEO: 2**32 - 100_000, Kind.AUDIO: 2**32 - 50_000}
    )
    _spoken: list[tuple[int, bytes]] = field(default_factory=list)

    def packets(self, now: float, kind: Kind) -> Iterator[tuple[float, Packet]]:
        """What is sent at `now`, with the time it arrives."""
        rate = 90_000 if kind is Kind.VIDEO else 48_000
        timestamp = (self.timestamps[kind] + round(now * rate)) % 2**32
        parts = self._see(now) if kind is Kind.VIDEO else self._speak(now, timestamp)
        for at, part in enumerate(parts, 1):
            self.sequences[kind] = (self.sequences[kind] + 1) % 2**16
            packet = Packet(
                kind,
                ssrc=100 * self.epoch + kind,
                sequence=self.sequences[kind],
                timestamp=timestamp,
                is_marked=at == len(parts),
                is_red=kind is Kind.AUDIO and self.uses_red,
                payload=part,
                arrival=0.0,
            )
            arrival = self.link.arrival(now, is_video=kind is Kind.VIDEO)
            if arrival is not None:
                yield arrival, packet._replace(arrival=arrival)

    def report(self, now: float, kind: Kind) -> SenderReport:
        rate = 90_000 if kind is Kind.VIDEO else 48_000
        timestamp = (self.timestamps[kind] + round(now * rate)) % 2**32
        return SenderReport(kind, 100 * self.epoch + kind, now + NTP_OFFSET, timestamp)

    def reconnect(self) -> None:
        """A fresh connection: every number starts anew."""
        self.epoch += 1
        self.timestamps = dict.fromkeys(Kind, 1_000_000 * self.epoch)
        self.sequences = dict.fromkeys(Kind, 7)
        self.camera.wants_key = True

    def _see(self, now: float) -> list[bytes]:
        if not self.has_camera:
            return []
        data = self.camera.encode(now)
        cuts = range(0, len(data), PAYLOAD_BYTES)
        return [(b"\x00" if at else b"\x10") + data[at : at + PAYLOAD_BYTES] for at in cuts]

    def _speak(self, now: float, timestamp: int) -> list[bytes]:
        data = self.microphone.encode(now)
        if not (self.has_microphone and data):
            return []
        self._spoken = [*self._spoken, (timestamp, data)][-2:]
        if not self.uses_red:
            return [data]
        usable = [(at, packet) for at, packet in self._spoken if 0 <= timestamp - at < 2**14]
        return [red([at for at, _ in usable], [packet for _, packet in usable])]


def run(
    sender: Sender,
    sink: Sink,
    tick: Callable[[float], Any],
    *,
    seconds: float,
    start: float = 1000.0,
) -> float:
    """Play a call in virtual time; returns the recorder's time at its end."""
    due: list[tuple[float, int, Packet | SenderReport]] = []
    script = sorted(sender.script.items(), reverse=True)
    for step in range(round(seconds * 100)):
        now = step / 100
        while script and script[-1][0] <= now:
            script.pop()[1](sender)
        if step % 4 == 0:
            for arrival, packet in sender.packets(now, Kind.VIDEO):
                heapq.heappush(due, (start + arrival, len(due) + step * 1000, packet))
        if step % 2 == 0:
            for arrival, packet in sender.packets(now, Kind.AUDIO):
                heapq.heappush(due, (start + arrival, len(due) + step * 1000, packet))
        for kind, every, first in ((Kind.VIDEO, 100, 50), (Kind.AUDIO, 500, 220)):
            is_lost = sender.link.arrival(now, is_video=False) is None
            if step % every == first and not is_lost:
                heapq.heappush(
                    due, (start + now + 0.05, step * 1000 + 999, sender.report(now, kind))
                )
        deliver(due, sink, start + now)
        if step % 10 == 0:
            tick(start + now)
    return start + seconds


def deliver(due: list[tuple[float, int, Packet | SenderReport]], sink: Sink, until: float) -> None:
    while due and due[0][0] <= until:
        arrival, _, item = heapq.heappop(due)
        if isinstance(item, Packet):
            sink.push(item._replace(arrival=arrival))
        else:
            sink.report(item)
