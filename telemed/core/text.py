"""Vietnamese text: clean what was typed, fold it for search, order names."""

import unicodedata
from functools import lru_cache

# Đ has look-alikes (Icelandic eth, African D) that old fonts and keyboards produce for it.
_PLAIN_D = str.maketrans("đðɖ", "ddd")
_PLAIN_CAPITAL_D = str.maketrans("ĐÐƉ", "DDD")
_LETTERS = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_BREVE, _CIRCUMFLEX, _HORN = "\u0306", "\u0302", "\u031b"
_SHAPES = {
    ("a", _BREVE): "ă",
    ("a", _CIRCUMFLEX): "â",
    ("e", _CIRCUMFLEX): "ê",
    ("o", _CIRCUMFLEX): "ô",
    ("o", _HORN): "ơ",
    ("u", _HORN): "ư",
}
# Dictionary order: level, huyền, hỏi, ngã, sắc, nặng.
_TONES = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
_OTHER_MARK = "6"
_WEIGHTS = {" ": "01"} | {
    letter: f"{weight:02x}" for weight, letter in enumerate("0123456789" + _LETTERS, start=0x10)
}
_UNKNOWN = "ff"
_LEVEL_END = "00"
SORT_KEY_LIMIT = 200
REMEMBERED_KEYS = 4096


def clean_line(text: str) -> str:
    """Return typed text on one line: NFC, no control characters, single spaces."""
    return unicodedata.normalize("NFC", " ".join(_visible(text).split()))


def clean_text(text: str) -> str:
    """Return typed text of several lines: NFC, no control characters, at most one blank line."""
    lines: list[str] = []
    for line in _visible(text).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        tidy = clean_line(line)
        if tidy or (lines and lines[-1]):
            lines.append(tidy)
    return "\n".join(lines).rstrip("\n")


def fold(text: str) -> str:
    """Return the search form: no marks, đ as d, lower case, single spaces."""
    lowered = unicodedata.normalize("NFD", _visible(text)).lower()
    bare = "".join(c for c in unicodedata.normalize("NFD", lowered) if not _is_mark(c))
    composed = unicodedata.normalize("NFC", bare.translate(_PLAIN_D))
    return " ".join(composed.split())


def without_marks(text: str) -> str:
    """Return the text in the letters of English, capitals and spaces as they are."""
    spread = unicodedata.normalize("NFD", text.translate(_PLAIN_CAPITAL_D))
    return "".join(letter for letter in spread if not _is_mark(letter)).translate(_PLAIN_D)


def given_name(full_name: str) -> str:
    """Return the given name: the last word of a Vietnamese name."""
    words = clean_line(full_name).split(" ")
    return words[-1]


def initials(full_name: str) -> str:
    """Return the letters of an avatar: first letters of the family and the given name."""
    words = clean_line(full_name).split()
    ends = words if len(words) < 2 else (words[0], words[-1])
    return "".join(word[0].upper() for word in ends)


@lru_cache(REMEMBERED_KEYS)
def sort_key_vi(name: str, *, by_given_name: bool = False) -> str:
    """Return a key of hexadecimal digits that sorts as a Vietnamese dictionary does.

    The digits compare alike in every collation, so the key can live in an indexed column; it is
    cut where a column ends, which keeps the order of all but absurdly long names.
    """
    line = clean_line(name)
    key = _sort_key(line)
    if by_given_name:
        key = f"{_sort_key(given_name(line))}{_LEVEL_END}{key}"
    return key[:SORT_KEY_LIMIT]


def _sort_key(line: str) -> str:
    """Letters decide first, then tones, then case: the levels of the Unicode collation."""
    letters, tones, cases = [], [], []
    for base, marks in _clusters(line):
        lower = base.lower()
        letter = lower
        for mark in marks:
            letter = _SHAPES.get((letter, mark), letter)
        letters.append(_weight(letter))
        tones.append(_tone(lower, letter, marks))
        cases.append("0" if base == lower else "1")
    return _LEVEL_END.join(("".join(letters), "".join(tones), "".join(cases)))


def _weight(letter: str) -> str:
    return _WEIGHTS.get(letter) or f"{_UNKNOWN}{ord(letter[0]):06x}"


def _tone(base: str, letter: str, marks: str) -> str:
    rest = [mark for mark in marks if _SHAPES.get((base, mark)) != letter or letter == base]
    return max((_TONES.get(mark, _OTHER_MARK) for mark in rest), default="0")


def _clusters(line: str) -> list[tuple[str, str]]:
    clusters: list[tuple[str, str]] = []
    for char in unicodedata.normalize("NFD", line):
        if _is_mark(char) and clusters:
            base, marks = clusters[-1]
            clusters[-1] = (base, marks + char)
        else:
            clusters.append((char, ""))
    return clusters


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _visible(text: str) -> str:
    """Drop control, format and surrogate characters; they hide in pasted text or break storage."""
    return "".join(
        c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )
