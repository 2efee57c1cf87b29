"""What the media need: descriptions and candidates between two browsers, and those to the relay."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from telemed.core.errors import N_
from telemed.signaling.protocol.base import Id, InSession, Message, Positive

MAX_SDP_BYTES: Final = 64 * 1024
MAX_SDP_LINE: Final = 2048
MAX_SDP_LINES: Final = 2000
MAX_MEDIA_SECTIONS: Final = 24
MAX_CANDIDATE: Final = 1024

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


Sdp = Annotated[str, StringConstraints(max_length=MAX_SDP_BYTES), AfterValidator(_checked_sdp)]


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


class Signal(InSession):
    """Something for the peer connection of one other participant."""

    to: Id
    epoch: Positive


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

    epoch: Positive
    description: OfferDescription


class Subscribe(Publish):
    """An offer to the relay: sections for the voices and pictures of others, in their order."""

    publishers: Annotated[list[Id], Field(min_length=1, max_length=MAX_MEDIA_SECTIONS // 2 - 1)]


class PictureWish(InSession):
    """How much of one other participant's picture is wanted from the relay. Voice always comes."""

    publisher: Id
    picture: Literal["large", "small", "none"]


class Ice(InSession):
    """Ask for ICE servers with credentials that have just been made."""
