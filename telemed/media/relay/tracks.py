"""What a publisher sends: tracks (one voice, one picture) and the layers of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from aiortc import rtp

from telemed.media.relay import limits
from telemed.media.relay.jitter import Jitter
from telemed.media.relay.packets import TEMPORAL_LAYERS, Media, read_vp8, signed16
from telemed.media.relay.redundancy import Voice, unpack

if TYPE_CHECKING:
    from telemed.media.relay.link import Link

KEY_FRAME_PAUSE_SECONDS: Final = 0.3
MOST_MISSING: Final = 400
REPEAT_SECONDS: Final = 0.08
GIVE_UP_SECONDS: Final = 1.0
MOST_REPEATS: Final = 8
ALIVE_SECONDS: Final = 1.0
RATE_SECONDS: Final = 0.5
OVERHEAD_BYTES: Final = 40
SMALLEST_PICTURE: Final = 2
VIDEO_CLOCK: Final = 90_000
VOICE_CLOCK: Final = 48_000


class Outlet(Protocol):
    """Where the packets of a track go."""

    def forward(self, layer: Layer, media: Media) -> None: ...

    def report(self, layer: Layer, info: rtp.RtcpSenderInfo) -> None: ...


class Missing:
    """A packet that was asked for again."""

    __slots__ = ("asked_at", "since", "times")

    def __init__(self, now: float) -> None:
        self.since = self.asked_at = now
        self.times = 1


class Layer:
    """One incoming stream: one simulcast layer of a track."""

    def __init__(self, track: Track, ssrc: int, rid: str | None) -> None:
        self.track = track
        self.ssrc = ssrc
        self.rid = rid
        self.heard_at = 0.0
        # Bits a second of each temporal layer.
        self.rates = [0.0] * TEMPORAL_LAYERS
        # The last sender report: its NTP time in seconds, its RTP time.
        self.clock: tuple[float, int] | None = None
        self.missing: dict[int, Missing] = {}
        self.key_asked_at = -KEY_FRAME_PAUSE_SECONDS
        self.key_timer: asyncio.TimerHandle | None = None
        self._jitter = Jitter(VIDEO_CLOCK if track.is_video else VOICE_CLOCK)
        self._bytes = [0] * TEMPORAL_LAYERS
        self._measured_at = time.monotonic()
        self._highest: int | None = None
        self._first = self._count = self._expected_before = self._count_before = 0
        self._report_ntp = 0
        self._report_at = 0.0

    def count(self, number: int, timestamp: int, now: float) -> None:
        """Note that a packet came. What is skipped is asked for again."""
        if self._highest is None:
            self._highest = self._first = number + 0x10000
            self._count = 1
            self._jitter.note(timestamp, now)
            return
        ahead = signed16(number - self._highest)
        self._count += 1
        if ahead <= 0:
            self.missing.pop(number, None)
            return
        self._jitter.note(timestamp, now)
        if 1 < ahead < 200 and self.track.is_video and len(self.missing) < MOST_MISSING:
            skipped = [(self._highest + step) & 0xFFFF for step in range(1, ahead)]
            self.missing.update((each, Missing(now)) for each in skipped)
            self.track.ask_again(self.ssrc, skipped)
        self._highest += ahead

    def ask_again(self, now: float) -> None:
        """Repeat the asking for what is still missing, and give up what is too late."""
        again = []
        for number, missing in list(self.missing.items()):
            if now - missing.since > GIVE_UP_SECONDS or missing.times > MOST_REPEATS:
                del self.missing[number]
            elif now - missing.asked_at > REPEAT_SECONDS:
                missing.asked_at = now
                missing.times += 1
                again.append(number)
        if again:
            self.track.ask_again(self.ssrc, again)

    def weigh(self, temporal: int, size: int) -> None:
        """Count bytes towards the rate of a temporal layer."""
        self._bytes[temporal] += size + OVERHEAD_BYTES

    def measure(self, now: float) -> None:
        """Bring the rates up to date, smoothed."""
        passed = now - self._measured_at
        if passed < RATE_SECONDS:
            return
        for temporal, count in enumerate(self._bytes):
            rate, before = count * 8 / passed, self.rates[temporal]
            self.rates[temporal] = 0.6 * before + 0.4 * rate if before else rate
        self._bytes = [0] * TEMPORAL_LAYERS
        self._measured_at = now

    def note_report(self, info: rtp.RtcpSenderInfo) -> None:
        """The publisher told which moment of its clock a timestamp is."""
        self._report_ntp = info.ntp_timestamp >> 16 & 0xFFFFFFFF
        self._report_at = time.monotonic()
        self.clock = (info.ntp_timestamp / 2**32, info.rtp_timestamp)

    def reception(self) -> rtp.RtcpReceiverInfo | None:
        """What a receiver report says of this layer since the last."""
        if self._highest is None:
            return None
        expected = self._highest - self._first + 1
        wanted = expected - self._expected_before
        lost = wanted - (self._count - self._count_before)
        self._expected_before, self._count_before = expected, self._count
        delay = int((time.monotonic() - self._report_at) * 65536) if self._report_ntp else 0
        return rtp.RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=max(0, min(255, 256 * lost // wanted)) if wanted > 0 else 0,
            packets_lost=max(0, min(expected - self._count, 0x7FFFFF)),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=self._jitter.value,
            lsr=self._report_ntp,
            dlsr=delay & 0xFFFFFFFF,
        )


class Track:
    """The voice or the picture of one publisher, and everybody it goes to."""

    def __init__(self, link: Link, kind: str, mid: str, ssrc: int) -> None:
        self.mid = mid
        self.is_video = kind == "video"
        self.layers: dict[str | None, Layer] = {}
        self.outlets: list[Outlet] = []
        self.payload_types: set[int] = set()
        self.red_type: int | None = None
        self._link = link
        self._ssrc = ssrc

    def spread(self, layer: Layer, media: Media, now: float) -> None:
        """Give one packet to everybody."""
        layer.heard_at = now
        if self.is_video:
            if len(media.payload) < SMALLEST_PICTURE:
                return
            media.vp8 = read_vp8(media.payload)
            layer.weigh(media.vp8.temporal, len(media.payload))
        else:
            is_red = media.kind == self.red_type
            media.voice = unpack(media.payload) if is_red else Voice(media.payload)
            if media.voice is None:
                return
            layer.weigh(0, len(media.voice.newest))
        for outlet in self.outlets:
            outlet.forward(layer, media)

    def ask_again(self, ssrc: int, numbers: Iterable[int]) -> None:
        """Ask the publisher to repeat packets."""
        lost = sorted(numbers)[: limits.NACKED_AT_ONCE]
        packet = rtp.RtcpRtpfbPacket(fmt=1, ssrc=self._ssrc, media_ssrc=ssrc, lost=lost)
        self._link.send_control(bytes(packet))

    def ask_for_key_frame(self, layer: Layer | None = None) -> None:
        """Ask for a whole picture, of one layer or of all: at once, but not too often."""
        if not self.is_video:
            return
        now = time.monotonic()
        for each in [layer] if layer else list(self.layers.values()):
            if now - each.key_asked_at > KEY_FRAME_PAUSE_SECONDS:
                self._ask(each, now)
            elif each.key_timer is None:
                wait = each.key_asked_at + KEY_FRAME_PAUSE_SECONDS + 0.01 - now
                later: Callable[[Layer], None] = self._ask_later
                each.key_timer = asyncio.get_running_loop().call_later(wait, later, each)

    def press_for_key_frame(self, layer: Layer | None, now: float) -> None:
        """Ask once more for a whole picture of one layer, or of all, that are being sent."""
        for each in [layer] if layer else list(self.layers.values()):
            is_asked = each.key_timer or now - each.key_asked_at <= KEY_FRAME_PAUSE_SECONDS
            if not is_asked and now - each.heard_at < ALIVE_SECONDS:
                self._ask(each, now)

    def _ask(self, layer: Layer, now: float) -> None:
        layer.key_asked_at = now
        packet = rtp.RtcpPsfbPacket(fmt=1, ssrc=self._ssrc, media_ssrc=layer.ssrc)
        self._link.send_control(bytes(packet))

    def _ask_later(self, layer: Layer) -> None:
        layer.key_timer = None
        self.ask_for_key_frame(layer)

    def alive(self, now: float) -> list[Layer]:
        """The layers that are being sent just now, smallest first; all that ever
        were, if none is."""
        known = [layer for layer in self.layers.values() if layer.heard_at]
        heard = [layer for layer in known if now - layer.heard_at < ALIVE_SECONDS]
        return sorted(heard or known, key=lambda layer: sum(layer.rates))

    def close(self) -> None:
        """No more timers."""
        for layer in self.layers.values():
            if layer.key_timer:
                layer.key_timer.cancel()
