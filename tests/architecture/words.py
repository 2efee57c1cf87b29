"""No text that a user reads stands outside the catalogue, and what is in it keeps to the tone."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.architecture.sources import (
    FOREIGN_LETTER,
    NAMES,
    TRANSLATING,
    Finding,
    Source,
    called_name,
    docstrings,
    parents,
)

# Where in the arguments of a refusal its words stand.
MESSAGE_AT = {
    "Invalid": 1,
    "Conflict": 1,
    "TooLarge": 1,
    "Unsupported": 1,
    "Unavailable": 1,
    "Denied": 1,
    "Missing": 1,
    "FieldError": 2,
}
BANNED = {
    "!": "no exclamation marks",
    "\N{EM DASH}": "an en dash with spaces, not an em dash",
    "vui lòng": "say what to do; no 'vui lòng'",
    "oops": "no jokes about trouble",
}


def check_python(files: Iterable[Source]) -> Iterator[Finding]:
    """Vietnamese outside a marking call, and refusals whose words are not marked."""
    for file in files:
        above = parents(file.tree)
        free = set(docstrings(file.tree))
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Constant) and node not in free:
                yield from _unmarked(file, node, above)
            yield from _bare_refusal(file, node)


def _unmarked(file: Source, node: ast.Constant, above: dict[ast.AST, ast.AST]) -> Iterator[Finding]:
    if not (isinstance(node.value, str) and FOREIGN_LETTER.search(NAMES.sub("", node.value))):
        return
    parent = above[node]
    if isinstance(parent, ast.JoinedStr):
        yield file.finding(node, f"an f-string cannot be translated: {node.value!r}")
    elif called_name(parent) not in TRANSLATING:
        yield file.finding(node, f"not marked with N_: {node.value!r}")


def _bare_refusal(file: Source, node: ast.AST) -> Iterator[Finding]:
    place = MESSAGE_AT.get(called_name(node))
    if place is None:
        return
    assert isinstance(node, ast.Call)
    named = [word.value for word in node.keywords if word.arg == "message"]
    for message in [*node.args[place : place + 1], *named]:
        if isinstance(message, ast.Constant | ast.JoinedStr):
            yield file.finding(message, f"the words of {called_name(node)} are not marked with N_")


def marked_in_python(file: Source) -> Iterator[tuple[int, str]]:
    """Line and text of everything marked in a Python file."""
    for node in ast.walk(file.tree):
        if called_name(node) in TRANSLATING:
            assert isinstance(node, ast.Call)
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.lineno, argument.value


def check_tone(file: Source, texts: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    """Marked texts that do not speak as the product speaks."""
    for line, text in texts:
        for banned, reason in BANNED.items():
            if banned in text.lower():
                yield file.finding(line, f"{reason}: {text!r}")
