"""WebSocket frames as a server sends them (RFC 6455): final, unmasked, never compressed."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PONG: Final = 0x8A
_LENGTH_IN_TWO_BYTES: Final = 126
_LENGTH_IN_EIGHT_BYTES: Final = 127
_TWO_BYTES: Final = 1 << 16


class CloseCode(IntEnum):
    """Why the server ends a connection, as the browser is told."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    POLICY_VIOLATION = 1008


def _frame(first_byte: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _LENGTH_IN_TWO_BYTES:
        return bytes((first_byte, length)) + payload
    if length < _TWO_BYTES:
        return bytes((first_byte, _LENGTH_IN_TWO_BYTES)) + length.to_bytes(2, "big") + payload
    return bytes((first_byte, _LENGTH_IN_EIGHT_BYTES)) + length.to_bytes(8, "big") + payload


def text_frame(payload: bytes) -> bytes:
    """One text message; the payload must be UTF-8."""
    return _frame(_TEXT, payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a WebSocket ping, which carries at most 125 bytes."""
    return _frame(_PONG, payload)


def close_frame(code: CloseCode) -> bytes:
    """The last frame of a connection."""
    return _frame(_CLOSE, code.to_bytes(2, "big"))
