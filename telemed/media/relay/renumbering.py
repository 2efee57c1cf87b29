"""Gapless numbers for one viewer, whatever layers its stream is put together from. Pure.

A decoder takes a gap in sequence numbers, or in VP8's picture numbers, for a loss. What is left out
on purpose is therefore closed up: later packets move down by what was left out before them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from telemed.media.relay.packets import TEMPORAL_LAYERS, Vp8

# The shortest way to this difference of two sequence numbers, and to larger ones, is back.
BACKWARDS: Final = 0x8000
MOST_LATE: Final = 600
MOST_SKIPPED: Final = 256
MOST_PICTURES: Final = 300


class Numbered(NamedTuple):
    """The numbers that a packet leaves with; without a picture, `picture` is None."""

    number: int
    picture: tuple[int, int, int, int] | None
    is_new: bool
    is_hole: bool = False


class Renumbering:
    """Numbers of one outgoing stream."""

    def __init__(self, start: int) -> None:
        self.most_temporal = TEMPORAL_LAYERS - 1
        self.left_out = 0
        self._temporal = self.most_temporal
        self._offset = start
        self._last: int | None = None
        self._last_out = start - 1
        self._late: dict[int, int] = {}
        self._picture_offset = self._tl0_offset = 0
        self._last_picture = self._last_tl0 = 0
        self._pictures: dict[int, tuple[int, bool]] = {}

    def switch(self, number: int, vp8: Vp8) -> None:
        """From this packet of another layer on; it begins a key frame."""
        if self._last is not None:
            self._offset = (self._last_out + 1 - number) & 0xFFFF
            self._picture_offset = (self._last_picture + 1 - vp8.picture) & 0x7FFF
            self._tl0_offset = (self._last_tl0 + 1 - vp8.tl0) & 0xFF
        self._last = (number - 1) & 0xFFFF
        self._late.clear()
        self._pictures.clear()
        self._temporal = self.most_temporal

    def pass_voice(self, number: int) -> Numbered | None:
        """Numbers of a voice packet; None for one that came twice or too late."""
        offset, is_new = self._place(number)
        if offset is None:
            return None
        out = (number + offset) & 0xFFFF
        if is_new:
            self._last_out = out
        return Numbered(out, None, is_new)

    def pass_picture(self, number: int, vp8: Vp8) -> Numbered | None:
        """Numbers of a packet of a picture; None for one that is left out."""
        offset, is_new = self._place(number)
        if offset is None:
            return None
        if is_new and self.most_temporal != self._temporal:
            self._step(vp8)
        out = (number + offset) & 0xFFFF
        picture_offset, is_out = self._picture(vp8)
        if is_out:
            self.left_out += 1
            if is_new:
                self._offset = (self._offset - 1) & 0xFFFF
                return None
            # Those after it have gone out already: an empty packet takes its place.
            return Numbered(out, None, is_new, is_hole=True)
        self._last_picture = (vp8.picture + picture_offset) & 0x7FFF
        self._last_tl0 = (vp8.tl0 + self._tl0_offset) & 0xFF
        rewrite = None
        if (picture_offset or self._tl0_offset) and vp8.picture_at >= 0:
            rewrite = (vp8.picture_at, self._last_picture, vp8.tl0_at, self._last_tl0)
        if is_new:
            self._last_out = out
        return Numbered(out, rewrite, is_new)

    def _place(self, number: int) -> tuple[int | None, bool]:
        if self._last is None:
            self._last = (number - 1) & 0xFFFF
        ahead = (number - self._last) & 0xFFFF
        if ahead == 0 or ahead >= BACKWARDS:
            return self._late.pop(number, None), False
        if ahead > 1:
            if len(self._late) > MOST_LATE:
                self._late.clear()
            for step in range(1, min(ahead, MOST_SKIPPED)):
                self._late[(self._last + step) & 0xFFFF] = self._offset
        self._last = number
        return self._offset, True

    def _step(self, vp8: Vp8) -> None:
        """Down at once; up only where the decoder can follow."""
        if self.most_temporal < self._temporal:
            self._temporal = self.most_temporal
        elif self.most_temporal > self._temporal:
            if vp8.is_key:
                self._temporal = self.most_temporal
            elif vp8.is_sync and vp8.temporal == self._temporal + 1:
                self._temporal = vp8.temporal

    def _picture(self, vp8: Vp8) -> tuple[int, bool]:
        known = self._pictures.get(vp8.picture)
        if known is None:
            is_out = vp8.temporal > self._temporal
            known = self._pictures[vp8.picture] = (self._picture_offset, is_out)
            if len(self._pictures) > MOST_PICTURES:
                for old in list(self._pictures)[: MOST_PICTURES // 2]:
                    del self._pictures[old]
            if is_out:
                self._picture_offset = (self._picture_offset - 1) & 0x7FFF
        return known
