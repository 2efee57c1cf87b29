"""What each participant reads before a session is recorded. A text never changes under its version;
a new wording gets a new version, and the old one stays to show what was agreed to.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemed.core.errors import N_


@dataclass(frozen=True)
class RecordingText:
    """The words of the question, its two answers, and the whole text under it."""

    version: str
    question: str
    text: str
    agree: str
    refuse: str


CURRENT = RecordingText(
    "2026-11",
    N_("Ghi lại phiên này?"),
    N_(
        "Tiếng nói và hình ảnh của mọi người trong phiên sẽ được ghi lại và lưu cùng ca. Đây là dữ"
        " liệu cá nhân nhạy cảm: chỉ người có quyền mới xem được, mỗi lượt xem đều được lưu vết."
        " Việc ghi chỉ bắt đầu khi tất cả đều đồng ý. Từ chối không ảnh hưởng đến cuộc gọi. Bạn có"
        " thể rút lại lúc nào cũng được, khi đó việc ghi dừng ngay và bản ghi bị xóa."
    ),
    N_("Đồng ý ghi"),
    N_("Từ chối ghi"),
)

# Wordings that are no longer shown; they stay readable for ever.
EARLIER: tuple[RecordingText, ...] = ()


def find_text(version: str) -> RecordingText | None:
    """The wording that somebody agreed to."""
    return next((text for text in (CURRENT, *EARLIER) if text.version == version), None)
