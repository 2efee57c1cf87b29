"""VP8 packets in any order in, decodable frames out."""

from __future__ import annotations

from collections.abc import Iterator

from telemed.media.recording import vp8
from telemed.media.recording.packets import Frame, Packet
from telemed.media.recording.timing import Unwrapper

# How long a missing packet may still be sent again.
PATIENCE_SECONDS = 1.2
MOST_WAITING = 2048
MOST_FRAME_BYTES = 4_000_000


class VideoAssembler:
    """Puts one stream's packets in order. After a loss nothing comes out until a key frame."""

    def __init__(self) -> None:
        self._sequences = Unwrapper(16)
        self._timestamps = Unwrapper(32)
        self._waiting: dict[int, Packet] = {}
        self._next: int | None = None
        self._stuck_since: float | None = None
        self._frame: list[bytes] = []
        self._frame_timestamp: int | None = None
        self.needs_key = True

    def unwrap(self, timestamp: int) -> int:
        """A timestamp on this stream's time line."""
        return self._timestamps.unwrap(timestamp)

    def push(self, packet: Packet) -> None:
        """Take a packet; late and repeated ones are passed over."""
        sequence = self._sequences.unwrap(packet.sequence)
        if self._next is None:
            self._next = sequence
        if sequence >= self._next:
            self._waiting.setdefault(sequence, packet)

    def take(self, now: float, *, is_last: bool = False) -> Iterator[Frame]:
        """Whatever is complete and in order; `is_last` waits for nothing any more."""
        while self._waiting and self._next is not None:
            packet = self._waiting.pop(self._next, None)
            if packet is not None:
                self._stuck_since = None
                self._next += 1
                yield from self._add(packet)
            elif is_last or self._has_waited(now):
                self._next = min(self._waiting)
                self.start_over()
            else:
                return

    def start_over(self) -> None:
        """What follows cannot rest on what came before."""
        self.needs_key = True
        self._stuck_since = None
        self._drop_frame()

    def _has_waited(self, now: float) -> bool:
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since > PATIENCE_SECONDS or len(self._waiting) > MOST_WAITING

    def _add(self, packet: Packet) -> Iterator[Frame]:
        part = vp8.read_part(packet.payload)
        if part is None:
            return
        if packet.timestamp != self._frame_timestamp:
            if self._frame:
                # The end of the frame before never came, although no number is missing.
                self.start_over()
            self._frame_timestamp = packet.timestamp
            if not self._may_begin(part):
                self._frame_timestamp = None
                return
        self._frame.append(part.data)
        if packet.is_marked:
            data = b"".join(self._frame)
            self._drop_frame()
            yield from self._finish(packet.timestamp, data)

    def _may_begin(self, part: vp8.Part) -> bool:
        if not part.is_start:
            self.needs_key = True
            return False
        return not self.needs_key or vp8.is_key_frame(part.data)

    def _finish(self, timestamp: int, data: bytes) -> Iterator[Frame]:
        is_key = vp8.is_key_frame(data)
        if len(data) > MOST_FRAME_BYTES or (is_key and len(data) < vp8.KEY_HEAD_BYTES):
            self.needs_key = True
            return
        if is_key or not self.needs_key:
            self.needs_key = False
            yield Frame(self.unwrap(timestamp), is_key, data)

    def _drop_frame(self) -> None:
        self._frame = []
        self._frame_timestamp = None
