"""What goes into the recorder and what its parts hand on to one another."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """Of a track; its number in the file."""

    VIDEO = 1
    AUDIO = 2


RATES = {Kind.VIDEO: 90_000, Kind.AUDIO: 48_000}


class Packet(NamedTuple):
    """One RTP packet, decrypted. `arrival` is monotonic seconds; `is_red` says RFC 2198."""

    kind: Kind
    ssrc: int
    sequence: int
    timestamp: int
    is_marked: bool
    is_red: bool
    payload: bytes
    arrival: float


class SenderReport(NamedTuple):
    """Which moment of the sender's clock (NTP seconds) a timestamp stands for."""

    kind: Kind
    ssrc: int
    ntp_seconds: float
    timestamp: int


class Frame(NamedTuple):
    """A whole frame on its stream's own time line (unwrapped timestamp units)."""

    timestamp: int
    is_key: bool
    data: bytes


class Block(NamedTuple):
    """A frame on the file's time line; sorts by time."""

    milliseconds: int
    kind: Kind
    is_key: bool
    data: bytes
