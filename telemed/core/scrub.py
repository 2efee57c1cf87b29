"""Free text without what points at a person: known names, numbers, phones, exact dates. Pure.

Shaped after the identifiers of DICOM PS3.15 and HIPAA's safe harbour as far as free text of a
consult holds them. It removes what it is told of and what looks like a number or a date; it cannot
know a name that nobody told it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from telemed.core.text import fold

HIDDEN = "[…]"
SHORTEST_SECRET = 3
# What stands before a given name; without its marks only where that is no other common word.
_ADDRESS = frozenset(
    [
        *("anh", "chị", "chi", "ông", "ong", "bà", "cô", "chú", "chu", "bác", "bac", "em", "cháu"),
        *("chau", "bé", "cụ", "cậu", "dì", "mợ", "thím", "bố", "mẹ", "vợ", "chồng", "con", "tên"),
        *("bn", "nhân", "nhan"),
    ]
)
_ENDS_SENTENCE = frozenset(".!?:;\n")
_DATE = re.compile(
    r"""
    (?<!\d) \d{1,2} \s? [/.\-] \s? \d{1,2} \s? [/.\-] \s? (?:\d{4}|\d{2}) (?!\d)
  | (?<!\d) \d{4} \s? [/.\-] \s? \d{1,2} \s? [/.\-] \s? \d{1,2} (?!\d)
  | \b (?:ngày|ngay|mùng|mồng) \s+ \d{1,2} \s* (?:tháng|thang|[/.\-]) \s* \d{1,2} \b
    (?: \s* (?:năm|nam|[/.\-]) \s* \d{2,4} \b )?
  | (?<!\d) \d{1,2} \s+ (?:tháng|thang) \s+ \d{1,2} \s+ (?:năm|nam) \s+ \d{2,4} \b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<!\d)\+?\d(?:[ .\-()]{0,2}\d){7,}")


@dataclass(frozen=True)
class _Word:
    """A run of letters and digits with whatever marks hang on them."""

    start: int
    end: int
    written: str
    folded: str


def scrub(text: str, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> str:
    """Text with every secret, every name and every long number or date hidden.

    Both are found without regard to marks, case, and what parts their words. Of a name also its
    last words, with and without the family name, and the given name alone where it is clearly used
    as one. One pass over the words, however many phrases there are.
    """
    clean = unicodedata.normalize("NFC", text)
    words = _words(clean)
    people = [name for name in map(_words, names) if name]
    spans = _spans(words, _phrases(map(_words, secrets), people))
    for name in people:
        spans += _given_name(clean, words, name[-1])
    clean = _without(clean, sorted(spans))
    clean = _DATE.sub(HIDDEN, clean)
    return _NUMBER.sub(HIDDEN, clean)


def _phrases(
    secrets: Iterable[Sequence[_Word]], people: Iterable[Sequence[_Word]]
) -> frozenset[str]:
    phrases = set()
    for words in (*secrets, *people):
        folded = [word.folded for word in words]
        phrases.add("".join(folded))
        # “Chị Thị Mỷ”, “Giàng Páo”; and of “Bản Co Chạy” also the name without its kind.
        for first in range(1, len(folded)):
            ending = "".join(folded[first:])
            phrases.add(folded[0] + ending)
            if first < len(folded) - 1:
                phrases.add(ending)
    return frozenset(phrase for phrase in phrases if len(phrase) >= SHORTEST_SECRET)


def _words(text: str) -> list[_Word]:
    words, start = [], 0
    for is_word, run in groupby(text, _belongs_to_a_word):
        written = "".join(run)
        if is_word and (folded := fold(written)):
            words.append(_Word(start, start + len(written), written, folded))
        start += len(written)
    return words


def _belongs_to_a_word(char: str) -> bool:
    """Letters, digits, marks, and what is dropped unseen when text is folded."""
    kind = unicodedata.category(char)
    return char.isalnum() or kind[0] == "M" or (kind[0] == "C" and not char.isspace())


def _spans(words: Sequence[_Word], phrases: frozenset[str]) -> list[tuple[int, int]]:
    """Where words in a row make up a phrase, however they are parted."""
    beginnings = {phrase[:length] for phrase in phrases for length in range(1, len(phrase) + 1)}
    spans = []
    for first, start in enumerate(words):
        read, last = start.folded, first
        while read in beginnings:
            if read in phrases:
                spans.append((start.start, words[last].end))
            last += 1
            if last == len(words):
                break
            read += words[last].folded
    return spans


def _given_name(text: str, words: Sequence[_Word], given: _Word) -> list[tuple[int, int]]:
    spans = []
    for word, previous in zip(words, [None, *words], strict=False):
        if word.folded != given.folded:
            continue
        between = text[previous.end : word.start] if previous else ""
        if _is_used_as_name(word, previous, between, given):
            spans.append((word.start, word.end))
    return spans


def _is_used_as_name(word: _Word, previous: _Word | None, between: str, given: _Word) -> bool:
    """After a form of address; with its own marks and a capital: “Hồ”, but not “ho khan”; or with
    a capital where no sentence begins.
    """
    if previous is not None and previous.written.lower() in _ADDRESS:
        return True
    if not word.written[0].isupper():
        return False
    same = unicodedata.normalize("NFC", given.written).lower() == word.written.lower()
    return same or (previous is not None and not _ENDS_SENTENCE & set(between))


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Text with its spans hidden, those that touch one another as one."""
    pieces, last = [], 0
    for start, end in spans:
        if start >= last:
            pieces += [text[last:start], HIDDEN]
        last = max(last, end)
    return "".join([*pieces, text[last:]])
