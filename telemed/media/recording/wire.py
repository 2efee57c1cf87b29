"""Messages between the server and the recorder's process, one to a datagram.

Packets and reports are packed, as there are hundreds a second; orders and answers are JSON.
"""

from __future__ import annotations

import json
import struct
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from telemed.media.recording.packets import Kind, Packet, SenderReport
from telemed.media.recording.participant import WrittenFile
from telemed.media.recording.recording import Outcome

MOST_BYTES = 65_536
_PACKET = 1
_REPORT = 2
_MARKED = 1
_RED = 2
# What it is, source, kind, flags, SSRC, sequence, timestamp, arrival.
_PACKET_HEAD = struct.Struct("!BHBBIHId")
_REPORT_FORM = struct.Struct("!BHBIdI")


class OrderKind(StrEnum):
    """What the server tells the recorder to do."""

    ADD = "add"
    REMOVE = "remove"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"


class Order(NamedTuple):
    """One of them; `source` is the number of a participant, 0 for all."""

    order: OrderKind
    source: int
    at: float
    name: str = ""


class Media(NamedTuple):
    """A packet or a report of a participant."""

    source: int
    content: Packet | SenderReport


class KeyFrameWanted(NamedTuple):
    """The recorder wants a key frame from this participant."""

    source: int


def pack_packet(source: int, packet: Packet) -> bytes:
    """A packet as a datagram."""
    flags = packet.is_marked * _MARKED | packet.is_red * _RED
    head = _PACKET_HEAD.pack(
        _PACKET,
        source,
        packet.kind,
        flags,
        packet.ssrc,
        packet.sequence,
        packet.timestamp,
        packet.arrival,
    )
    return head + packet.payload


def pack_report(source: int, report: SenderReport) -> bytes:
    """A sender report as a datagram."""
    kind, ssrc, ntp_seconds, timestamp = report
    return _REPORT_FORM.pack(_REPORT, source, kind, ssrc, ntp_seconds, timestamp)


def pack_order(order: Order) -> bytes:
    """An order as a datagram."""
    return json.dumps(order._asdict()).encode()


def read_from_server(datagram: bytes) -> Order | Media:
    """What the recorder got. Raises ValueError, KeyError or struct.error for anything else."""
    match datagram[0]:
        case 1:
            head = _PACKET_HEAD.unpack_from(datagram)
            _, source, kind, flags, ssrc, sequence, timestamp, arrival = head
            payload = datagram[_PACKET_HEAD.size :]
            is_marked, is_red = bool(flags & _MARKED), bool(flags & _RED)
            return Media(
                source,
                Packet(Kind(kind), ssrc, sequence, timestamp, is_marked, is_red, payload, arrival),
            )
        case 2:
            _, source, kind, ssrc, ntp_seconds, timestamp = _REPORT_FORM.unpack(datagram)
            return Media(source, SenderReport(Kind(kind), ssrc, ntp_seconds, timestamp))
        case _:
            order = json.loads(datagram)
            return Order(OrderKind(order["order"]), order["source"], order["at"], order["name"])


def pack_key_frame_wanted(source: int) -> bytes:
    """The wish as a datagram."""
    return json.dumps({"key_frame": source}).encode()


def pack_outcome(outcome: Outcome) -> bytes:
    """The end of a recording as a datagram."""
    files = [file.__dict__ | {"path": str(file.path)} for file in outcome.files]
    return json.dumps({"files": files, "refusal": outcome.refusal}).encode()


def read_from_recorder(datagram: bytes) -> KeyFrameWanted | Outcome:
    """What the server got."""
    message: dict[str, Any] = json.loads(datagram)
    if "key_frame" in message:
        return KeyFrameWanted(message["key_frame"])
    files = (WrittenFile(**file | {"path": Path(file["path"])}) for file in message["files"])
    return Outcome(tuple(files), message["refusal"])
