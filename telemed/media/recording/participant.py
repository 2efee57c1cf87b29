"""One participant's camera and microphone into one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemed.media.recording import vp8
from telemed.media.recording.packets import Block, Kind, Packet, SenderReport
from telemed.media.recording.reel import Reel
from telemed.media.recording.timeline import Timeline
from telemed.media.recording.track import HOLD_SECONDS, TimedFrame, Track
from telemed.media.recording.webm import WebmFile

INDEX_SECONDS: Final = 5.0
# Browsers send key frames only when asked; each is a place to seek to.
KEY_FRAME_SECONDS: Final = 10.0
VIDEO_GAP_SECONDS: Final = 1.0
ASK_AGAIN_SECONDS: Final = 1.0
# Anchors of one sender's streams differ by their delays; more means another clock.
ANOTHER_CLOCK_SECONDS: Final = 0.5
# A frame that claims to be from elsewhere is garbage.
OLDEST_SECONDS: Final = 30.0
NEWEST_SECONDS: Final = 2.0
NEVER: Final = float("-inf")


@dataclass(frozen=True)
class WrittenFile:
    """A finished file. `offset_seconds` is its start on the recording's own time line."""

    source: str
    path: Path
    sha256: str
    offset_seconds: float
    duration_seconds: float


class ParticipantRecorder:
    """Takes packets as they come; all times are seconds of one monotonic clock."""

    def __init__(
        self,
        source: str,
        path: Path,
        now: float,
        ask_key_frame: Callable[[], None],
    ) -> None:
        self.source = source
        self.is_noted = False
        self._path = path
        self._ask = ask_key_frame
        self._began = now
        self._tracks = {kind: Track(kind) for kind in Kind}
        self._anchor: float | None = None
        self._timeline = Timeline()
        self._early: list[TimedFrame] = []
        self._reel: Reel | None = None
        self._indexed_at = now
        self._asked_at = NEVER
        self._key_at = NEVER
        self.ask_for_key(now)

    def push(self, packet: Packet) -> None:
        """Take a packet; during a pause it is dropped unread."""
        if self._timeline.is_paused:
            return
        track = self._tracks[packet.kind]
        last = track.last_arrival
        track.push(packet, self._anchor)
        if packet.kind is not Kind.VIDEO:
            return
        has_gap = last is not None and packet.arrival - last > VIDEO_GAP_SECONDS
        is_due = packet.arrival - max(self._key_at, self._asked_at) > KEY_FRAME_SECONDS
        if has_gap or is_due or track.needs_key or self._is_black:
            self.ask_for_key(packet.arrival)

    def report(self, report: SenderReport) -> None:
        """Take a sender report."""
        self._tracks[report.kind].report(report)

    def ask_for_key(self, now: float) -> None:
        """Ask the sender for a key frame, not more often than it can answer."""
        if now - self._asked_at >= ASK_AGAIN_SECONDS:
            self._asked_at = now
            self._ask()

    def tick(self, now: float) -> None:
        """Move on what is ready; call it about every 100 ms. Raises StorageFull."""
        if self._timeline.is_paused:
            return
        self._find_anchor(now)
        for track in self._tracks.values():
            self._place(track.take(now, self._anchor), now)
        self._begin_file(now, is_last=False)
        if self._reel is None:
            return
        self._reel.advance(self._timeline.milliseconds_at(now))
        if now - self._indexed_at >= INDEX_SECONDS:
            self._indexed_at = now
            self._reel.file.write_index()

    def pause(self, now: float) -> None:
        """Write out what came until now, and nothing from now on. Raises StorageFull."""
        if not self._timeline.is_paused:
            self._flush(now)
            self._timeline.pause(now)
            if self._reel is not None:
                self._reel.file.write_index()

    def resume(self, now: float) -> None:
        """Go on with what is sent from now on."""
        if self._timeline.is_paused:
            self._timeline.resume(now)
            for track in self._tracks.values():
                track.start_over()
            self._asked_at = NEVER
            self.ask_for_key(now)

    def flush(self, now: float) -> None:
        """Write out what is there, waiting for nothing any more. Raises StorageFull."""
        if not self._timeline.is_paused:
            self._flush(now)

    def close(self, recording_began: float) -> WrittenFile | None:
        """Finish the file with what is in it; None when nothing was written."""
        began = self._timeline.began
        if self._reel is None or began is None:
            return None
        file = self._reel.file
        return WrittenFile(
            source=self.source,
            path=self._path,
            sha256=file.close(),
            offset_seconds=round(began - recording_began, 3),
            duration_seconds=file.duration_milliseconds / 1000,
        )

    def begun(self, recording_began: float | None) -> WrittenFile | None:
        """The file that has been begun, as far as it is known; None before it."""
        began = self._timeline.began
        if self._reel is None or began is None or recording_began is None:
            return None
        self.is_noted = True
        return WrittenFile(self.source, self._path, "", round(began - recording_began, 3), 0)

    def _flush(self, now: float) -> None:
        self._find_anchor(now)
        for track in self._tracks.values():
            self._place(track.take(now, self._anchor, is_last=True), now)
        self._begin_file(now, is_last=True)
        if self._reel is not None:
            self._reel.flush()

    def _find_anchor(self, now: float) -> None:
        """All streams of one sender share an anchor, or its lips go out of step."""
        streams = [
            track.stream
            for track in self._tracks.values()
            if track.stream and now - (track.last_arrival or now) <= HOLD_SECONDS
        ]
        own = [
            stream.clock.own_anchor
            for stream in streams
            if stream.is_timed(now) and stream.clock.own_anchor is not None
        ]
        if not own or (self._anchor is None and not all(s.is_timed(now) for s in streams)):
            return
        if self._anchor is None or all(
            abs(anchor - self._anchor) > ANOTHER_CLOCK_SECONDS for anchor in own
        ):
            self._anchor = min(own)

    def _place(self, frames: Iterable[TimedFrame], now: float) -> None:
        for frame in frames:
            is_near = now - OLDEST_SECONDS < frame.seconds < now + NEWEST_SECONDS
            if not (is_near and self._timeline.holds(frame.seconds)):
                continue
            if self._reel is None:
                self._early.append(frame)
            else:
                self._add(self._reel, frame)
            if frame.kind is Kind.VIDEO and frame.is_key:
                self._key_at = max(self._key_at, frame.seconds)

    def _add(self, reel: Reel, frame: TimedFrame) -> None:
        at = self._timeline.milliseconds_at(frame.seconds)
        reel.add(Block(at, frame.kind, frame.is_key, frame.data))

    def _begin_file(self, now: float, *, is_last: bool) -> None:
        """Hold until every stream is timed, or a little longer: the first frame is the zero."""
        is_held = not is_last and now - self._began < HOLD_SECONDS
        if self._reel is not None or not self._early or is_held:
            return
        keys = [f for f in self._early if f.kind is Kind.VIDEO and f.is_key]
        width, height = vp8.size_of(keys[0].data) if keys else vp8.BLACK_SIZE
        self._reel = Reel(WebmFile(self._path, width, height))
        self._timeline.begin(min(frame.seconds for frame in self._early))
        if not keys:
            self._reel.show_black(0)
        for frame in self._early:
            self._add(self._reel, frame)
        self._early.clear()

    @property
    def _is_black(self) -> bool:
        return self._reel is not None and self._reel.is_black
