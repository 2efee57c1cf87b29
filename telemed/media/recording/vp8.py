"""VP8 in RTP (RFC 7741) and the head of a VP8 frame (RFC 6386, section 9.1)."""

from __future__ import annotations

from typing import NamedTuple

KEY_HEAD_BYTES = 10
START_CODE = b"\x9d\x01\x2a"
# What stands in the picture while there is none: black, 320x240, a key frame.
BLACK_SIZE = (320, 240)
BLACK = bytes.fromhex(
    "3012009d012a4001f000004708858588858488020200061604f70681649f6bdb9b27387b27387b27"
    "387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b2738"
    "7b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b"
    "27387b27387b27387b27387b27387b27387b27387b27387b27387b27387b27387af400feffab5080"
)


class Part(NamedTuple):
    """What one packet carries of a frame."""

    is_start: bool
    data: bytes


def read_part(payload: bytes) -> Part | None:
    """Strip the payload descriptor; None when there is no VP8 in it (padding, garbage)."""
    try:
        first = payload[0]
        at = 1
        if first & 0x80:
            extension = payload[1]
            at = 2
            if extension & 0x80:
                at += 2 if payload[at] & 0x80 else 1
            at += bool(extension & 0x40) + bool(extension & 0x30)
    except IndexError:
        return None
    data = payload[at:]
    return Part(first & 0x17 == 0x10, data) if data else None


def is_key_frame(data: bytes) -> bool:
    """Whether a frame (or its first part) needs no other frame."""
    return not data[0] & 1 and data[3:6] == START_CODE


def size_of(key_frame: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    width = int.from_bytes(key_frame[6:8], "little")
    height = int.from_bytes(key_frame[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF
