"""Text in browser modules: what is not plain ASCII is for people, so it goes through `t()`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tests.architecture.sources import FOREIGN_LETTER, Finding, Source

# Comments first, then strings; a regular expression only where one may start.
_TOKEN = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<string> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<template> `(?:[^`\\]|\\.)*` )
  | (?P<regex> (?<=[(,=:\[!&|?{};\n]) [ ]? /(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/ )
    """,
    re.VERBOSE | re.DOTALL,
)
_EXPRESSION = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}")
_TRANSLATING = re.compile(r"\bt\(\s*$")


def strings(code: str, line: int = 1) -> Iterator[tuple[int, str, bool]]:
    """Line, content and whether it is given to `t`, of every string of a piece of code."""
    for match in _TOKEN.finditer(code):
        here = line + code.count("\n", 0, match.start())
        is_given = bool(_TRANSLATING.search(code[: match.start()][-40:]))
        if match["string"]:
            yield here, match["string"][1:-1], is_given
        elif match["template"]:
            # A text with values built in cannot be looked up, whoever it is given to.
            yield here, _EXPRESSION.sub("", match["template"][1:-1]), False
            for inner in _EXPRESSION.finditer(match["template"]):
                yield from strings(inner[1], here + match["template"].count("\n", 0, inner.start()))


def check_scripts(files: Iterable[Source]) -> Iterator[Finding]:
    """Strings for people that are not given to `t`."""
    for file in files:
        for line, text, is_given in strings(file.text):
            if FOREIGN_LETTER.search(text) and not is_given:
                yield file.finding(line, f"outside t(): {text!r}")


def marked_in_script(file: Source) -> Iterator[tuple[int, str]]:
    """Line and text of everything given to `t`."""
    for line, text, is_given in strings(file.text):
        if is_given:
            yield line, text
