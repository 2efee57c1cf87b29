"""Light participants of a full room: pictures encoded beforehand are sent, what comes is counted.

Nobody decodes, so that many fit on one machine; what they send and report is as a browser does it:
two layers of 1000 and 150 kbit/s in packets 5 ms apart, voice each 20 ms, sender reports, whole
pictures when asked, and each second a receiver report and an estimate.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import av
from aiortc import rtp

from bench.speech_media import write_picture
from telemed.media.relay import dialect
from tests.media.peers import PICTURE_TICKS, VOICE_TICKS, SyntheticPublisher, SyntheticViewer

FRAMES_PER_SECOND: Final = 30
FILM_FRAMES: Final = 300
LAYERS: Final = {"s": (320, 240, 150_000), "l": (640, 480, 1_000_000)}
PAYLOAD_BYTES: Final = 1100
PACKET_SECONDS: Final = 0.005
VOICE_SECONDS: Final = 0.02
# 32 kbit/s, as a browser sends it unasked.
VOICE: Final = bytes(range(80))
REPORT_SECONDS: Final = 1.0
ESTIMATE: Final = 20_000_000
MEDIA: Final = range(128, 192)
CONTROL: Final = range(192, 224)
Film = list[bytes]


def films() -> dict[str, Film]:
    """Encoded pictures of each layer; the first is whole."""
    with tempfile.TemporaryDirectory() as folder:
        write_picture(Path(folder, "picture.y4m"))
        with av.open(str(Path(folder, "picture.y4m"))) as source:
            frames = list(source.decode(video=0))
    return {rid: list(_encode(frames, *layer)) for rid, layer in LAYERS.items()}


def _encode(frames: Sequence[av.VideoFrame], width: int, height: int, rate: int) -> Iterator[bytes]:
    context = av.CodecContext.create("libvpx", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, FRAMES_PER_SECOND)
    context.bit_rate = rate
    context.gop_size = 100_000
    steady = {"minrate": str(rate), "maxrate": str(rate), "bufsize": str(rate // 2), "qmax": "63"}
    context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", **steady}
    for number, frame in enumerate(islice(cycle(frames), FILM_FRAMES)):
        # Without the grain, which no encoder fits into these rates so fast.
        scaled = frame.reformat(width // 16, height // 16).reformat(width, height, "yuv420p")
        scaled.pts, scaled.time_base = number, context.time_base
        yield b"".join(bytes(packet) for packet in context.encode(scaled))


@dataclass
class Layer:
    """Where one layer of a sender is."""

    rid: str
    film: Film
    ssrc: int
    number: int = 0
    frame: int = 0
    packets: int = 0
    wants_key: bool = False


class Sender(SyntheticPublisher):
    """A participant who is heard and, with films, seen."""

    def __init__(self, films: dict[str, Film]) -> None:
        super().__init__(*(("audio", "video") if films else ("audio",)))
        self._films = films
        self._transport_number = 0

    async def run(self) -> None:
        """Send until the task is ended."""
        layers = [
            Layer(rid, film, self.ssrcs["video"] + place + 1)
            for place, (rid, film) in enumerate(self._films.items())
        ]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._speak())
            for layer in layers:
                tasks.create_task(self._show(layer))

    async def _speak(self) -> None:
        number = 0
        began = time.monotonic()
        while True:
            number += 1
            await asyncio.sleep(began + number * VOICE_SECONDS - time.monotonic())
            await self.send_voice(number & 0xFFFF, VOICE)
            if number % round(REPORT_SECONDS / VOICE_SECONDS) == 0:
                await self._report(self.ssrcs["audio"], number * VOICE_TICKS, number)

    async def _show(self, layer: Layer) -> None:
        count = 0
        began = time.monotonic()
        while True:
            count += 1
            await asyncio.sleep(began + count / FRAMES_PER_SECOND - time.monotonic())
            if self._is_asked(layer):
                layer.frame = 0
            picture = layer.film[layer.frame % len(layer.film)]
            layer.frame += 1
            await self._send_frame(layer, count, picture)
            if count % round(REPORT_SECONDS * FRAMES_PER_SECOND) == 0:
                await self._report(layer.ssrc, count * PICTURE_TICKS, layer.packets)

    def _is_asked(self, layer: Layer) -> bool:
        asked = [
            each
            for each in self.control
            if isinstance(each, rtp.RtcpPsfbPacket) and each.media_ssrc == layer.ssrc
        ]
        for each in asked:
            self.control.remove(each)
        del self.raw_control[:]
        return bool(asked)

    async def _send_frame(self, layer: Layer, count: int, picture: bytes) -> None:
        temporal = (count & 1) << 6
        pieces = range(0, len(picture), PAYLOAD_BYTES)
        for at in pieces:
            start, marker = 0x10 if at == 0 else 0, int(at == pieces[-1])
            descriptor = struct.pack(
                "!BBHBB", 0x80 | start, 0xE0, 0x8000 | count & 0x7FFF, count // 2 & 0xFF, temporal
            )
            if at:
                await asyncio.sleep(PACKET_SECONDS)
            self._transport_number = (self._transport_number + 1) & 0xFFFF
            layer.number = (layer.number + 1) & 0xFFFF
            layer.packets += 1
            head = struct.pack(
                "!BBHLL",
                0x90,
                marker << 7 | self.kinds[dialect.VP8],
                layer.number,
                count * PICTURE_TICKS & 0xFFFFFFFF,
                layer.ssrc,
            )
            piece = picture[at : at + PAYLOAD_BYTES]
            await self.send(head + self._extension(layer) + descriptor + piece)

    def _extension(self, layer: Layer) -> bytes:
        block = bytes([self.extensions[dialect.TRANSPORT_NUMBER] << 4 | 1])
        block += struct.pack("!H", self._transport_number)
        for uri, name in ((dialect.MID, self.mids["video"]), (dialect.RID, layer.rid)):
            block += bytes([self.extensions[uri] << 4 | len(name) - 1]) + name.encode()
        block += bytes(-len(block) % 4)
        return struct.pack("!HH", 0xBEDE, len(block) // 4) + block

    async def _report(self, ssrc: int, timestamp: int, packets: int) -> None:
        info = rtp.RtcpSenderInfo(
            ntp_timestamp=int((time.time() + 2_208_988_800) * 2**32),
            rtp_timestamp=timestamp & 0xFFFFFFFF,
            packet_count=packets,
            octet_count=0,
        )
        await self.send(bytes(rtp.RtcpSrPacket(ssrc=ssrc, sender_info=info)))


@dataclass
class Stream:
    """What came of one voice or picture."""

    is_video: bool
    packets: int = 0
    frames: int = 0
    octets: int = 0
    first: int = -1
    highest: int = 0

    def note(self, data: bytes) -> None:
        """One packet, which need not be opened for that."""
        number = data[2] << 8 | data[3]
        if self.first < 0:
            self.first = self.highest = number
        ahead = ((number - self.highest + 0x8000) & 0xFFFF) - 0x8000
        self.highest += max(0, ahead)
        self.packets += 1
        self.frames += data[1] >> 7
        self.octets += len(data)

    @property
    def expected(self) -> int:
        """Packets that were sent, as their numbers tell."""
        return self.highest - self.first + 1 if self.first >= 0 else 0


class Counter(SyntheticViewer):
    """A participant who watches: counts, and reports what a browser reports."""

    def __init__(self, voices: int, pictures: int) -> None:
        super().__init__(*["audio"] * voices, *["video"] * pictures)
        self.streams: dict[int, Stream] = {}

    def _receiver(self, kind: str) -> Any:
        async def receive(parameters: Any) -> None:
            for encoding in parameters.encodings:
                self.streams[encoding.ssrc] = Stream(kind == "video")
            self.opened(kind)

        return receive

    def count(self) -> None:
        """From now on, media are counted where they come in."""
        connection = self.transport.transport._connection  # noqa: SLF001 - held by the contract test
        for protocol in connection._protocols:  # noqa: SLF001 - held by the contract test
            protocol.datagram_received = self._counted(protocol.datagram_received)

    def _counted(self, pass_on: Any) -> Any:
        def receive(data: bytes, address: Any) -> None:
            if data[0] not in MEDIA:
                pass_on(data, address)
            elif data[1] not in CONTROL:
                stream = self.streams.get(int.from_bytes(data[8:12], "big"))
                if stream:
                    stream.note(data)

        return receive

    async def run(self) -> None:
        """Report until the task is ended."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            reports = [
                rtp.RtcpReceiverInfo(
                    ssrc=ssrc,
                    fraction_lost=0,
                    packets_lost=0,
                    highest_sequence=stream.highest & 0xFFFFFFFF,
                    jitter=0,
                    lsr=0,
                    dlsr=0,
                )
                for ssrc, stream in self.streams.items()
            ]
            await self.send(bytes(rtp.RtcpRrPacket(ssrc=1, reports=reports)))
            fci = rtp.pack_remb_fci(ESTIMATE, list(self.streams)[:1])
            await self.send(bytes(rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=fci)))
