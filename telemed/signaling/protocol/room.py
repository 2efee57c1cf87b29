"""What happens in a room: coming and going, what is sent, seen and said there."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from telemed.core.errors import N_
from telemed.signaling.protocol.base import Id, InSession, Number, Positive

MAX_CHAT: Final = 2000
MAX_STILL: Final = 24_576


def _checked_chat(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise PydanticCustomError("text_empty", N_("Tin nhắn chưa có chữ nào"))
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text):
        raise PydanticCustomError("text_malformed", N_("Tin nhắn có ký tự điều khiển"))
    return text


# WebP in base64: the bytes begin with "RIFF".
Picture = Annotated[
    str, StringConstraints(max_length=MAX_STILL, pattern=r"^UklGR[A-Za-z0-9+/]+={0,2}$")
]
Rung = Literal["full", "small", "voice", "written"]
Reason = Literal[
    "start", "link_good", "link_slow", "link_lossy", "voice_breaking", "silent", "asked", "chosen"
]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,128}$")]
ChatText = Annotated[str, StringConstraints(max_length=MAX_CHAT), AfterValidator(_checked_chat)]


class Join(InSession):
    """Enter, or come back after a broken link."""

    last_event: Number = 0
    epoch: Number | None = None
    participant_token: Token | None = None

    @model_validator(mode="after")
    def _seat_is_whole(self) -> Join:
        if (self.epoch is None) != (self.participant_token is None):
            raise PydanticCustomError(
                "seat_incomplete", N_("epoch và participant_token phải đi cùng nhau")
            )
        return self


class Replay(InSession):
    """The numbered events after the last one seen."""

    after: Number


class Leave(InSession):
    """Go out; the session goes on without the sender."""


class End(InSession):
    """End the session for everybody."""


class State(InSession):
    """What the sender's own devices are doing."""

    muted: bool
    camera_off: bool


class Mode(InSession):
    """The rung that the sender sends on, and the highest that it can receive, each with why."""

    rung: Rung
    reason: Reason
    ask: Rung
    ask_reason: Reason


class Still(InSession):
    """One picture for one other participant, who says when it is there; null: whoever needs one."""

    to: Id | None
    number: Number
    image: Picture


class StillSeen(InSession):
    """A picture has arrived; the next may follow."""

    to: Id
    number: Number


class PictureAsk(InSession):
    """Ask one other participant for a sharp picture of their camera."""

    to: Id


class PictureAnswer(InSession):
    """What became of such a request; `file` is the attachment of a picture that was taken."""

    ask: Positive
    outcome: Literal["waiting", "taken", "declined", "failed"]
    file: Id | None = None

    @model_validator(mode="after")
    def _has_its_file(self) -> PictureAnswer:
        if (self.outcome == "taken") != (self.file is not None):
            raise PydanticCustomError(
                "picture_incomplete", N_("file đi cùng outcome taken, và chỉ với nó")
            )
        return self


class Chat(InSession):
    """A message to everybody in the room. The same key twice is one message."""

    text: ChatText
    key: Id
