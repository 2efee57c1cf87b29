"""EBML (RFC 8794), as much of it as writing WebM takes."""

from __future__ import annotations

import struct

LONGEST_SIZE = 8
# All ones mean "not known yet": a reader goes on to the end of the file.
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
VOID = b"\xec"


def encode_size(size: int, octets: int = 0) -> bytes:
    """A data size in its shortest form, or in exactly `octets`."""
    least = max(1, -(-(size + 1).bit_length() // 7))
    length = octets or least
    if not least <= length <= LONGEST_SIZE:
        raise ValueError(size)
    return (size | 1 << 7 * length).to_bytes(length, "big")


def element(identifier: bytes, payload: bytes) -> bytes:
    """An element: its identifier, size and payload."""
    return identifier + encode_size(len(payload)) + payload


def unsigned(identifier: bytes, value: int) -> bytes:
    """An element that holds an unsigned integer."""
    return element(identifier, value.to_bytes(max(1, -(-value.bit_length() // 8)), "big"))


def real(identifier: bytes, value: float) -> bytes:
    """An element that holds a double."""
    return element(identifier, struct.pack("!d", value))


def void(length: int) -> bytes:
    """Exactly `length` (at least 2) octets that readers pass over."""
    if length < len(VOID) + LONGEST_SIZE + 1:
        return VOID + encode_size(length - 2, 1) + bytes(length - 2)
    payload = length - len(VOID) - LONGEST_SIZE
    return VOID + encode_size(payload, LONGEST_SIZE) + bytes(payload)
