"""What was placed in time, put in order, its holes closed, and written in clusters."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from telemed.media.recording import opus, vp8
from telemed.media.recording.packets import Block, Kind
from telemed.media.recording.webm import WebmFile

# Frames wait this long for earlier ones of the other track; a crash loses as much.
ORDER_MILLISECONDS: Final = 3000
CLUSTER_MILLISECONDS: Final = 1000
SILENCE_MILLISECONDS: Final = 20
# With no picture for so long, black stands for it, again wherever a place to seek to is due.
BLACK_AFTER_MILLISECONDS: Final = 2000
BLACK_AGAIN_MILLISECONDS: Final = 10_000


class Reel:
    """Blocks in any order in, a file without holes in its sound out."""

    def __init__(self, file: WebmFile) -> None:
        self.file = file
        self.is_black = False
        self._blocks: list[Block] = []
        self._written_until = 0
        self._newest = dict.fromkeys(Kind, -1)
        self._heard_until = 0

    def add(self, block: Block) -> None:
        """Take a block; after black only a key frame brings the picture back."""
        if block.kind is Kind.VIDEO:
            if self.is_black and not block.is_key:
                return
            self.is_black = False
        self._push(block)

    def advance(self, now: int) -> None:
        """It is `now` (milliseconds of the file): write what is old enough."""
        step = BLACK_AGAIN_MILLISECONDS if self.is_black else BLACK_AFTER_MILLISECONDS
        black_at = self._newest[Kind.VIDEO] + step
        if black_at <= now - BLACK_AFTER_MILLISECONDS:
            self.show_black(black_at)
        end = self._written_until + CLUSTER_MILLISECONDS
        while end <= now - ORDER_MILLISECONDS + CLUSTER_MILLISECONDS:
            self._write_until(end, is_last=False)
            end += CLUSTER_MILLISECONDS

    def flush(self) -> None:
        """Write everything."""
        while self._blocks:
            end = self._blocks[0].milliseconds + CLUSTER_MILLISECONDS
            self._write_until(end, is_last=True)

    def show_black(self, at: int) -> None:
        """From here on there is no picture."""
        self.is_black = True
        self._push(Block(at, Kind.VIDEO, is_key=True, data=vp8.BLACK))

    def _push(self, block: Block) -> None:
        """Time never goes back: pictures that come too late for their place come right after it,
        sound is silent there already.
        """
        if block.kind is Kind.AUDIO and block.milliseconds < self._written_until:
            return
        at = max(block.milliseconds, self._newest[block.kind] + 1, self._written_until)
        self._newest[block.kind] = at
        heapq.heappush(self._blocks, block._replace(milliseconds=at))

    def _write_until(self, end: int, *, is_last: bool) -> None:
        cluster: list[Block] = []
        while self._blocks and self._blocks[0].milliseconds < end:
            block = heapq.heappop(self._blocks)
            cluster.extend(self._silence_until(block.milliseconds))
            if block.kind is Kind.AUDIO:
                length = opus.duration_of(block.data) * 1000 // 48_000
                self._heard_until = block.milliseconds + length
            cluster.append(block)
        if is_last:
            # After a pause it goes on right here.
            end = max(self._newest.values()) + 1
        else:
            cluster.extend(self._silence_until(end))
        if cluster:
            self.file.write_cluster(cluster)
        self._written_until = max(end, self._written_until)

    def _silence_until(self, end: int) -> Iterator[Block]:
        """Lost, muted or not sent at all: without sound in its place players drift apart."""
        while self._heard_until + SILENCE_MILLISECONDS <= end:
            yield Block(self._heard_until, Kind.AUDIO, is_key=True, data=opus.SILENCE)
            self._heard_until += SILENCE_MILLISECONDS
