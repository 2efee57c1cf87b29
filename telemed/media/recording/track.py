"""One kind of media of one participant: its streams one after the other, timed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from telemed.media.recording.audio import AudioAssembler
from telemed.media.recording.packets import RATES, Frame, Kind, Packet, SenderReport
from telemed.media.recording.timing import StreamClock
from telemed.media.recording.video import VideoAssembler

# How long a new stream is held for its first report.
HOLD_SECONDS = 2.5
MOST_PENDING = 4096
MOST_FORMER = 8


class TimedFrame(NamedTuple):
    """A frame and when it was, in seconds of the recorder's clock."""

    seconds: float
    kind: Kind
    is_key: bool
    data: bytes


class Stream:
    """The packets of one SSRC."""

    def __init__(self, kind: Kind, ssrc: int, now: float) -> None:
        self.ssrc = ssrc
        self.began = now
        self.clock = StreamClock(RATES[kind])
        self.assembler = VideoAssembler() if kind is Kind.VIDEO else AudioAssembler()
        self.pending: deque[Frame] = deque(maxlen=MOST_PENDING)

    def is_timed(self, now: float) -> bool:
        """Whether its report came, or was waited for long enough."""
        return self.clock.is_reported or now - self.began >= HOLD_SECONDS

    def is_placeable(self, now: float, anchor: float | None) -> bool:
        """Whether its frames have their final place in time."""
        return self.is_timed(now) and (anchor is not None or not self.clock.is_reported)

    def push(self, packet: Packet) -> None:
        """Take a packet."""
        self.clock.note_arrival(self.assembler.unwrap(packet.timestamp), packet.arrival)
        self.assembler.push(packet)


class Track:
    """Follows a participant's camera or microphone through fresh connections."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.stream: Stream | None = None
        self.last_arrival: float | None = None
        self._former: deque[int] = deque(maxlen=MOST_FORMER)
        self._early: SenderReport | None = None
        self._left_over: list[TimedFrame] = []

    def push(self, packet: Packet, anchor: float | None) -> None:
        """Take a packet; another SSRC than before ends the stream before."""
        if packet.ssrc in self._former:
            return
        stream = self.stream
        if stream is None or stream.ssrc != packet.ssrc:
            stream = self._begin(packet, anchor)
        self.last_arrival = packet.arrival
        stream.push(packet)

    def report(self, report: SenderReport) -> None:
        """Take a sender report; one that comes before its packets is kept for them."""
        if self.stream is None or self.stream.ssrc != report.ssrc:
            self._early = report
            return
        timestamp = self.stream.assembler.unwrap(report.timestamp)
        self.stream.clock.note_report(timestamp, report.ntp_seconds)

    def take(
        self, now: float, anchor: float | None, *, is_last: bool = False
    ) -> Iterator[TimedFrame]:
        """Frames whose order and time are known."""
        yield from self._left_over
        self._left_over.clear()
        if self.stream is None:
            return
        stream = self.stream
        stream.pending.extend(stream.assembler.take(now, is_last=is_last))
        if is_last or stream.is_placeable(now, anchor):
            yield from self._timed(stream, anchor)

    def start_over(self) -> None:
        """After a pause: nothing from before it may come out."""
        if self.stream is not None:
            self.stream.pending.clear()
            self.stream.assembler.start_over()

    @property
    def needs_key(self) -> bool:
        """Whether video waits for a key frame."""
        assembler = self.stream and self.stream.assembler
        return isinstance(assembler, VideoAssembler) and assembler.needs_key

    def _begin(self, packet: Packet, anchor: float | None) -> Stream:
        if self.stream is not None:
            self._former.append(self.stream.ssrc)
            self._left_over = list(self.take(packet.arrival, anchor, is_last=True))
        self.stream = Stream(self.kind, packet.ssrc, packet.arrival)
        if self._early is not None and self._early.ssrc == packet.ssrc:
            self.stream.assembler.unwrap(packet.timestamp)
            self.report(self._early)
        return self.stream

    def _timed(self, stream: Stream, anchor: float | None) -> Iterator[TimedFrame]:
        while stream.pending:
            frame = stream.pending.popleft()
            seconds = stream.clock.seconds_at(frame.timestamp, anchor)
            yield TimedFrame(seconds, self.kind, frame.is_key, frame.data)
