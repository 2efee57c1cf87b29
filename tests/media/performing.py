"""A real call of a few seconds, encoded beforehand, sent by a light participant as time passes."""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import rtp

from telemed.media.recording.packets import Kind, Packet, SenderReport
from telemed.media.relay import dialect
from tests.media.peers import SyntheticPublisher
from tests.media.recording.sender import Link, Sender, run

SECONDS = 5


class Rehearsed:
    """What a sender sends, in order."""

    def __init__(self) -> None:
        self.items: list[tuple[float, Packet | SenderReport]] = []

    def push(self, packet: Packet) -> None:
        self.items.append((packet.arrival, packet))

    def report(self, report: SenderReport) -> None:
        self.items.append((self.items[-1][0], report))


def rehearse() -> list[tuple[float, Packet | SenderReport]]:
    """A call with a whole picture every second, encoded before it is sent."""
    sender, rehearsed = Sender(Link(jitter_seconds=0)), Rehearsed()
    sender.script = dict.fromkeys(range(1, SECONDS), want_key)
    run(sender, rehearsed, lambda _: None, seconds=SECONDS, start=0)
    return rehearsed.items


def want_key(sender: Sender) -> None:
    sender.camera.wants_key = True


RATES = {Kind.VIDEO: 90_000, Kind.AUDIO: 48_000}


class Pace:
    """Sends what was rehearsed when it is due; a machine that is late makes a sender that is late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._late = 0.0
        # By kind: the rehearsed time of the newest frame, and by how much it is sent later.
        self._frames: dict[Kind, tuple[int, float]] = {}

    async def due(self, at: float) -> None:
        """Wait for a moment of the rehearsal."""
        wait = self._began + at + self._late - self._loop.time()
        await asyncio.sleep(max(0.0, wait))
        self._late = max(self._late, self._loop.time() - self._began - at)

    def late(self, item: Packet | SenderReport) -> float:
        """By how much this is sent later, in seconds; the same for all packets of a frame."""
        if isinstance(item, SenderReport):
            return self._late
        rehearsed, late = self._frames.get(item.kind, (-1, 0.0))
        if rehearsed != item.timestamp:
            late = self._late
            self._frames[item.kind] = (item.timestamp, late)
        return late


async def perform(publisher: SyntheticPublisher, items: list[Any]) -> None:
    """Send it as it was rehearsed, or slower where the machine is."""
    pace = Pace()
    for at, item in items:
        await pace.due(at)
        late = pace.late(item)
        kind = "video" if item.kind is Kind.VIDEO else "audio"
        timestamp = (item.timestamp + round(late * RATES[item.kind])) % 2**32
        if isinstance(item, SenderReport):
            report = rtp.RtcpSenderInfo(
                ntp_timestamp=int((item.ntp_seconds + late) * 2**32),
                rtp_timestamp=timestamp,
                packet_count=0,
                octet_count=0,
            )
            packet = rtp.RtcpSrPacket(ssrc=publisher.ssrcs[kind], sender_info=report)
            await publisher.send(bytes(packet))
            continue
        codec = {"video": dialect.VP8, "audio": dialect.OPUS}[kind]
        sent = rtp.RtpPacket(
            payload_type=publisher.kinds[codec],
            marker=int(item.is_marked),
            sequence_number=item.sequence,
            timestamp=timestamp,
            ssrc=publisher.ssrcs[kind],
            payload=item.payload,
        )
        await publisher.send(sent.serialize())
