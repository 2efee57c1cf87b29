"""What a link profile says to people: which way of talking, at which hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telemed.core.errors import N_
from telemed.media.link import LinkMode, LinkProfile

SUGGESTED: Mapping[LinkMode, tuple[str, str]] = {
    LinkMode.VIDEO: ("video", N_("Đường truyền đủ để gọi có hình")),
    LinkMode.VOICE: ("mic", N_("Đường truyền yếu: nên nói chuyện và gửi ảnh tĩnh")),
    LinkMode.WRITTEN: ("msg", N_("Đường truyền rất yếu: nên trao đổi bằng chữ")),
}
UNKNOWN = ("ask", N_("Chưa đủ số đo để biết đường truyền của trạm"))


@dataclass(frozen=True)
class LinkWords:
    """A profile as it is shown; `text` and `hours` are texts of the catalogue and bare figures."""

    icon: str
    text: str
    is_weak: bool
    hours: str
    profile: LinkProfile


def words_of(profile: LinkProfile) -> LinkWords:
    """The words of a profile."""
    mode = profile.usual.mode
    icon, text = SUGGESTED[mode] if mode else UNKNOWN
    is_weak = mode in {LinkMode.VOICE, LinkMode.WRITTEN}
    return LinkWords(icon, text, is_weak, spans_of(profile.better_hours), profile)


def spans_of(hours: tuple[int, ...]) -> str:
    """`7–9, 15–16`: hours of the day that follow each other as one span."""
    spans: list[list[int]] = []
    for hour in sorted(hours):
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return ", ".join(f"{first}–{last}" for first, last in spans)
