"""What is said outside the application: one sentence and the way back in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from telemed.core.errors import N_, Param
from telemed.core.text import without_marks
from telemed.notices.kinds import NoticeKind, sentence
from telemed.notices.outbox import Parcel

GREETING = N_(
    "Telemed báo: {sentence}.\n\nMở để xem: {link}\n\nThư này không chứa thông tin người bệnh. "
    "Đổi cách nhận thông báo: {preferences}\n"
)
CODE_MAIL = N_(
    "Mã xác nhận địa chỉ thư của bạn ở Telemed: {code}\n\nMã dùng được trong 30 phút. "
    "Nếu bạn không yêu cầu, bỏ qua thư này.\n"
)


class Translator(Protocol):
    """The catalogue, as far as it is needed here."""

    def translate(self, locale: str, message: str, params: Mapping[str, Param]) -> str:
        """A message in a language."""
        ...


class Texts:
    """Messages of one installation."""

    def __init__(self, catalogue: Translator, origin: str) -> None:
        self._catalogue = catalogue
        self._origin = origin

    def sentence(self, parcel: Parcel) -> str:
        """What it is about, in the reader's language."""
        return self._say(parcel, sentence(parcel.kind, is_urgent=parcel.is_urgent), parcel.data)

    def link(self, parcel: Parcel) -> str:
        """Where it is read; whoever opens it has read it."""
        return f"{self._origin}/notices/{parcel.notice_uid}"

    def mail(self, parcel: Parcel) -> str:
        """The whole text of a mail."""
        if parcel.kind is NoticeKind.MAIL_CODE:
            return self._say(parcel, CODE_MAIL, parcel.data)
        words = {
            "sentence": self.sentence(parcel),
            "link": self.link(parcel),
            "preferences": f"{self._origin}/account/notices",
        }
        return self._say(parcel, GREETING, words)

    def sms(self, parcel: Parcel) -> str:
        """One short message; without marks it is one of 160 letters, not three of 70."""
        return without_marks(f"Telemed: {self.sentence(parcel)}. {self.link(parcel)}")

    def _say(self, parcel: Parcel, message: str, words: Mapping[str, Any]) -> str:
        known = {name: value for name, value in words.items() if f"{{{name}}}" in message}
        return self._catalogue.translate(parcel.locale, message, known)
