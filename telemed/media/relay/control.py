"""What is said between the application and the relay's process: one JSON object a line.

A request names its method and carries a number; its answer carries the same number. Answers may
come in another order than the requests. Everything is bounded: a line, the requests in flight.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from telemed.media.relay import limits
from telemed.media.rooms import Picture, Redundancy

# An offer, with its line ends doubled by escaping, and the rest.
LINE_BYTES: Final = 2 * limits.OFFER_BYTES + 4096
IN_FLIGHT: Final = 256
READY: Final = b"ready\n"


class Message(BaseModel):
    """What every message has in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenRoom(Message):
    """`MediaRooms.open_room`."""

    method: Literal["open_room"] = "open_room"
    room: str


class CloseRoom(Message):
    """`MediaRooms.close_room`."""

    method: Literal["close_room"] = "close_room"
    room: str


class Publish(Message):
    """`MediaRooms.publish`."""

    method: Literal["publish"] = "publish"
    room: str
    name: str
    offer: str


class Subscribe(Message):
    """`MediaRooms.subscribe`."""

    method: Literal["subscribe"] = "subscribe"
    room: str
    name: str
    offer: str
    publishers: tuple[str, ...]


class SetWish(Message):
    """`MediaRooms.set_wish`."""

    method: Literal["set_wish"] = "set_wish"
    room: str
    viewer: str
    publisher: str
    picture: Picture
    redundancy: Redundancy


class Leave(Message):
    """`MediaRooms.leave`."""

    method: Literal["leave"] = "leave"
    room: str
    name: str


class GetStats(Message):
    """`MediaRooms.get_stats`."""

    method: Literal["get_stats"] = "get_stats"
    room: str


class StartRecording(Message):
    """`MediaRooms.start_recording`."""

    method: Literal["start_recording"] = "start_recording"
    room: str
    directory: str
    stem: str


class SetRecording(Message):
    """`MediaRooms.set_recording`."""

    method: Literal["set_recording"] = "set_recording"
    room: str
    names: tuple[str, ...]
    is_paused: bool


class EndRecording(Message):
    """`MediaRooms.end_recording`."""

    method: Literal["end_recording"] = "end_recording"
    room: str


Call = (
    OpenRoom
    | CloseRoom
    | Publish
    | Subscribe
    | SetWish
    | Leave
    | GetStats
    | StartRecording
    | SetRecording
    | EndRecording
)


class Request(Message):
    """A numbered call."""

    number: int
    call: Call = Field(discriminator="method")


class Refusal(Message):
    """What a `TelemedError` was; its words are told again on the other side."""

    kind: str
    code: str
    message: str
    field: str | None = None


class Answer(Message):
    """What became of the call with this number."""

    number: int
    result: Any = None
    refusal: Refusal | None = None


def to_line(message: Message) -> bytes:
    """The wire form."""
    return json.dumps(message.model_dump(mode="json"), separators=(",", ":")).encode() + b"\n"
