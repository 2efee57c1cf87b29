"""From the relay's publishers into a recorder's process: voice, and the largest picture there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiortc import rtp

from telemed.core.errors import Missing
from telemed.media.recording.packets import Kind, Packet, SenderReport
from telemed.media.recording.supervisor import RecorderProcess
from telemed.media.relay.packets import Media
from telemed.media.relay.publishers import Publisher
from telemed.media.relay.tracks import Layer, Track

CHOOSE_SECONDS: Final = 1.0


class Tap:
    """One track on its way into the recording. An `Outlet`."""

    def __init__(self, tape: Tape, source: str, track: Track) -> None:
        self._tape = tape
        self._source = source
        self._kind = Kind.VIDEO if track.is_video else Kind.AUDIO
        self.track = track
        self._layer: Layer | None = None
        self._wanted: Layer | None = None
        self._chosen_at = 0.0
        self._ssrc = 0

    def forward(self, layer: Layer, media: Media) -> None:
        """Hand over a packet, if it is of the layer that is recorded."""
        now = time.monotonic()
        if now - self._chosen_at > CHOOSE_SECONDS or self._wanted is None:
            self._choose(now)
        is_start = media.vp8 is None or media.vp8.is_key
        if layer is not self._layer and layer is self._wanted and is_start:
            self._change_to(layer)
        if layer is self._layer:
            self._tape.push(
                self._source,
                Packet(
                    kind=self._kind,
                    ssrc=self._ssrc,
                    sequence=media.number,
                    timestamp=media.timestamp,
                    is_marked=bool(media.marker),
                    is_red=media.kind == self.track.red_type,
                    payload=media.payload,
                    arrival=now,
                ),
            )

    def report(self, layer: Layer, info: rtp.RtcpSenderInfo) -> None:
        """Hand over which moment of the sender's clock a timestamp is."""
        if layer is self._layer:
            self._report(info.ntp_timestamp / 2**32, info.rtp_timestamp)

    def ask_for_key_frame(self) -> None:
        """The recorder needs a whole picture."""
        self.track.ask_for_key_frame(self._wanted)

    def _choose(self, now: float) -> None:
        self._chosen_at = now
        alive = self.track.alive(now)
        if alive and alive[-1] is not self._wanted:
            self._wanted = alive[-1]
            self.ask_for_key_frame()

    def _change_to(self, layer: Layer) -> None:
        # A stream that was left never comes back into a file: each change is another stream.
        self._ssrc = (max(self._ssrc, layer.ssrc) + 1) & 0xFFFFFFFF
        self._layer = layer
        if layer.clock is not None:
            self._report(*layer.clock)

    def _report(self, ntp_seconds: float, timestamp: int) -> None:
        self._tape.report(
            self._source, SenderReport(self._kind, self._ssrc, ntp_seconds, timestamp)
        )


class Tape:
    """The recording of one room: whose packets may go into it, and the process that writes it."""

    def __init__(self) -> None:
        self._recorder: RecorderProcess | None = None
        self._permitted: frozenset[str] = frozenset()
        self._is_paused = False
        self._taps: dict[str, list[Tap]] = {}

    async def start(self, directory: Path, stem: str) -> None:
        """Start the process; nobody is recorded yet. Raises OSError."""
        self._recorder = await RecorderProcess.start(directory, stem, self._ask_key_frame)

    @property
    def is_over(self) -> bool:
        """Whether the process ended by itself."""
        return self._recorder is None or self._recorder.is_over

    def attach(self, publisher: Publisher) -> None:
        """Take what somebody sends from now on; what of it is recorded is said by `set`."""
        self.detach(publisher.name)
        self._taps[publisher.name] = taps = [
            Tap(self, publisher.name, track) for track in publisher.tracks.values()
        ]
        for tap in taps:
            tap.track.outlets.append(tap)

    def detach(self, name: str) -> None:
        """Their connection is gone; their file goes on when they come back."""
        for tap in self._taps.pop(name, ()):
            with suppress(ValueError):
                tap.track.outlets.remove(tap)

    def set(
        self, names: frozenset[str], publishers: Mapping[str, Publisher], *, is_paused: bool
    ) -> None:
        """Record these from now on. Raises Missing when the process has ended."""
        if self._recorder is None or self.is_over:
            raise Missing
        # Whoever is out stays out from this moment, whatever the process is doing.
        self._permitted = names
        for name in sorted(names):
            self._recorder.add(name)
            if name in publishers and name not in self._taps:
                self.attach(publishers[name])
        if is_paused is not self._is_paused:
            self._is_paused = is_paused
            act: Callable[[], None] = self._recorder.pause if is_paused else self._recorder.resume
            act()

    def push(self, source: str, packet: Packet) -> None:
        """A packet of somebody; dropped unless they may be recorded."""
        if source in self._permitted and self._recorder is not None:
            self._recorder.push(source, packet)

    def report(self, source: str, report: SenderReport) -> None:
        """A report of somebody; it tells times only."""
        if self._recorder is not None:
            self._recorder.report(source, report)

    async def end(self) -> str | None:
        """Finish the files; what ended it before its time. Raises RecorderLost."""
        for name in list(self._taps):
            self.detach(name)
        if self._recorder is None:
            return None
        return (await self._recorder.finish()).refusal

    def _ask_key_frame(self, source: str) -> None:
        for tap in self._taps.get(source, ()):
            tap.ask_for_key_frame()
