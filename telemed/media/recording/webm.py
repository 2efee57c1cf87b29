"""A WebM file that plays and seeks at any moment of its being written.

Room for the index is kept in front and filled again and again, together with the duration;
clusters are appended whole. Nothing behind the last whole cluster is ever left in the file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemed.core.errors import N_, Unavailable
from telemed.media.recording import opus
from telemed.media.recording.ebml import (
    LONGEST_SIZE,
    UNKNOWN_SIZE,
    element,
    encode_size,
    real,
    unsigned,
    void,
)
from telemed.media.recording.packets import RATES, Block, Kind

HEADER: Final = bytes.fromhex("1a45dfa3")
SEGMENT: Final = bytes.fromhex("18538067")
SEEK_HEAD: Final = bytes.fromhex("114d9b74")
INFO: Final = bytes.fromhex("1549a966")
DURATION: Final = bytes.fromhex("4489")
TRACKS: Final = bytes.fromhex("1654ae6b")
TRACK: Final = b"\xae"
CUES: Final = bytes.fromhex("1c53bb6b")
CUE: Final = b"\xbb"
CLUSTER: Final = bytes.fromhex("1f43b675")
CLUSTER_TIME: Final = b"\xe7"
SIMPLE_BLOCK: Final = b"\xa3"

INDEX_BYTES: Final = 48 * 1024
# More than this many and every second one goes: they fit the room that is kept.
MOST_CUES: Final = 1500
WRITER_NAME: Final = b"Telemed"
PRE_SKIP_UNITS: Final = 312
SEEK_PRE_ROLL_NANOSECONDS: Final = 80_000_000
TICK_NANOSECONDS: Final = 1_000_000
CHUNK_BYTES: Final = 1 << 20
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PART_SUFFIX: Final = ".part"


class StorageFull(Unavailable):
    """There is no room to go on; what is in the file so far stays whole."""

    def __init__(self) -> None:
        super().__init__(
            "recording_storage_full",
            N_("Máy chủ hết chỗ lưu nên việc ghi đã dừng. Phần đã ghi vẫn xem được."),
        )


def _header() -> bytes:
    return element(
        HEADER,
        b"".join(
            (
                unsigned(b"\x42\x86", 1),
                unsigned(b"\x42\xf7", 1),
                unsigned(b"\x42\xf2", 4),
                unsigned(b"\x42\xf3", LONGEST_SIZE),
                element(b"\x42\x82", b"webm"),
                unsigned(b"\x42\x87", 4),
                unsigned(b"\x42\x85", 2),
            )
        ),
    )


def _info() -> bytes:
    return element(
        INFO,
        real(DURATION, 0)
        + unsigned(b"\x2a\xd7\xb1", TICK_NANOSECONDS)
        + element(b"\x4d\x80", WRITER_NAME)
        + element(b"\x57\x41", WRITER_NAME),
    )


def _track(kind: Kind, codec: bytes, details: bytes) -> bytes:
    numbers = unsigned(b"\xd7", kind) + unsigned(b"\x73\xc5", kind) + unsigned(b"\x83", kind)
    return element(TRACK, numbers + element(b"\x86", codec) + details)


def _tracks(width: int, height: int) -> bytes:
    picture = element(b"\xe0", unsigned(b"\xb0", width) + unsigned(b"\xba", height))
    rate = RATES[Kind.AUDIO]
    head = b"OpusHead" + struct.pack("<BBHLHB", 1, 2, PRE_SKIP_UNITS, rate, 0, 0)
    sound = (
        unsigned(b"\x56\xaa", PRE_SKIP_UNITS * 1_000_000_000 // rate)
        + unsigned(b"\x56\xbb", SEEK_PRE_ROLL_NANOSECONDS)
        + element(b"\x63\xa2", head)
        + element(b"\xe1", real(b"\xb5", rate) + unsigned(b"\x9f", 2))
    )
    return element(
        TRACKS, _track(Kind.VIDEO, b"V_VP8", picture) + _track(Kind.AUDIO, b"A_OPUS", sound)
    )


def _seek_head(positions: Sequence[tuple[bytes, int]]) -> bytes:
    seeks = (
        element(
            b"\x4d\xbb",
            element(b"\x53\xab", identifier) + element(b"\x53\xac", position.to_bytes(8, "big")),
        )
        for identifier, position in positions
    )
    return element(SEEK_HEAD, b"".join(seeks))


class WebmFile:
    """One VP8 and one Opus track, written to `path` plus `.part` until it is closed."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self.path = path
        self.part = path.with_name(path.name + PART_SUFFIX)
        self._cues: list[tuple[int, int]] = []
        self._end_milliseconds = 0
        info, tracks = _info(), _tracks(width, height)
        names = (INFO, TRACKS, CUES)
        lead = len(_seek_head([(name, 0) for name in names]))
        places = (lead, lead + len(info), lead + len(info) + len(tracks))
        head = _seek_head(list(zip(names, places, strict=True)))
        self._segment_at = len(_header()) + len(SEGMENT) + LONGEST_SIZE
        self._duration_at = self._segment_at + lead + info.index(DURATION) + len(DURATION) + 1
        self._index_at = self._segment_at + places[2]
        self._size = 0
        self._file = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        start = _header() + SEGMENT + UNKNOWN_SIZE + head + info + tracks + void(INDEX_BYTES)
        try:
            self._append(start)
        except StorageFull:
            os.close(self._file)
            self.part.unlink()
            raise

    def write_cluster(self, blocks: Sequence[Block]) -> None:
        """Append a cluster of blocks in order of time, at most 32 s of them."""
        first = blocks[0].milliseconds
        content = [unsigned(CLUSTER_TIME, first)]
        for at, kind, is_key, data in blocks:
            head = struct.pack("!BhB", 0x80 | kind, at - first, 0x80 if is_key else 0)
            content.append(element(SIMPLE_BLOCK, head + data))
        position = self._size - self._segment_at
        self._append(element(CLUSTER, b"".join(content)))
        self._end_milliseconds = max(self._end_milliseconds, blocks[-1].milliseconds)
        keys = (block for block in blocks if block.is_key and block.kind is Kind.VIDEO)
        self._cues.extend((block.milliseconds, position) for block in keys)

    def write_index(self) -> None:
        """Make what was written so far seekable, and have it on the disc."""
        while len(self._cues) > MOST_CUES:
            self._cues = self._cues[::2]
        cues = b"".join(
            element(
                CUE,
                unsigned(b"\xb3", at)
                + element(b"\xb7", unsigned(b"\xf7", Kind.VIDEO) + unsigned(b"\xf1", position)),
            )
            for at, position in self._cues
        )
        index = element(CUES, cues) if cues else b""
        # Clusters first: an index must not point at what a power cut took.
        os.fdatasync(self._file)
        os.pwrite(self._file, index + void(INDEX_BYTES - len(index)), self._index_at)
        os.pwrite(self._file, struct.pack("!d", self.duration_milliseconds), self._duration_at)
        os.fdatasync(self._file)

    @property
    def duration_milliseconds(self) -> int:
        """Up to the end of the last frame."""
        packet = opus.SILENCE_UNITS * 1000 // RATES[Kind.AUDIO]
        return self._end_milliseconds + packet

    def close(self) -> str:
        """Finish, give the file its own name and return the SHA-256 of its bytes in hex."""
        self.write_index()
        size = encode_size(self._size - self._segment_at, LONGEST_SIZE)
        os.pwrite(self._file, size, self._segment_at - LONGEST_SIZE)
        os.fsync(self._file)
        os.close(self._file)
        checksum = checksum_of(self.part)
        self.part.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return checksum

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            if error.errno not in FULL:
                raise
            raise StorageFull from error
        self._size += written


def checksum_of(path: Path) -> str:
    """SHA-256 of a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
