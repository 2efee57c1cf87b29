"""What a browser offers: bounded before anything parses it, and fitted to the relay. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from telemed.core.errors import N_, Invalid
from telemed.media.relay import limits

START_KILOBITS: Final = 800
RID: Final = re.compile(r"a=rid:([A-Za-z0-9]{1,16}) send\b")
VP8: Final = re.compile(r"a=rtpmap:(\d+) VP8/90000")
ESTIMATE_OF_THE_SENDER: Final = ("transport-cc", "transport-wide-cc")
SECTION: Final = re.compile(r"m=(audio|video) \d{1,5} UDP/TLS/RTP/SAVPF(?: \d{1,3})+")
CANDIDATE_PARTS: Final = 8
FINGERPRINT: Final = re.compile(r"a=fingerprint:\S+ (?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2}")
# Lines that the parser reads as numbers.
NUMBERED: Final = re.compile(
    r"a=(?:rtpmap:\d{1,3} \S+|fmtp:\d{1,3} .*|rtcp-fb:(?:\d{1,3}|\*) .*"
    r"|extmap:\d{1,2}(?:/\w+)? .*|ssrc:\d{1,10}(?: .*)?|ssrc-group:\w+(?: \d{1,10})+"
    r"|sctp-port:\d{1,5}|max-message-size:\d{1,10})"
)
NUMBERED_KINDS: Final = tuple(
    f"a={name}:"
    for name in (
        *("rtpmap", "fmtp", "rtcp-fb", "extmap", "ssrc", "ssrc-group"),
        *("sctp-port", "max-message-size"),
    )
)


def refused(field: str) -> Invalid:
    """The one refusal for a description that is not what a browser sends."""
    return Invalid(
        "offer_malformed",
        N_("Trình duyệt gửi thông tin cuộc gọi không hợp lệ. Hãy tải lại trang."),
        field=field,
    )


def check_offer(text: str, *, most_sections: int) -> list[str]:
    """The lines of an offer within bounds. Raises `Invalid` for anything else."""
    if len(text) > limits.OFFER_BYTES or not text.isascii():
        raise refused("offer")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    sections = [line for line in lines if line.startswith("m=")]
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    if (
        len(lines) > limits.OFFER_LINES
        or lines[0] != "v=0"
        or not 1 <= len(sections) <= most_sections
        or len(candidates) > limits.OFFER_CANDIDATES
        or not all(map(_is_plain, lines))
        or not all(SECTION.fullmatch(section) for section in sections)
    ):
        raise refused("offer")
    mids = [line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:")]
    bundles = [line.split()[1:] for line in lines if line.startswith("a=group:BUNDLE")]
    # Everything shares one connection, which is the only thing that the relay answers.
    if bundles != [mids] or len(mids) != len(sections) or len(set(mids)) < len(mids):
        raise refused("offer")
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:"):
        if not any(line.startswith(needed) for line in lines):
            raise refused("offer")
    return lines


def _is_plain(line: str) -> bool:
    if len(line) > limits.LINE_BYTES or not line.isprintable() or line[1:2] != "=":
        return False
    if line.startswith("a=candidate:"):
        return len(line.split()) >= CANDIDATE_PARTS
    if line.startswith("a=fingerprint:"):
        return bool(FINGERPRINT.fullmatch(line))
    return not line.startswith(NUMBERED_KINDS) or bool(NUMBERED.fullmatch(line))


def without_candidates(lines: list[str], *, may_be_private: bool) -> list[str]:
    """The offer without the addresses that the relay shall not knock at.

    The browser is found all the same: its own checks tell where they come from. Without the line
    that ends the candidates, the relay waits for them.
    """
    kept = [line for line in lines if not _is_barred(line, may_be_private=may_be_private)]
    # They are of the one path that all sections share: a browser names them in the first, and
    # aiortc takes the last section's word for it.
    return sorted(kept, key=lambda line: line.startswith("a=candidate:"))


def _is_barred(line: str, *, may_be_private: bool) -> bool:
    if line == "a=end-of-candidates":
        return True
    if not line.startswith("a=candidate:"):
        return False
    parts = line.split()
    try:
        address = ipaddress.ip_address(parts[4])
    except ValueError:
        # A name of the local network would be looked up by multicast.
        return True
    if parts[2].lower() != "udp" or not parts[5].isdecimal() or not parts[3].isdecimal():
        return True
    return not (may_be_private or address.is_global)


def for_viewer(lines: list[str]) -> list[str]:
    """A viewer's offer: it tells the rate it can take by REMB, and sends no layers."""
    barred = (*ESTIMATE_OF_THE_SENDER, "rtp-stream-id")
    return [line for line in lines if not any(word in line for word in barred)]


def rids_of(lines: list[str]) -> list[str]:
    """The names of the layers that a publisher offers to send."""
    return [found[1] for line in lines if (found := RID.match(line))][: limits.RIDS]


def finish_answer(answer: str, rids: list[str]) -> str:
    """Accept the layers, and let the browser begin at a rate of use instead of climbing to it."""
    if rids:
        at = answer.index("m=video")
        following = answer.find("\r\nm=", at)
        end = len(answer) if following < 0 else following + 2
        wanted = "".join(f"a=rid:{rid} recv\r\n" for rid in rids)
        wanted += f"a=simulcast:recv {';'.join(rids)}\r\n"
        answer = answer[:end] + wanted + answer[end:]
    if found := VP8.search(answer):
        start = f"\r\na=fmtp:{found[1]} x-google-start-bitrate={START_KILOBITS}"
        answer = answer.replace(found[0], found[0] + start)
    return answer
