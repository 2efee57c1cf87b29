"""One outgoing stream: a publisher's voice or picture as one viewer gets it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from aiortc import rtp
from aiortc.codecs import is_rtx

from telemed.media.relay import dialect
from telemed.media.relay.history import History, Sent
from telemed.media.relay.link import OUT
from telemed.media.relay.packets import LONG, RTP, WORD, Media, Vp8
from telemed.media.relay.redundancy import pack
from telemed.media.relay.renumbering import Numbered, Renumbering
from telemed.media.rooms import Redundancy

if TYPE_CHECKING:
    from telemed.media.relay.link import Link
    from telemed.media.relay.tracks import Layer, Track

VIDEO_CLOCK: Final = 90_000
HEADER_BYTES: Final = 12
# A switch that the two clocks do not agree about continues a hundredth of a second later.
STEP_TICKS: Final = 300
# A key frame that does not come is asked for again, less and less often.
FIRST_PATIENCE_SECONDS: Final = 0.3
LONGEST_PATIENCE_SECONDS: Final = 2.4


class Stream:
    """The wire form of one outgoing stream: header, extensions, repetitions."""

    def __init__(self, link: Link, ssrc: int, rtx_ssrc: int) -> None:
        self.ssrc = ssrc
        self.packets = self.octets = 0
        self.repeated = 0
        self._link = link
        self._rtx_ssrc = rtx_ssrc
        self._rtx_number = secrets.randbelow(1 << 14)
        self._rtx_type: int | None = None
        self._kind = 0
        self._first = 0x80
        self._payload_at = HEADER_BYTES
        self._extensions = b""
        self._send_time_at = 0
        self._send_time_id = 0

    def agree(self, kind: int, rtx_type: int | None, extensions: dict[str, int], mid: str) -> None:
        """What was negotiated: payload types and header extensions."""
        self._kind, self._rtx_type = kind, rtx_type
        block = b""
        if number := extensions.get(dialect.SEND_TIME):
            self._send_time_at, self._send_time_id = HEADER_BYTES + 4, number
            block += bytes(4)
        if (number := extensions.get(dialect.MID)) and len(mid) <= 16:
            block += bytes([number << 4 | len(mid) - 1]) + mid.encode()
        block += bytes(-len(block) % 4)
        if block:
            self._extensions = WORD.pack(0xBEDE) + WORD.pack(len(block) // 4) + block
            self._first = 0x90
            self._payload_at = HEADER_BYTES + len(self._extensions)

    @property
    def may_repeat(self) -> bool:
        """Whether the viewer takes repetitions."""
        return self._rtx_type is not None

    def send(self, sent: Sent, kind: int | None = None) -> None:
        """One packet; an empty payload becomes padding."""
        self._begin(sent, kind or self._kind, sent.number, self.ssrc)
        at, size = self._payload_at, len(sent.payload)
        self.packets += 1
        self.octets += size
        if size:
            OUT[at : at + size] = sent.payload
            if sent.picture:
                _rewrite(at, *sent.picture)
            self._link.send(at + size)
        else:
            OUT[0] |= 0x20
            OUT[at] = 1
            self._link.send(at + 1)

    def repeat(self, sent: Sent) -> int:
        """The same packet once more (RFC 4588); its bytes."""
        if self._rtx_type is None:
            return 0
        self.repeated += 1
        self._begin(sent, self._rtx_type, self._rtx_number, self._rtx_ssrc)
        self._rtx_number = (self._rtx_number + 1) & 0xFFFF
        WORD.pack_into(OUT, self._payload_at, sent.number)
        at = self._payload_at + WORD.size
        size = at + len(sent.payload)
        OUT[at:size] = sent.payload
        if sent.picture:
            _rewrite(at, *sent.picture)
        self._link.send(size)
        return size

    def _begin(self, sent: Sent, kind: int, number: int, ssrc: int) -> None:
        """Write all that stands before the payload."""
        RTP.pack_into(OUT, 0, self._first, sent.marker << 7 | kind, number, sent.timestamp, ssrc)
        if self._extensions:
            OUT[HEADER_BYTES : self._payload_at] = self._extensions
        if self._send_time_at:
            moment = int(time.time() * 262_144) & 0xFFFFFF
            LONG.pack_into(OUT, self._send_time_at, (self._send_time_id << 4 | 2) << 24 | moment)

    def report(self, info: rtp.RtcpSenderInfo, shift: int) -> None:
        """Pass a sender report on, in this stream's own numbers."""
        own = rtp.RtcpSenderInfo(
            ntp_timestamp=info.ntp_timestamp,
            rtp_timestamp=(info.rtp_timestamp + shift) & 0xFFFFFFFF,
            packet_count=self.packets & 0xFFFFFFFF,
            octet_count=self.octets & 0xFFFFFFFF,
        )
        self._link.send_control(bytes(rtp.RtcpSrPacket(ssrc=self.ssrc, sender_info=own)))


def _rewrite(at: int, picture_at: int, picture: int, tl0_at: int, tl0: int) -> None:
    """Other picture numbers in the payload that begins here."""
    WORD.pack_into(OUT, at + picture_at, 0x8000 | picture)
    if tl0_at >= 0:
        OUT[at + tl0_at] = tl0


class VoiceOutlet:
    """A publisher's voice at one viewer. Nothing ever holds it back."""

    def __init__(self, stream: Stream, track: Track) -> None:
        self.stream = stream
        self.track = track
        self.redundancy = Redundancy.AUTO
        self.is_protected = False
        self.fraction_lost = 0.0
        self._numbers = Renumbering(secrets.randbelow(1 << 14))
        self._opus = 0
        self._red: int | None = None
        self._before: tuple[int, bytes] | None = None

    def start(self, codecs: Sequence[Any], extensions: dict[str, int], mid: str) -> None:
        """The viewer is there."""
        types = {codec.mimeType.lower(): codec.payloadType for codec in codecs}
        self._opus, self._red = types[dialect.OPUS], types.get(dialect.RED)
        self.stream.agree(self._opus, None, extensions, mid)
        self.track.outlets.append(self)

    def forward(self, layer: Layer, media: Media) -> None:
        """One packet of the publisher."""
        if self.redundancy is Redundancy.PASS:
            self._pass(media)
            return
        assert media.voice
        # What was lost on the way here, and came with a later packet.
        back = len(media.voice.older)
        for age, voice in media.voice.older:
            self._send(media.number - back, media.timestamp - age, 0, voice)
            back -= 1
        self._send(media.number, media.timestamp, media.marker, media.voice.newest)

    def _pass(self, media: Media) -> None:
        numbered = self._numbers.pass_voice(media.number)
        if numbered is None or media.voice is None:
            return
        is_red = self._red is not None and media.kind == self.track.red_type
        payload = media.payload if is_red else media.voice.newest
        sent = Sent(numbered.number, media.timestamp, media.marker, payload, None)
        self.stream.send(sent, self._red if is_red else self._opus)

    def _send(self, number: int, timestamp: int, marker: int, voice: bytes) -> None:
        numbered = self._numbers.pass_voice(number & 0xFFFF) if voice else None
        if numbered is None:
            return
        timestamp &= 0xFFFFFFFF
        payload, kind = voice, self._opus
        if self._red is not None and self._is_twice:
            payload, kind = pack(voice, timestamp, self._before, self._opus), self._red
        if numbered.is_new:
            self._before = (timestamp, voice)
        self.stream.send(Sent(numbered.number, timestamp, marker, payload, None), kind)

    @property
    def _is_twice(self) -> bool:
        if self.redundancy is Redundancy.AUTO:
            return self.is_protected
        return self.redundancy is Redundancy.MAKE

    def report(self, layer: Layer, info: rtp.RtcpSenderInfo) -> None:
        """The publisher's clock."""
        self.stream.report(info, 0)

    def close(self) -> None:
        """The viewer, or the publisher, is gone."""
        if self in self.track.outlets:
            self.track.outlets.remove(self)


class PictureOutlet:
    """A publisher's picture at one viewer: one layer at a time, changed at key frames."""

    def __init__(self, stream: Stream, track: Track) -> None:
        self.stream = stream
        self.track = track
        self.wanted: Layer | None = None
        self.current: Layer | None = None
        self.is_paused = False
        self.fraction_lost = 0.0
        self.history = History(time.monotonic())
        self.last: Sent | None = None
        self._clock: tuple[float, int] | None = None
        self._numbers = Renumbering(secrets.randbelow(1 << 14))
        self._shift = 0
        self._sent_at = 0.0
        self._asked_at = 0.0
        self._patience = FIRST_PATIENCE_SECONDS

    def start(self, codecs: Sequence[Any], extensions: dict[str, int], mid: str) -> None:
        """The viewer is there and needs a whole picture."""
        kind = next(c.payloadType for c in codecs if c.mimeType.lower() == dialect.VP8)
        rtx = (c.payloadType for c in codecs if is_rtx(c) and c.parameters.get("apt") == kind)
        self.stream.agree(kind, next(rtx, None), extensions, mid)
        self.track.outlets.append(self)
        self._asked_at = time.monotonic()
        self.track.ask_for_key_frame()

    @property
    def temporal(self) -> int:
        """The highest temporal layer that is let through."""
        return self._numbers.most_temporal

    def choose(self, layer: Layer, temporal: int) -> None:
        """Show this layer, up to this temporal layer, as soon as a whole picture of it comes."""
        was_paused, self.is_paused = self.is_paused, False
        is_smaller = self.current is not None and sum(layer.rates) < sum(self.current.rates)
        if self.current is not layer and is_smaller:
            # The way is full: nothing more of the large one, before the small one's key frame.
            self._let_go()
        self.wanted = layer
        self._numbers.most_temporal = temporal
        if self.current is not layer or was_paused:
            self.track.ask_for_key_frame(layer)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing can be shown, or nothing larger, before a key frame comes."""
        if self.is_paused:
            return False
        return self.current is None or self.wanted not in (None, self.current)

    def press(self, now: float) -> None:
        """Ask again for what is waited for: the first asking, or the key frame, may be lost."""
        if not self.is_waiting:
            self._asked_at, self._patience = now, FIRST_PATIENCE_SECONDS
        elif now - self._asked_at > self._patience:
            self._asked_at = now
            self._patience = min(2 * self._patience, LONGEST_PATIENCE_SECONDS)
            self.track.press_for_key_frame(self.wanted, now)

    def pause(self) -> None:
        """Voice only, until something is chosen."""
        self.is_paused = True
        self._let_go()

    def _let_go(self) -> None:
        if self.current:
            self._clock = self.current.clock
        self.current = None
        # What the full way has lost of it would only fill the way again.
        self.history.forget()

    def forward(self, layer: Layer, media: Media) -> None:
        """One packet of one layer of the publisher."""
        vp8 = media.vp8
        if vp8 is None or self.is_paused:
            return
        if layer is not self.current:
            is_chosen = layer is self.wanted or (self.wanted is None and self.current is None)
            if not vp8.is_key or not is_chosen:
                return
            self._switch(layer, media, vp8)
        numbered = self._numbers.pass_picture(media.number, vp8)
        if numbered is not None:
            self._send(numbered, media, layer.heard_at)

    def _send(self, numbered: Numbered, media: Media, now: float) -> None:
        time_out = (media.timestamp + self._shift) & 0xFFFFFFFF
        if numbered.is_hole:
            self.stream.send(Sent(numbered.number, time_out, 0, b"", None))
            return
        sent = Sent(numbered.number, time_out, media.marker, media.payload, numbered.picture)
        self.history.keep(sent)
        if numbered.is_new:
            self.last, self._sent_at = sent, now
        self.stream.send(sent)

    def _switch(self, layer: Layer, media: Media, vp8: Vp8) -> None:
        timestamp = media.timestamp
        before = self.current.clock if self.current else self._clock
        self._numbers.switch(media.number, vp8)
        self.current = layer
        if self.last is None:
            return
        if before and layer.clock:
            # Both layers' clocks are known: the picture keeps its moment, and step with the voice.
            passed = int((layer.clock[0] - before[0]) * VIDEO_CLOCK)
            since = (timestamp - layer.clock[1] + 0x80000000) % 0x100000000 - 0x80000000
            out = (before[1] + self._shift + passed + since) & 0xFFFFFFFF
        else:
            passed = max(1, int((layer.heard_at - self._sent_at) * VIDEO_CLOCK))
            out = (self.last.timestamp + passed) & 0xFFFFFFFF
        if (out - self.last.timestamp) & 0xFFFFFFFF > 0x80000000:
            out = (self.last.timestamp + STEP_TICKS) & 0xFFFFFFFF
        self._shift = (out - timestamp) & 0xFFFFFFFF

    def report(self, layer: Layer, info: rtp.RtcpSenderInfo) -> None:
        """The publisher's clock, if it is that of the layer shown."""
        if layer is self.current:
            self.stream.report(info, self._shift)

    def repeat(self, numbers: Sequence[int], now: float) -> None:
        """The viewer misses packets."""
        for number in numbers:
            if sent := self.history.take(number, now):
                self.stream.repeat(sent)

    def close(self) -> None:
        """The viewer, or the publisher, is gone."""
        if self in self.track.outlets:
            self.track.outlets.remove(self)


Outlet = VoiceOutlet | PictureOutlet
