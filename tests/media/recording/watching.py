"""Reads a finished file as a player does: every frame, marks in sound and picture, seeking."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import av

LUMA_OF_A_FLASH = 180
LOUDNESS_OF_A_BEEP = 2000
NEXT_MARK_SECONDS = 0.3
LONGEST_STEP_SECONDS = 0.06


@dataclass
class Seen:
    """What was in a file, times in seconds."""

    duration: float
    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[float] = field(default_factory=list)
    sounds: list[float] = field(default_factory=list)

    @property
    def longest_silence(self) -> float:
        """The longest hole between two pieces of sound, seconds."""
        return max(after - before for before, after in pairwise(self.sounds))

    @property
    def lip_sync(self) -> list[float]:
        """For every flash with a beep near it: how much later the picture is, seconds."""
        near = (
            (flash, beep)
            for flash in self.flashes
            for beep in self.beeps
            if abs(flash - beep) < 0.4
        )
        return [flash - beep for flash, beep in near]


def watch(path: Path) -> Seen:
    """Decode everything; an error of a decoder is an error of the test."""
    with av.open(str(path)) as container:
        seen = Seen(duration=(container.duration or 0) / av.time_base)
        for stream in container.streams:
            stream.codec_context.options = {"err_detect": "explode"}
        was_on = True
        for frame in container.decode():
            at = frame.time or 0.0
            if isinstance(frame, av.VideoFrame):
                # A flash that begins in a hole says nothing of when it was.
                is_known = bool(seen.pictures) and at - seen.pictures[-1] < LONGEST_STEP_SECONDS
                seen.pictures.append(at)
                _note_size(seen, frame)
                is_on = _luma(frame) > LUMA_OF_A_FLASH
                seen.flashes.extend([at] if is_known and is_on and not was_on else [])
                was_on = is_on
            elif isinstance(frame, av.AudioFrame):
                seen.sounds.append(at)
                _listen(seen.beeps, at, frame)
    return seen


def seek(path: Path, seconds: float) -> float:
    """Where a player lands that seeks to `seconds` and decodes the next picture."""
    with av.open(str(path)) as container:
        container.seek(int(seconds * av.time_base))
        return next(container.decode(video=0)).time or 0.0


def _note_size(seen: Seen, frame: av.VideoFrame) -> None:
    size = (frame.width, frame.height)
    if seen.sizes[-1:] != [size]:
        seen.sizes.append(size)


def _luma(frame: av.VideoFrame) -> int:
    """Of one point in the middle: a flash fills the picture."""
    plane = frame.planes[0]
    return bytes(plane)[plane.line_size * (frame.height // 2) + frame.width // 2]


def _listen(beeps: list[float], at: float, frame: av.AudioFrame) -> None:
    """Frames are float planes; the first loud sample is the beginning of a beep."""
    samples = array("f", bytes(frame.planes[0])[: frame.samples * 4])
    if max(samples) * 32_768 <= LOUDNESS_OF_A_BEEP:
        return
    loud = (i for i, value in enumerate(samples) if abs(value) * 32_768 > LOUDNESS_OF_A_BEEP)
    first = next(loud, None)
    if first is not None and (not beeps or at - beeps[-1] > NEXT_MARK_SECONDS):
        beeps.append(at + first / frame.sample_rate)
