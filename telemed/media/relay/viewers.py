"""Who watches: their outlets, what they report, and the choice of layers that follows from it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiortc import RTCConfiguration, rtp

from telemed.core.errors import Missing
from telemed.media.relay import limits
from telemed.media.relay.allocator import FALLING, PAUSED, Allocator, Ladder
from telemed.media.relay.link import Link
from telemed.media.relay.offers import check_offer, for_viewer, without_candidates
from telemed.media.relay.outlets import Outlet, PictureOutlet, Stream, VoiceOutlet
from telemed.media.relay.packets import TEMPORAL_LAYERS
from telemed.media.relay.redundancy import Protection
from telemed.media.relay.tracks import Layer, Track
from telemed.media.rooms import Picture, Wish

TICK_SECONDS: Final = 0.05
ALLOCATE_TICKS: Final = 4
ESTIMATE_FORMAT: Final = 15
KEY_FRAME_FORMATS: Final = (1, 4)
STALE_SECONDS: Final = 8.0
SENT_AT_ALL: Final = 1000.0
PADDING_OVERHEAD: Final = 40


class Rung:
    """One choice of a picture: a layer, up to a temporal layer, at so many bits a second."""

    __slots__ = ("layer", "rate", "temporal")

    def __init__(self, layer: Layer, temporal: int, rate: float) -> None:
        self.layer, self.temporal, self.rate = layer, temporal, rate


class Viewer:
    """One participant's connection from the relay."""

    def __init__(self, name: str, configuration: RTCConfiguration, now: float) -> None:
        self.name = name
        self.link = Link(configuration, sink=self._receive)
        self.since = now
        self.estimate = 0
        self._estimated_at = 0.0
        self._voices: dict[str, VoiceOutlet] = {}
        self._pictures: dict[str, PictureOutlet] = {}
        self._streams: dict[int, Outlet] = {}
        self._wishes: dict[str, Wish] = {}
        self._allocator = Allocator()
        self._protection = Protection()
        self._padding = 0.0

    async def answer(
        self, offer: str, publishers: Mapping[str, Mapping[str, Track]], *, may_be_private: bool
    ) -> str:
        """Take an offer to watch the publishers, in their order. Raises `Invalid`."""
        lines = check_offer(offer, most_sections=limits.OFFER_SECTIONS)
        lines = for_viewer(without_candidates(lines, may_be_private=may_be_private))
        transceivers = await self.link.take("\r\n".join(lines) + "\r\n")
        for kind in ("audio", "video"):
            sections = [each for each in transceivers if each.kind == kind]
            for place, transceiver in enumerate(sections):
                name = list(publishers)[place] if place < len(publishers) else None
                track = publishers[name].get(kind) if name else None
                transceiver.direction = "sendonly" if track else "inactive"
                if name and track:
                    self._connect(transceiver, name, track)
        return await self.link.answer(offer)

    def _connect(self, transceiver: Any, name: str, track: Track) -> None:
        sender = transceiver.sender
        ssrc, rtx = sender._ssrc, sender._rtx_ssrc  # noqa: SLF001 - held by the contract test
        # Voice and picture of one publisher are one stream to the page, and kept in step.
        sender._stream_id = name  # noqa: SLF001 - held by the contract test
        stream = Stream(self.link, ssrc, rtx)
        outlet: Outlet
        if track.is_video:
            outlet = self._pictures[name] = PictureOutlet(stream, track)
        else:
            outlet = self._voices[name] = VoiceOutlet(stream, track)
        self._streams[ssrc] = outlet
        self._apply(name)

        async def send(parameters: Any) -> None:
            self.link.open()
            extensions = {each.uri: each.id for each in parameters.headerExtensions}
            outlet.start(parameters.codecs, extensions, parameters.muxId)

        sender.send = send

    def set_wish(self, publisher: str, wish: Wish) -> None:
        """What this viewer wants of a publisher. Raises `Missing`."""
        if publisher not in self._voices and publisher not in self._pictures:
            raise Missing
        self._wishes[publisher] = wish
        self._apply(publisher)

    def _apply(self, publisher: str) -> None:
        wish = self._wishes.get(publisher, Wish())
        if voice := self._voices.get(publisher):
            voice.redundancy = wish.redundancy
        picture = self._pictures.get(publisher)
        if not picture:
            return
        if wish.picture is Picture.NONE:
            picture.pause()
            return
        layers = picture.track.alive(time.monotonic())
        if layers:
            layer = layers[0] if wish.picture is Picture.SMALL else layers[-1]
            picture.choose(layer, TEMPORAL_LAYERS - 1)
        else:
            picture.is_paused = False

    def drop(self, track: Track) -> None:
        """A publisher is gone; their sections stay silent."""
        for outlet in self._streams.values():
            if outlet.track is track:
                outlet.close()

    def _receive(
        self,
        packet: bytes,
        is_control: bool,  # noqa: FBT001 - a callback
        now: float,
    ) -> None:
        if not is_control:
            return
        for each in rtp.RtcpPacket.parse(packet):
            if isinstance(each, rtp.RtcpRrPacket | rtp.RtcpSrPacket):
                self._note_losses(each.reports, now)
            elif isinstance(each, rtp.RtcpPsfbPacket):
                self._hear(each, now)
            elif isinstance(each, rtp.RtcpRtpfbPacket) and each.fmt == 1:
                outlet = self._streams.get(each.media_ssrc)
                if isinstance(outlet, PictureOutlet):
                    outlet.repeat(each.lost[: limits.NACKED_AT_ONCE], now)

    def _note_losses(self, reports: Sequence[rtp.RtcpReceiverInfo], now: float) -> None:
        for report in reports:
            if outlet := self._streams.get(report.ssrc):
                outlet.fraction_lost = report.fraction_lost / 256
        own = [report.fraction_lost / 256 for report in reports if report.ssrc in self._streams]
        if own:
            self._protection.hear(now, max(own))

    def _protect(self, now: float) -> None:
        """Every voice twice, while this viewer loses packets and has room."""
        voices = self._voices.values()
        once = sum(layer.rates[0] for voice in voices for layer in voice.track.alive(now))
        is_on = self._protection.judge(now, self.estimate, once)
        for voice in voices:
            voice.is_protected = is_on

    def _hear(self, packet: rtp.RtcpPsfbPacket, now: float) -> None:
        if packet.fmt == ESTIMATE_FORMAT:
            before, self.estimate = self.estimate, int(rtp.unpack_remb_fci(packet.fci)[0])
            self._estimated_at = now
            for picture in self._pictures.values():
                picture.history.fit(self.estimate)
            if self.estimate < FALLING * before:
                # A line that is full fills its queue meanwhile, and the voice waits in it.
                self._allocate(now)
        elif packet.fmt in KEY_FRAME_FORMATS:
            outlet = self._streams.get(packet.media_ssrc)
            if isinstance(outlet, PictureOutlet) and (layer := outlet.wanted or outlet.current):
                outlet.track.ask_for_key_frame(layer)

    @property
    def paused(self) -> tuple[str, ...]:
        """Whose pictures do not come just now."""
        return tuple(name for name, picture in self._pictures.items() if picture.is_paused)

    def tick(self, now: float, count: int) -> None:
        """Every 50 ms: padding while a probe runs; now and then the choice of layers."""
        if not self.link.is_ready:
            return
        for picture in self._pictures.values():
            picture.press(now)
        if count % ALLOCATE_TICKS == 0:
            self._leave_dead_layers(now)
            self._protect(now)
            if now - self._estimated_at < STALE_SECONDS:
                self._allocate(now)
        if probe := self._allocator.probe:
            watched = self._watched()
            if probe.picture < len(watched):
                self._pad(watched[probe.picture], probe.rate(now, self.estimate))

    def _leave_dead_layers(self, now: float) -> None:
        """A browser whose own link is weak stops sending the large layer: show what is left."""
        for picture in self._watched():
            shown = picture.wanted or picture.current
            layers = picture.track.alive(now)
            if picture.is_paused or not shown or not layers or shown in layers:
                continue
            picture.choose(layers[-1], TEMPORAL_LAYERS - 1)

    def _watched(self) -> list[PictureOutlet]:
        return [
            picture
            for name, picture in self._pictures.items()
            if picture in picture.track.outlets
            and self._wishes.get(name, Wish()).picture is not Picture.NONE
        ]

    def _allocate(self, now: float) -> None:
        watched = self._watched()
        rungs = [self._rungs(picture, now) for picture in watched]
        ladders = [
            Ladder([rung.rate for rung in each], _standing(picture, each))
            for picture, each in zip(watched, rungs, strict=True)
        ]
        loss = max((picture.fraction_lost for picture in watched), default=0.0)
        for step in self._allocator.decide(now, self.estimate, loss, ladders):
            picture = watched[step.picture]
            if step.rung == PAUSED:
                picture.pause()
            else:
                chosen = rungs[step.picture][step.rung]
                picture.choose(chosen.layer, chosen.temporal)

    def _rungs(self, picture: PictureOutlet, now: float) -> list[Rung]:
        """What the publisher sends, as choices that cost more and more."""
        name = next(each for each, known in self._pictures.items() if known is picture)
        layers = picture.track.alive(now)
        if self._wishes.get(name, Wish()).picture is Picture.SMALL:
            layers = layers[:1]
        found = []
        for layer in layers:
            rate = 0.0
            for temporal, own in enumerate(layer.rates):
                rate += own
                if own > SENT_AT_ALL:
                    found.append(Rung(layer, temporal, rate))
        return sorted(found, key=lambda rung: rung.rate)

    def _pad(self, picture: PictureOutlet, rate: float) -> None:
        """Repeat the last packet until the probe's rate is reached."""
        self._padding += rate * TICK_SECONDS / 8
        last = picture.last
        if last is None or not picture.stream.may_repeat:
            self._padding = 0.0
            return
        while self._padding > 0:
            self._padding -= picture.stream.repeat(last) + PADDING_OVERHEAD

    async def close(self) -> None:
        """End the connection."""
        for outlet in self._streams.values():
            outlet.close()
        await self.link.close()


def _standing(picture: PictureOutlet, rungs: Sequence[Rung]) -> int:
    if picture.is_paused:
        return PAUSED
    shown = picture.wanted or picture.current
    standing = [
        place
        for place, rung in enumerate(rungs)
        if rung.layer is shown and rung.temporal <= picture.temporal
    ]
    return standing[-1] if standing else len(rungs) - 1
