"""Opus packets (RFC 6716, section 3.1), and redundant audio around them (RFC 2198)."""

from __future__ import annotations

from collections.abc import Iterator

# 20 ms of silence, stereo, full band.
SILENCE = b"\xfc\xff\xfe"
SILENCE_UNITS = 960
LONGEST_UNITS = 5760
_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_RED_HEAD_BYTES = 4


def duration_of(packet: bytes) -> int:
    """How long a packet plays, in units of 1/48000 s; 0 for one that is not allowed."""
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = _SILK[configuration & 3]
    elif configuration < 16:
        frame = _HYBRID[configuration & 1]
    else:
        frame = _CELT[configuration & 3]
    code = packet[0] & 3
    frames = (1, 2, 2)[code] if code < 3 else (packet[1] & 63 if len(packet) > 1 else 0)
    return frame * frames if frame * frames <= LONGEST_UNITS else 0


def read_red(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """(age in timestamp units, Opus packet) of a RED payload, oldest first; none of garbage."""
    heads: list[tuple[int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        head = int.from_bytes(payload[at : at + _RED_HEAD_BYTES], "big")
        heads.append((head >> 10 & 0x3FFF, head & 0x3FF))
        at += _RED_HEAD_BYTES
    at += 1
    if at + sum(length for _, length in heads) > len(payload):
        return
    for age, length in heads:
        yield age, payload[at : at + length]
        at += length
    yield 0, payload[at:]
