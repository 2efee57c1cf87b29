"""The signalling protocol as data: event names, limits, one frozen model per event. No sockets here.

`docs/protocol.md` is the same thing in words; a change here is a change there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from telemed.core.errors import N_

PROTOCOL_VERSION: Final = 1
SOCKET_PATH: Final = "/socket.io/"

MAX_MESSAGE_BYTES: Final = 128 * 1024
MAX_SDP_BYTES: Final = 64 * 1024
MAX_SDP_LINE: Final = 2048
MAX_SDP_LINES: Final = 2000
MAX_MEDIA_SECTIONS: Final = 24
MAX_CANDIDATE: Final = 1024
MAX_CHAT: Final = 2000
MAX_STILL: Final = 24_576
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
_SDP_LINE = re.compile(r"[a-z]=[^\x00-\x08\x0b-\x1f\x7f]*\Z")
_CANDIDATE = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} \d{1,3} (?i:udp|tcp) \d{1,10} "
    r"[0-9A-Za-z.:_-]{1,255} \d{1,5} typ (?:host|srflx|prflx|relay)"
    r"(?: [A-Za-z0-9-]{1,32} [0-9A-Za-z.:_+/-]{1,256})*\Z",
    re.ASCII,
)


def _checked_sdp(sdp: str) -> str:
    if len(sdp.encode("utf-8", "replace")) > MAX_SDP_BYTES:
        raise PydanticCustomError("sdp_too_large", N_("Mô tả phiên lớn hơn 64 kB"))
    if not sdp.endswith("\n"):
        raise PydanticCustomError("sdp_malformed", N_("Mô tả phiên thiếu dòng cuối"))
    lines = [line.removesuffix("\r") for line in sdp[:-1].split("\n")]
    if len(lines) > MAX_SDP_LINES:
        raise PydanticCustomError("sdp_line_count", N_("Mô tả phiên nhiều hơn 2000 dòng"))
    if lines[0] != "v=0" or len(lines) < 4:
        raise PydanticCustomError("sdp_malformed", N_("Mô tả phiên phải bắt đầu bằng v=0"))
    if any(len(line) > MAX_SDP_LINE or not _SDP_LINE.match(line) for line in lines):
        raise PydanticCustomError("sdp_malformed", N_("Mô tả phiên có dòng sai dạng"))
    media = sum(line.startswith("m=") for line in lines)
    if not 1 <= media <= MAX_MEDIA_SECTIONS:
        raise PydanticCustomError("sdp_media_count", N_("Mô tả phiên phải có từ 1 đến 24 dòng m="))
    return sdp


def _checked_candidate(candidate: str) -> str:
    # An empty text is the standard's own mark for "no more candidates".
    if candidate and not _CANDIDATE.match(candidate):
        raise PydanticCustomError("candidate_malformed", N_("Địa chỉ ứng viên sai dạng"))
    return candidate


def _checked_chat(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise PydanticCustomError("text_empty", N_("Tin nhắn chưa có chữ nào"))
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in text):
        raise PydanticCustomError("text_malformed", N_("Tin nhắn có ký tự điều khiển"))
    return text


Id = Annotated[str, StringConstraints(pattern=_ID)]
Channel = Annotated[str, StringConstraints(pattern=_CHANNEL)]
Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
# WebP in base64: the bytes begin with "RIFF".
Picture = Annotated[
    str, StringConstraints(max_length=MAX_STILL, pattern=r"^UklGR[A-Za-z0-9+/]+={0,2}$")
]
Rung = Literal["full", "small", "voice", "written"]
Reason = Literal[
    "start", "link_good", "link_slow", "link_lossy", "voice_breaking", "silent", "asked", "chosen"
]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,128}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{1,20}$")]
PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
GiverName = Annotated[str, StringConstraints(max_length=100, pattern=PLAIN)]
Sdp = Annotated[str, StringConstraints(max_length=MAX_SDP_BYTES), AfterValidator(_checked_sdp)]
ChatText = Annotated[str, StringConstraints(max_length=MAX_CHAT), AfterValidator(_checked_chat)]


class Message(BaseModel):
    """What every part of an event obeys: nothing extra, nothing coerced, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfferDescription(Message):
    """An RTCSessionDescriptionInit of type offer."""

    type: Literal["offer"]
    sdp: Sdp


class AnswerDescription(Message):
    """An RTCSessionDescriptionInit of type answer."""

    type: Literal["answer"]
    sdp: Sdp


class Candidate(Message):
    """An RTCIceCandidateInit, on the wire under the standard's own field names."""

    model_config = ConfigDict(alias_generator=to_camel)

    candidate: Annotated[
        str, StringConstraints(max_length=MAX_CANDIDATE), AfterValidator(_checked_candidate)
    ]
    sdp_mid: Annotated[str, StringConstraints(max_length=64)] | None = None
    sdp_m_line_index: Annotated[int, Field(ge=0, lt=MAX_MEDIA_SECTIONS)] | None = None
    username_fragment: Annotated[str, StringConstraints(max_length=256)] | None = None


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


class Signal(InSession):
    """Something for the peer connection of one other participant."""

    to: Id
    epoch: Annotated[int, Field(ge=1, le=MAX_NUMBER)]


class Offer(Signal):
    """An offer for one other participant."""

    description: OfferDescription


class Answer(Signal):
    """The answer to an offer."""

    description: AnswerDescription


class TrickledCandidate(Signal):
    """One candidate; null when there are no more."""

    candidate: Candidate | None


class Publish(InSession):
    """An offer to the relay: what the sender's devices give."""

    epoch: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    description: OfferDescription


class Subscribe(Publish):
    """An offer to the relay: sections for the voices and pictures of others, in their order."""

    publishers: Annotated[list[Id], Field(min_length=1, max_length=MAX_MEDIA_SECTIONS // 2 - 1)]


class PictureWish(InSession):
    """How much of one other participant's picture is wanted from the relay. Voice always comes."""

    publisher: Id
    picture: Literal["large", "small", "none"]


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
    """One picture for one other participant, who says when it is there."""

    to: Id
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

    ask: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
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


class Leave(InSession):
    """Go out; the session goes on without the sender."""


class Ring(InSession):
    """Call those who are not in the room."""


class FindPeople(InSession):
    """People to invite, by a part of their name."""

    name: Annotated[str, StringConstraints(min_length=2, max_length=80, pattern=PLAIN)]


class Invite(InSession):
    """Call somebody into the room, in a capacity that everybody there is told."""

    person: Id
    capacity: Literal["colleague", "interpreter", "trainer", "trainee"]


class Remove(InSession):
    """Take an invitation back, and send whoever came by it out."""

    participant: Id


class Ice(InSession):
    """Ask for ICE servers with credentials that have just been made."""


class DeclineRing(InSession):
    """Not now."""


class End(InSession):
    """End the session for everybody."""


class Record(InSession):
    """Ask everybody inside about recording; or pause it, resume it, end it."""


class RecordAnswer(InSession):
    """What the sender says to it; or what the patient said aloud, noted by their station."""

    is_agreed: bool
    text_version: Version
    for_patient: bool = False
    giver_name: GiverName = ""


class RecordWithdraw(InSession):
    """Take an agreement back, the own one or the patient's: the recording ends and is deleted."""

    for_patient: bool = False


EVENTS: Final[Mapping[str, type[Message]]] = MappingProxyType(
    {
        "probe": Probe,
        "channel:watch": Watch,
        "channel:unwatch": Unwatch,
        "session:join": Join,
        "session:replay": Replay,
        "session:offer": Offer,
        "session:answer": Answer,
        "session:candidate": TrickledCandidate,
        "session:publish": Publish,
        "session:subscribe": Subscribe,
        "session:wish": PictureWish,
        "session:state": State,
        "session:mode": Mode,
        "session:still": Still,
        "session:still-seen": StillSeen,
        "session:picture-ask": PictureAsk,
        "session:picture-answer": PictureAnswer,
        "session:chat": Chat,
        "session:leave": Leave,
        "session:ice": Ice,
        "session:ring": Ring,
        "session:find-people": FindPeople,
        "session:invite": Invite,
        "session:remove": Remove,
        "session:decline-ring": DeclineRing,
        "session:end": End,
        "session:record-ask": Record,
        "session:record-answer": RecordAnswer,
        "session:record-withdraw": RecordWithdraw,
        "session:record-pause": Record,
        "session:record-resume": Record,
        "session:record-stop": Record,
    }
)
