"""Free text without what points at a person: known names, numbers, phones, exact dates. Pure.

Shaped after the identifiers of DICOM PS3.15 and HIPAA's safe harbour as far as free text of a
consult holds them. It removes what it is told of and what looks like a number or a date; it cannot
know a name that nobody told it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from telemed.core.text import fold

HIDDEN = "[…]"
SHORTEST_SECRET = 3
# What stands before a given name; without its marks only where that is no other common word.
_ADDRESS = frozenset(
    [
        *("anh", "chị", "chi", "ông", "ong", "bà", "cô", "chú", "chu", "bác", "bac", "em", "cháu"),
        *("chau", "bé", "cụ", "cậu", "dì", "mợ", "thím", "bố", "mẹ", "vợ", "chồng", "con", "tên"),
    ]
)
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
    last words, and the given name alone where it is clearly used as one.
    """
    clean = unicodedata.normalize("NFC", text)
    people = [_words(name) for name in names]
    words = _words(clean)
    hiders = [
        *(partial(_spans, phrase=phrase) for phrase in _longest_first(_phrases(secrets, people))),
        *(partial(_given_name, name=person) for person in people if person),
    ]
    for hider in hiders:
        # Most texts name nobody: their words are read once.
        if spans := list(hider(words)):
            clean = _without(clean, spans)
            words = _words(clean)
    clean = _DATE.sub(HIDDEN, clean)
    return _NUMBER.sub(HIDDEN, clean)


def _phrases(secrets: Iterable[str], people: Iterable[Sequence[_Word]]) -> set[str]:
    phrases = set()
    for words in [*map(_words, secrets), *people]:
        folded = [word.folded for word in words]
        phrases.add("".join(folded))
        # “Chị Thị Mỷ”; and of “Bản Co Chạy” also the name without its kind.
        if len(folded) > 2:
            phrases |= {"".join(folded[1:]), folded[0] + folded[-1]}
    return {phrase for phrase in phrases if len(phrase) >= SHORTEST_SECRET}


def _longest_first(phrases: Iterable[str]) -> list[str]:
    return sorted(phrases, key=len, reverse=True)


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


def _spans(words: Sequence[_Word], phrase: str) -> Iterator[tuple[int, int]]:
    """Where words in a row make up the phrase, however they are parted."""
    for first in range(len(words)):
        read = ""
        for word in words[first:]:
            read += word.folded
            if read == phrase:
                yield words[first].start, word.end
            if not phrase.startswith(read):
                break


def _given_name(words: Sequence[_Word], name: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    given = name[-1]
    for word, previous in zip(words, [None, *words], strict=False):
        if word.folded == given.folded and _is_used_as_name(word, previous, given):
            yield word.start, word.end


def _is_used_as_name(word: _Word, previous: _Word | None, given: _Word) -> bool:
    """After a form of address; or with its own marks and a capital: “Hồ”, but not “ho khan”."""
    if previous is not None and previous.written.lower() in _ADDRESS:
        return True
    same = unicodedata.normalize("NFC", given.written).lower() == word.written.lower()
    return same and word.written[0].isupper()


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, last = [], 0
    for start, end in spans:
        if start >= last:
            pieces += [text[last:start], HIDDEN]
            last = end
    return "".join([*pieces, text[last:]])
