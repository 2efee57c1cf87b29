"""Reading RTP and its payloads (RFC 3550, 7741). Pure; raises only `IndexError`, `ValueError`."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from telemed.media.relay.redundancy import Voice

RTP: Final = struct.Struct("!BBHLL")
WORD: Final = struct.Struct("!H")
LONG: Final = struct.Struct("!L")
ONE_BYTE_EXTENSIONS: Final = 0xBE
TEMPORAL_LAYERS: Final = 4


class Vp8(NamedTuple):
    """The descriptor before a VP8 payload; `_at` is the place of a field, -1 where there is none."""

    picture_at: int
    picture: int
    tl0_at: int
    tl0: int
    temporal: int
    is_sync: bool
    is_key: bool


@dataclass(slots=True)
class Media:
    """One packet of voice or picture as it came, without its header; then what its payload says."""

    kind: int
    number: int
    timestamp: int
    marker: int
    payload: bytes
    vp8: Vp8 | None = None
    voice: Voice | None = None


def signed16(difference: int) -> int:
    """The shortest way between two sequence numbers."""
    return ((difference + 0x8000) & 0xFFFF) - 0x8000


def read_vp8(payload: bytes) -> Vp8:
    """Read the descriptor of one packet. Raises `IndexError` when it is cut short."""
    first = payload[0]
    at = 1
    picture_at = tl0_at = -1
    picture = tl0 = temporal = 0
    is_sync = False
    if first & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            picture_at = at
            if payload[at] & 0x80:
                picture = (payload[at] & 0x7F) << 8 | payload[at + 1]
                at += 2
            else:
                # Seven bits cannot be renumbered without a jump; such a picture passes as it is.
                picture, picture_at = payload[at], -1
                at += 1
        if flags & 0x40:
            tl0_at, tl0 = at, payload[at]
            at += 1
        if flags & 0x30:
            temporal, is_sync = payload[at] >> 6, bool(payload[at] & 0x20)
            at += 1
    is_key = (first & 0x17) == 0x10 and not payload[at] & 1
    return Vp8(picture_at, picture, tl0_at, tl0, temporal, is_sync, is_key)


def read_extensions(packet: bytes, start: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Where the payload begins, and (id, place, length) of each one-byte header extension."""
    end = start + 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    found: list[tuple[int, int, int]] = []
    if end > len(packet):
        raise IndexError("header extension beyond the packet")
    if packet[start] != ONE_BYTE_EXTENSIONS:
        return end, found
    at = start + 4
    while at < end:
        head = packet[at]
        if not head:
            at += 1
            continue
        length = (head & 15) + 1
        if at + 1 + length > end:
            raise IndexError("header extension beyond its block")
        found.append((head >> 4, at + 1, length))
        at += 1 + length
    return end, found
