"""What a PDF says and looks like."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pypdfium2

SHOTS = Path(__file__).parent / "browser" / "shots"


def text_of(pdf: bytes) -> str:
    """All words of all pages, one blank between any two."""
    pages = pypdfium2.PdfDocument(pdf)
    found = " ".join(page.get_textpage().get_text_range() for page in pages)
    return re.sub(r"\s+", " ", found)


def count_pages(pdf: bytes) -> int:
    return len(pypdfium2.PdfDocument(pdf))


def keep_picture(pdf: bytes, name: str) -> None:
    """Each page as a picture, for people to look at."""
    SHOTS.mkdir(exist_ok=True)
    for number, page in enumerate(pypdfium2.PdfDocument(pdf), start=1):
        page.render(scale=1.5).to_pil().save(SHOTS / f"{name}-{number}.png")


def is_in_order(text: str, *words: str) -> bool:
    """Whether words follow each other on paper."""
    places = [text.find(word) for word in words]
    return -1 not in places and all(first < second for first, second in pairwise(places))
