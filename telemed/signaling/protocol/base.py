"""What every event obeys: limits, rates, the shape of a message."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

PROTOCOL_VERSION: Final = 1
SOCKET_PATH: Final = "/socket.io/"

MAX_MESSAGE_BYTES: Final = 128 * 1024
MAX_CHANNELS: Final = 16
MAX_EVENTS_PER_ANSWER: Final = 500
MAX_NUMBER: Final = 2**53 - 1


class Rate(StrEnum):
    """Which bucket an event draws from; see `LIMITS`."""

    SIGNAL = "signal"
    CHAT = "chat"
    STILL = "still"
    PLAIN = "plain"


# bucket -> (events a second, burst). A trickle of candidates comes in one burst; people do not.
LIMITS: Final[Mapping[Rate, tuple[float, int]]] = MappingProxyType(
    {
        Rate.SIGNAL: (40.0, 200),
        Rate.CHAT: (2.0, 10),
        Rate.STILL: (1.0, 10),
        Rate.PLAIN: (5.0, 40),
    }
)

_ID = r"^[A-Za-z0-9_-]{1,64}$"
_CHANNEL = r"^(worklist|(consult|person|session):[A-Za-z0-9_-]{1,64})$"

Id = Annotated[str, StringConstraints(pattern=_ID)]
Channel = Annotated[str, StringConstraints(pattern=_CHANNEL)]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Positive = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"


class Message(BaseModel):
    """What every part of an event obeys: nothing extra, nothing coerced, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Probe(Message):
    """Is the path to the server alive?"""


class Watch(Message):
    """Ask for the hints of some channels."""

    channels: Annotated[list[Channel], Field(min_length=1, max_length=MAX_CHANNELS)]


class Unwatch(Watch):
    """No more hints of these channels."""


class InSession(Message):
    """Whatever concerns one live session."""

    session: Id
