"""Recording a minute of a call: processor time of ours against aiortc's MediaRecorder.

    python -m bench.recording [seconds]

The same RTP packets (VP8 640x480 at 25 frames/s, about 700 kbit/s, and Opus) go through both, each
in processes of its own, as fast as they can: depacketised, and by aiortc also decoded and encoded.
The figures are user plus system time of everything that took part, and of the parts.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.contrib.media import MediaRecorder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from telemed.media.recording import vp8
from telemed.media.recording.packets import RATES, Kind, Packet, SenderReport
from telemed.media.recording.supervisor import RecorderProcess
from tests.media.recording.sender import NTP_OFFSET, Microphone

GOAL: Final = 1 / 20
ROUNDS: Final = 2
FRAMES_PER_SECOND: Final = 25
SIZE: Final = (640, 480)
PAYLOAD_BYTES: Final = 1100


def film(seconds: int) -> list[bytes]:
    """VP8 frames of moving noise, as much as a camera's."""
    camera: Any = av.CodecContext.create("libvpx", "w")
    camera.width, camera.height = SIZE
    camera.pix_fmt = "yuv420p"
    camera.time_base = Fraction(1, FRAMES_PER_SECOND)
    camera.bit_rate = 700_000
    camera.gop_size = FRAMES_PER_SECOND * 10
    camera.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    noise = random.Random(1).randbytes(SIZE[0] * SIZE[1] * 2)
    pictures = []
    for number in range(seconds * FRAMES_PER_SECOND):
        frame = av.VideoFrame(*SIZE, "yuv420p")
        for plane in frame.planes:
            at = number * 16 % SIZE[0]
            soft = bytes(value >> 3 for value in noise[at : at + 4096])
            plane.update((soft * (plane.buffer_size // 4096 + 1))[: plane.buffer_size])
        frame.pts = number
        pictures.append(b"".join(bytes(packet) for packet in camera.encode(frame)))
    return pictures


def rtp(seconds: int) -> list[Packet | SenderReport]:
    """The call as packets in order of time; `arrival` counts from its beginning."""
    microphone = Microphone()
    items: list[tuple[float, Packet | SenderReport]] = []
    sequence = 0
    for number, picture in enumerate(film(seconds)):
        at = number / FRAMES_PER_SECOND
        timestamp = number * RATES[Kind.VIDEO] // FRAMES_PER_SECOND
        for start in range(0, len(picture), PAYLOAD_BYTES):
            part = picture[start : start + PAYLOAD_BYTES]
            is_last = start + PAYLOAD_BYTES >= len(picture)
            payload = (b"\x00" if start else b"\x10") + part
            packet = Packet(Kind.VIDEO, 1, sequence % 2**16, timestamp, is_last, False, payload, at)
            items.append((at, packet))
            sequence += 1
    for number in range(seconds * 50):
        at, timestamp = number / 50, number * 960
        packet = Packet(
            Kind.AUDIO, 2, number % 2**16, timestamp, False, False, microphone.encode(at), at
        )
        items.append((at, packet))
    for second in range(seconds):
        for kind, rate in RATES.items():
            report = SenderReport(kind, kind, second + NTP_OFFSET, second * rate)
            items.append((second + 0.001, report))
    return [item for _, item in sorted(items, key=lambda timed: timed[0])]


def cpu_seconds() -> float:
    """Of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


async def record_ours(items: list[Packet | SenderReport], directory: Path) -> dict[str, Any]:
    """Through the process, in real time: its wake-ups count as well."""
    before = cpu_seconds()
    recorder = await RecorderProcess.start(directory, "bench", lambda _: None)
    recorder.add("person")
    start = time.monotonic()
    for item in items:
        if isinstance(item, Packet):
            ahead = item.arrival - (time.monotonic() - start)
            if ahead > 0.02:
                await asyncio.sleep(ahead)
            recorder.push("person", item._replace(arrival=start + item.arrival))
        else:
            recorder.report("person", item)
    outcome = await recorder.finish()
    return {
        "cpu": cpu_seconds() - before,
        "recorder": _children(),
        "path": str(outcome.files[0].path),
        "dropped": recorder.dropped,
    }


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Decoded(MediaStreamTrack):
    """What aiortc hands to a recorder: decoded frames of the packets."""

    def __init__(self, kind: Kind, frames: list[tuple[int, bytes]]) -> None:
        super().__init__()
        self.kind = "video" if kind is Kind.VIDEO else "audio"
        self._decoder = Vp8Decoder() if kind is Kind.VIDEO else OpusDecoder()
        self._frames = iter(frames)

    async def recv(self) -> Any:
        """The next frame; as fast as it is asked for."""
        timestamp, data = next(self._frames, (0, b""))
        if not data:
            self.stop()
            raise MediaStreamError
        await asyncio.sleep(0)
        (frame,) = self._decoder.decode(JitterFrame(data=data, timestamp=timestamp))
        return frame


async def record_aiortc(items: list[Packet | SenderReport], directory: Path) -> dict[str, Any]:
    """Decoded by aiortc's decoders and encoded by its recorder into WebM."""
    before = cpu_seconds()
    path = directory / "bench.webm"
    recorder = MediaRecorder(str(path), options={"cluster_time_limit": "1000"})
    tracks = [Decoded(kind, _whole(items, kind)) for kind in Kind]
    ended = [asyncio.Event() for _ in tracks]
    for track, event in zip(tracks, ended, strict=True):
        track.on("ended", event.set)
        recorder.addTrack(track)
    await recorder.start()
    await asyncio.gather(*(event.wait() for event in ended))
    await recorder.stop()
    return {"cpu": cpu_seconds() - before, "path": str(path)}


def _whole(items: list[Packet | SenderReport], kind: Kind) -> list[tuple[int, bytes]]:
    frames, parts = [], []
    for item in items:
        if isinstance(item, Packet) and item.kind is kind:
            part = vp8.read_part(item.payload) if kind is Kind.VIDEO else None
            parts.append(part.data if part else item.payload)
            if item.is_marked or kind is Kind.AUDIO:
                frames.append((item.timestamp, b"".join(parts)))
                parts = []
    return frames


def _play_seconds(path: str) -> float:
    with av.open(path) as container:
        times = [packet.pts * packet.time_base for packet in container.demux() if packet.pts]
    return float(max(times))


def run_one(name: str, seconds: int) -> None:
    """One recorder in this process; figures to standard output."""
    items = rtp(seconds)
    record = {"ours": record_ours, "aiortc": record_aiortc}[name]
    with tempfile.TemporaryDirectory() as directory:
        figures = asyncio.run(record(items, Path(directory)))
        path = figures.pop("path")
        figures |= {"size": Path(path).stat().st_size, "played": _play_seconds(path)}
    print(json.dumps(figures))


def measure(name: str, seconds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.recording", name, str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(seconds: int) -> int:
    """Turn about, the least of each: what else the machine does only adds."""
    rounds = [{name: measure(name, seconds) for name in ("ours", "aiortc")} for _ in range(ROUNDS)]
    best = {name: min((r[name] for r in rounds), key=lambda f: f["cpu"]) for name in rounds[0]}
    minute = 60 / seconds
    print(f"\n{'recorder':<28}{'CPU s/min':>10}{'of a core':>11}{'file kB':>9}{'plays s':>9}")
    for name, label in (("ours", "Telemed (both processes)"), ("aiortc", "aiortc MediaRecorder")):
        figures = best[name]
        cpu = figures["cpu"] * minute
        line = f"{label:<28}{cpu:>10.2f}{cpu / 60:>11.2%}"
        print(f"{line}{figures['size'] / 1000:>9.0f}{figures['played']:>9.1f}")
    inside = best["ours"]["recorder"] * minute
    print(f"{'  of it the recorder process':<28}{inside:>10.2f}{inside / 60:>11.2%}")
    ratio = best["ours"]["cpu"] / best["aiortc"]["cpu"]
    print(f"\nratio {ratio:.4f} (1/{1 / ratio:.0f}), goal ≤ {GOAL:.4f} (1/{1 / GOAL:.0f})")
    return int(ratio > GOAL)


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["aiortc"]):
        run_one(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(compare(int(sys.argv[1]) if sys.argv[1:] else 30))
