"""Who sends: takes their packets apart into tracks and layers, and reports back how they arrive."""

from __future__ import annotations

import secrets
import struct
from typing import Any, Final

from aiortc import RTCConfiguration, rtp
from aiortc.codecs import is_rtx

from telemed.media.relay import dialect, limits
from telemed.media.relay.feedback import ArrivalLog
from telemed.media.relay.limits import Bucket
from telemed.media.relay.link import Link
from telemed.media.relay.offers import (
    check_offer,
    finish_answer,
    refused,
    rids_of,
    without_candidates,
)
from telemed.media.relay.packets import LONG, RTP, WORD, Media, read_extensions
from telemed.media.relay.tracks import Layer, Track

TRANSPORT_FEEDBACK: Final = 15
RTPFB: Final = 205
REPORT_TICKS: Final = 20
MEASURE_TICKS: Final = 10


class Publisher:
    """One participant's connection towards the relay."""

    def __init__(self, name: str, configuration: RTCConfiguration, now: float) -> None:
        self.name = name
        self.link = Link(configuration, sink=self._receive)
        self.tracks: dict[str, Track] = {}
        self.since = now
        self._ssrc = secrets.randbelow(1 << 31) + 1
        self._streams: dict[int, Layer] = {}
        self._repairs: dict[int, int] = {}
        self._ids: dict[str, int] = {}
        self._arrivals = ArrivalLog()
        self._ingress = Bucket(limits.PUBLISHED_BYTES_A_SECOND, limits.PUBLISHED_BYTES_AT_ONCE, now)

    async def answer(self, offer: str, *, may_be_private: bool) -> str:
        """Take an offer. Raises `Invalid`."""
        lines = check_offer(offer, most_sections=limits.PUBLISHED_SECTIONS)
        lines = without_candidates(lines, may_be_private=may_be_private)
        for transceiver in await self.link.take("\r\n".join(lines) + "\r\n"):
            if transceiver.kind in self.tracks:
                raise refused("offer")
            transceiver.direction = "recvonly"
            track = Track(self.link, transceiver.kind, transceiver.mid, self._ssrc)
            self.tracks[transceiver.kind] = track
            transceiver.receiver.receive = self._opener(track)
        return finish_answer(await self.link.answer(offer), rids_of(lines))

    def _opener(self, track: Track) -> Any:
        async def receive(parameters: Any) -> None:
            self._agree(track, parameters)
            self.link.open()

        return receive

    def _agree(self, track: Track, parameters: Any) -> None:
        self._ids.update({each.uri: each.id for each in parameters.headerExtensions})
        for codec in parameters.codecs:
            track.payload_types.add(codec.payloadType)
            if is_rtx(codec):
                self._repairs[codec.payloadType] = codec.parameters["apt"]
            elif codec.mimeType.lower() == dialect.RED:
                track.red_type = codec.payloadType
        for encoding in parameters.encodings:
            if encoding.ssrc:
                layer = track.layers.setdefault(None, Layer(track, encoding.ssrc, None))
                self._streams[encoding.ssrc] = layer
                if encoding.rtx:
                    self._streams[encoding.rtx.ssrc] = layer

    def _receive(
        self,
        packet: bytes,
        is_control: bool,  # noqa: FBT001 - a callback
        now: float,
    ) -> None:
        if is_control:
            for each in rtp.RtcpPacket.parse(packet):
                if isinstance(each, rtp.RtcpSrPacket):
                    self._note_report(each)
            return
        if not self._ingress.take(len(packet), now):
            return
        layer, at = self._route(packet, now)
        if layer:
            self._take(layer, packet, at, now)

    def _route(self, packet: bytes, now: float) -> tuple[Layer | None, int]:
        """Whose packet this is, and where its payload begins."""
        at = 12 + 4 * (packet[0] & 15)
        ssrc = LONG.unpack_from(packet, 8)[0]
        layer = self._streams.get(ssrc)
        if packet[0] & 0x10:
            at, extensions = read_extensions(packet, at)
            numbered = self._ids.get(dialect.TRANSPORT_NUMBER)
            for each, place, length in extensions:
                if each == numbered and length == WORD.size:
                    self._arrivals.note(WORD.unpack_from(packet, place)[0], int(now * 1_000_000))
            if layer is None:
                named = {each: packet[place : place + size] for each, place, size in extensions}
                layer = self._learn(ssrc, packet[1] & 0x7F, named)
        return layer, at

    def _take(self, layer: Layer, packet: bytes, at: int, now: float) -> None:
        """One packet of media, to whoever watches."""
        first, second, number, timestamp, ssrc = RTP.unpack_from(packet)
        kind = second & 0x7F
        end = len(packet) - (packet[-1] if first & 0x20 else 0)
        if end <= at:
            if layer.ssrc == ssrc:
                layer.count(number, timestamp, now)
            return
        payload = packet[at:end]
        if (repaired := self._repairs.get(kind)) is not None:
            if len(payload) <= WORD.size:
                return
            number, payload, kind = WORD.unpack_from(payload)[0], payload[2:], repaired
            if number not in layer.missing:
                # What is not missed is a probe of the way.
                return
        layer.count(number, timestamp, now)
        if kind in layer.track.payload_types:
            media = Media(kind, number, timestamp, second >> 7, payload)
            layer.track.spread(layer, media, now)

    def _learn(self, ssrc: int, kind: int, named: dict[int, bytes]) -> Layer | None:
        """Whose stream an unknown number is, by what its packets say of themselves."""
        if len(self._streams) >= limits.STREAMS_OF_A_PUBLISHER:
            return None
        mid, rid, repaired = (
            named[number].decode("ascii", "replace") if number in named else None
            for number in (
                self._ids.get(uri, 0) for uri in (dialect.MID, dialect.RID, dialect.REPAIRED_RID)
            )
        )
        tracks = self.tracks.values()
        track = next((each for each in tracks if each.mid == mid), None)
        if track is None or kind not in track.payload_types:
            return None
        layer = track.layers.get(repaired if kind in self._repairs else rid)
        if layer is None and kind not in self._repairs:
            if len(track.layers) >= limits.LAYERS_OF_A_TRACK:
                return None
            layer = track.layers[rid] = Layer(track, ssrc, rid)
            track.ask_for_key_frame(layer)
        if layer:
            self._streams[ssrc] = layer
        return layer

    def _note_report(self, report: rtp.RtcpSrPacket) -> None:
        layer = self._streams.get(report.ssrc)
        if layer and layer.ssrc == report.ssrc:
            layer.note_report(report.sender_info)
            for outlet in layer.track.outlets:
                outlet.report(layer, report.sender_info)

    def tick(self, now: float, count: int) -> None:
        """Every 50 ms: feedback; repeats of what is missing; now and then reports and rates."""
        if not self.link.is_ready:
            return
        if body := self._arrivals.report():
            head = struct.pack("!LL", self._ssrc, next(iter(self._streams), 0))
            packet = rtp.pack_rtcp_packet(RTPFB, TRANSPORT_FEEDBACK, head + body)
            self.link.send_control(packet)
        layers = [layer for track in self.tracks.values() for layer in track.layers.values()]
        for layer in layers:
            layer.ask_again(now)
            if count % MEASURE_TICKS == 0:
                layer.measure(now)
        if count % REPORT_TICKS == 0:
            reports = [report for layer in layers if (report := layer.reception())]
            if reports:
                packet = bytes(rtp.RtcpRrPacket(ssrc=self._ssrc, reports=reports))
                self.link.send_control(packet)

    async def close(self) -> None:
        """End the connection; whoever watched keeps theirs."""
        for track in self.tracks.values():
            track.close()
            track.outlets.clear()
        await self.link.close()
