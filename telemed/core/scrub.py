"""Free text without what points at a person: known names, numbers, phones, exact dates. Pure.

Shaped after the identifiers of DICOM PS3.15 and HIPAA's safe harbour as far as free text of a
consult holds them. It removes what it is told of and what looks like a number; it cannot know a
name that nobody told it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from telemed.core.text import fold

HIDDEN = "[…]"
SHORTEST_SECRET = 3
_WORD = re.compile(r"\w+")
_DATE = re.compile(r"(?<!\d)\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}(?!\d)|(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_NUMBER = re.compile(r"(?<![\d,.])\+?\d(?:[ .\-]?\d){7,}(?![\d])")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Text with every secret (a name, an address, a number) and every long number or date hidden.

    Secrets are found without regard to marks and case; a name also by its words in a row.
    """
    clean = unicodedata.normalize("NFC", text)
    for words in sorted(_phrases(secrets), key=len, reverse=True):
        clean = _hide(clean, words)
    clean = _DATE.sub(HIDDEN, clean)
    return _NUMBER.sub(HIDDEN, clean)


def _phrases(secrets: Iterable[str]) -> set[tuple[str, ...]]:
    phrases = set()
    for secret in secrets:
        words = tuple(_WORD.findall(fold(secret)))
        if len("".join(words)) >= SHORTEST_SECRET:
            phrases.add(words)
        # People are written about by given and middle name too: “chị Thị Mỷ”.
        if len(words) > 2:
            phrases.add(words[1:])
    return phrases


def _hide(text: str, words: tuple[str, ...]) -> str:
    found = [(match, fold(match.group())) for match in _WORD.finditer(text)]
    pieces, last, index = [], 0, 0
    while index < len(found):
        span = found[index : index + len(words)]
        if tuple(folded for _, folded in span) == words:
            pieces += [text[last : span[0][0].start()], HIDDEN]
            last = span[-1][0].end()
            index += len(words)
        else:
            index += 1
    return "".join([*pieces, text[last:]])
