"""What a file is, by its first bytes and never by its name. Pure."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

HEAD_BYTES = 32
LONGEST_NAME = 120


class MediaType(StrEnum):
    """What is taken in."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    PDF = "application/pdf"


IMAGES = frozenset({MediaType.JPEG, MediaType.PNG, MediaType.WEBP})
EXTENSIONS = {
    MediaType.JPEG: ".jpg",
    MediaType.PNG: ".png",
    MediaType.WEBP: ".webp",
    MediaType.PDF: ".pdf",
}


def media_type_of(head: bytes) -> MediaType | None:
    """The type that the first HEAD_BYTES show, None for anything we do not take."""
    if head.startswith(b"\xff\xd8\xff"):
        return MediaType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaType.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return MediaType.WEBP
    if head.startswith(b"%PDF-"):
        return MediaType.PDF
    return None


def display_name(given: str | None, media_type: MediaType) -> str:
    """A name to show and to save under: no path, no control characters, the true extension."""
    text = unicodedata.normalize("NFC", given or "")
    text = re.split(r"[/\\]", text)[-1]
    text = "".join(mark for mark in text if unicodedata.category(mark)[0] != "C")
    stem = text.rsplit(".", 1)[0].strip(" .")[:LONGEST_NAME]
    return (stem or "tep") + EXTENSIONS[media_type]
