"""Text in templates: every letter a reader sees goes through the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

import jinja2

from tests.architecture.sources import (
    ANY_LETTER,
    FOREIGN_LETTER,
    NAMES,
    TRANSLATING,
    Finding,
    Source,
)

SPOKEN = frozenset(
    {
        "alt",
        "title",
        "placeholder",
        "label",
        "aria-label",
        "aria-description",
        "aria-roledescription",
    }
    | {"aria-placeholder", "aria-valuetext", "summary"}
)
# Scripts are not read; keys of the keyboard have one name everywhere.
UNSEEN = frozenset({"script", "style", "kbd"})
STAND_IN = "\N{OBJECT REPLACEMENT CHARACTER}"
_ENVIRONMENT = jinja2.Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
_ATTRIBUTE = re.compile(r"""([a-z-]+)=["']([^"']*)["']""")
# A macro may also make an id for others: a word, a hyphen, a value.
_ID = re.compile(rf"[a-z]+-{STAND_IN}")
_LITERAL = re.compile(r"^(['\"])(.*)\1$", re.DOTALL)

Token = tuple[int, str, str]


def check_templates(files: Iterable[Source]) -> Iterator[Finding]:
    """Letters in text and in spoken attributes, and Vietnamese in expressions, left unmarked."""
    for file in files:
        tokens = list(_ENVIRONMENT.lex(file.text))
        yield from _unmarked_literals(file, tokens)
        reader = _Reader()
        reader.feed(_page(tokens))
        reader.close()
        for line, text in reader.spoken:
            yield file.finding(line, f"outside the catalogue: {text!r}")


def marked_in_template(file: Source) -> Iterator[tuple[int, str]]:
    """Line and text of everything that a template gives to the catalogue."""
    for line, _function, texts in _ENVIRONMENT.extract_translations(file.text):  # type: ignore[attr-defined] # added by the extension
        for text in texts if isinstance(texts, tuple) else (texts,):
            if isinstance(text, str):
                yield line, text


def _page(tokens: list[Token]) -> str:
    """The page with a stand-in for each expression, without marked blocks, on the same lines."""
    page, here, is_marked = "", 1, False
    for index, (line, kind, value) in enumerate(tokens):
        if kind == "block_begin":
            name = _first_name(tokens, index)
            is_marked = name in {"trans", "pluralize"} or (is_marked and name != "endtrans")
        if is_marked or kind not in {"data", "variable_begin"}:
            continue
        piece = value if kind == "data" else STAND_IN
        page += "\n" * (line - here) + piece
        here = max(here, line) + piece.count("\n")
    return page


def _first_name(tokens: list[Token], index: int) -> str:
    return next(value for _, kind, value in tokens[index + 1 :] if kind == "name")


def _unmarked_literals(file: Source, tokens: list[Token]) -> Iterator[Finding]:
    """A string with Vietnamese letters must stand directly in a call that translates."""
    calls: list[str] = []
    before = ""
    for line, kind, value in tokens:
        if kind == "whitespace":
            continue
        if value in {"(", "[", "{"}:
            calls.append(before)
        elif value in {")", "]", "}"} and calls:
            calls.pop()
        match = _LITERAL.match(value) if kind == "string" else None
        is_given = bool(calls) and calls[-1] in TRANSLATING
        if match and FOREIGN_LETTER.search(match[2]) and not is_given:
            yield file.finding(line, f"not marked with _: {match[2]!r}")
        before = value


class _Reader(HTMLParser):
    """Collects what a browser would show or speak."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.spoken: list[tuple[int, str]] = []
        self._unseen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen = tag if tag in UNSEEN else ""
        self._hear_attributes((name, value or "") for name, value in attrs)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = ""

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        # A macro may make attributes for the tag of another macro.
        self._hear_attributes(_ATTRIBUTE.findall(data))
        self._hear(_ATTRIBUTE.sub(lambda match: "\n" * match[0].count("\n"), data))

    def _hear_attributes(self, attributes: Iterable[tuple[str, str]]) -> None:
        for name, value in attributes:
            if name in SPOKEN:
                self._hear(value)

    def _hear(self, text: str) -> None:
        letter = ANY_LETTER.search(NAMES.sub("", _ID.sub("", text)))
        if letter:
            line = self.getpos()[0] + text[: letter.start()].count("\n")
            self.spoken.append((line, " ".join(text.split())))
