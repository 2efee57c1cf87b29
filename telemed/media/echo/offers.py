"""What a browser offers for a synthetic call: one section of data, bounded before anything parses it. Pure."""

from __future__ import annotations

import re
from typing import Final

from telemed.core.errors import N_, Invalid
from telemed.media.relay.offers import without_candidates

OFFER_BYTES: Final = 16 * 1024
LINE_LETTERS: Final = 512
LINES: Final = 120
SECTION: Final = re.compile(r"m=application \d{1,5} UDP/DTLS/SCTP webrtc-datachannel")
NEEDED: Final = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:", "a=mid:")
# Lines that the parser takes apart without asking what they look like.
SHAPED: Final = {
    "a=candidate:": re.compile(r"a=candidate:(?:\S+ ){7,}\S+"),
    "a=fingerprint:": re.compile(r"a=fingerprint:\S+ (?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2}"),
    "a=sctp-port:": re.compile(r"a=sctp-port:\d{1,5}"),
    "a=max-message-size:": re.compile(r"a=max-message-size:\d{1,10}"),
}


def refused() -> Invalid:
    """The one refusal for a description that is not what a browser sends."""
    text = N_("Trình duyệt gửi thông tin cuộc gọi không hợp lệ. Hãy tải lại trang.")
    return Invalid("offer_malformed", text, field="offer")


def checked_offer(text: str) -> str:
    """An offer within bounds, without the addresses that the server shall not knock at.

    The browser's own checks tell where it is. Raises `Invalid` for anything else.
    """
    if len(text) > OFFER_BYTES or not text.isascii():
        raise refused()
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    sections = [line for line in lines if line.startswith("m=")]
    if (
        len(lines) > LINES
        or lines[0] != "v=0"
        or len(sections) != 1
        or not SECTION.fullmatch(sections[0])
        or not all(map(_is_plain, lines))
        or not all(any(line.startswith(start) for line in lines) for start in NEEDED)
    ):
        raise refused()
    return "\r\n".join(without_candidates(lines, may_be_private=False)) + "\r\n"


def _is_plain(line: str) -> bool:
    if len(line) > LINE_LETTERS or not line.isprintable() or line[1:2] != "=":
        return False
    return all(shape.fullmatch(line) for start, shape in SHAPED.items() if line.startswith(start))
