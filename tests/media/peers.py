"""Light participants: real aiortc connections, whose packets the test writes and reads itself."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Self

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtp
from aiortc.rtcconfiguration import RTCBundlePolicy

from telemed.media.relay import dialect

PATIENCE_SECONDS = 30
PICTURE_TICKS = 3000
VOICE_TICKS = 960
NO_SERVERS = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


def picture(
    number: int, *, key: bool = False, temporal: int = 0, sync: bool = False, fill: int = 40
) -> bytes:
    """The payload of a whole VP8 picture in one packet."""
    descriptor = struct.pack(
        "!BBHBB", 0x90, 0xE0, 0x8000 | number, number & 0xFF, temporal << 6 | sync << 5
    )
    return descriptor + bytes([0 if key else 1]) + bytes(fill)


class Peer:
    """One connection towards the relay."""

    def __init__(self, configuration: RTCConfiguration = NO_SERVERS) -> None:
        dialect.learn()
        self.connection = RTCPeerConnection(configuration)
        self.open = asyncio.Event()
        self.closed_kinds: set[str] = set()
        self.control: list[Any] = []
        self.raw_control: list[bytes] = []
        self.changed = asyncio.Event()

    @property
    def transport(self) -> Any:
        """aiortc's DTLS transport."""
        return self.connection.getTransceivers()[0].receiver.transport

    @property
    def path(self) -> tuple[str, str]:
        """The kinds of the two candidates that packets go between: the own, the relay's."""
        pair = self.transport.transport._connection._nominated[1]
        return pair.local_candidate.type, pair.remote_candidate.type

    async def offer(self, *, rids: tuple[str, ...] = ()) -> str:
        """What a browser would offer."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offered = str(self.connection.localDescription.sdp)
        lines = "".join(f"a=rid:{rid} send\r\n" for rid in rids)
        return offered + lines + (f"a=simulcast:send {';'.join(rids)}\r\n" if rids else "")

    async def accept(self, answer: str) -> Self:
        """Take the answer, and wait until packets can pass."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.open.wait()
        return self

    def opened(self, kind: str) -> None:
        """Packets of this kind can pass; keep what the relay reports."""
        self.closed_kinds.discard(kind)
        if not self.closed_kinds:
            self.open.set()

        async def hear(data: bytes) -> None:
            self.raw_control.append(data)
            self.control += rtp.RtcpPacket.parse(data)
            self.changed.set()

        self.transport._handle_rtcp_data = hear

    async def until(self, is_so: Any) -> None:
        """Wait for something that packets bring about."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def send(self, packet: bytes) -> None:
        """One protected packet, RTP or RTCP."""
        await self.transport._send_rtp(packet)

    async def close(self) -> None:
        """Gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.connection.close()


class SyntheticPublisher(Peer):
    """Sends what the test tells it to."""

    def __init__(self, *kinds: str, configuration: RTCConfiguration = NO_SERVERS) -> None:
        super().__init__(configuration)
        self.mids: dict[str, str] = {}
        self.ssrcs: dict[str, int] = {}
        self.kinds: dict[str, int] = {}
        self.extensions: dict[str, int] = {}
        for kind in kinds or ("audio", "video"):
            transceiver = self.connection.addTransceiver(kind, direction="sendonly")
            self.closed_kinds.add(kind)
            self.ssrcs[kind] = transceiver.sender._ssrc
            setattr(transceiver.sender, "send", self._sender(kind))  # noqa: B010 - a method

    def _sender(self, kind: str) -> Any:
        async def send(parameters: Any) -> None:
            self.mids[kind] = parameters.muxId
            self.kinds |= {c.mimeType.lower(): c.payloadType for c in parameters.codecs}
            self.extensions |= {each.uri: each.id for each in parameters.headerExtensions}
            self.opened(kind)

        return send

    async def send_voice(self, number: int, payload: bytes, codec: str = dialect.OPUS) -> None:
        """One packet of voice."""
        head = struct.pack(
            "!BBHLL", 0x80, self.kinds[codec], number, number * VOICE_TICKS, self.ssrcs["audio"]
        )
        await self.send(head + payload)

    async def send_picture(
        self, number: int, payload: bytes, *, rid: str | None = None, transport: int | None = None
    ) -> None:
        """One packet of a picture; a layer tells its name, and is a stream of its own."""
        block = b""
        ssrc = self.ssrcs["video"]
        if rid is not None:
            ssrc += 1000 + ord(rid)
            named = ((dialect.MID, self.mids["video"]), (dialect.RID, rid))
            for uri, name in named:
                block += bytes([self.extensions[uri] << 4 | len(name) - 1]) + name.encode()
        if transport is not None:
            block += bytes([self.extensions[dialect.TRANSPORT_NUMBER] << 4 | 1])
            block += struct.pack("!H", transport)
        block += bytes(-len(block) % 4)
        extension = struct.pack("!HH", 0xBEDE, len(block) // 4) + block if block else b""
        head = struct.pack(
            "!BBHLL",
            0x90 if block else 0x80,
            0x80 | self.kinds[dialect.VP8],
            number & 0xFFFF,
            number * PICTURE_TICKS,
            ssrc,
        )
        await self.send(head + extension + payload)


class SyntheticViewer(Peer):
    """Keeps what comes."""

    def __init__(self, *kinds: str, configuration: RTCConfiguration = NO_SERVERS) -> None:
        super().__init__(configuration)
        self.packets: dict[str, list[rtp.RtpPacket]] = {"audio": [], "video": [], "rtx": []}
        self.codecs: dict[int, str] = {}
        self.parameters: dict[str, Any] = {}
        for kind in kinds or ("audio", "video"):
            transceiver = self.connection.addTransceiver(kind, direction="recvonly")
            self.closed_kinds.add(kind)
            setattr(transceiver.receiver, "receive", self._receiver(kind))  # noqa: B010 - a method

    def _receiver(self, kind: str) -> Any:
        async def receive(parameters: Any) -> None:
            self.parameters[kind] = parameters
            self.codecs |= {c.payloadType: c.mimeType.lower() for c in parameters.codecs}
            self.transport._rtp_header_extensions_map.configure(parameters)
            self.transport._handle_rtp_data = self._hear
            self.opened(kind)

        return receive

    async def _hear(self, data: bytes, arrival_time_ms: int) -> None:
        packet = rtp.RtpPacket.parse(data, self.transport._rtp_header_extensions_map)
        codec = self.codecs[packet.payload_type]
        self.packets["rtx" if codec.endswith("/rtx") else codec.split("/")[0]].append(packet)
        self.changed.set()

    async def gets(self, kind: str, count: int) -> list[rtp.RtpPacket]:
        """So many packets, waited for."""
        await self.until(lambda: len(self.packets[kind]) >= count)
        return self.packets[kind]

    def ssrc(self, kind: str) -> int:
        """The stream's number, as the answer announced it."""
        return int(self.parameters[kind].encodings[0].ssrc)

    async def estimate(self, bits: int) -> None:
        """Tell the relay what this viewer can take (REMB)."""
        fci = rtp.pack_remb_fci(bits, [self.ssrc("video")])
        await self.send(bytes(rtp.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=fci)))
