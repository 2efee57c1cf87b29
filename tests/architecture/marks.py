"""Small things that grow: unfinished work, silenced checkers, traces of one machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from tests.architecture.sources import Finding, Source

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")
SILENCED = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[\w, -]+\])?)(?P<reason>.*)"
)
NOT_RUN = re.compile(
    r"\bpytest\.(?:mark\.)?(?:skip|skipif|xfail)\b|\b(?:test|it|describe)\.(?:skip|only)\b"
)
TRACES: Mapping[str, re.Pattern[str]] = {
    "the address of a registry": re.compile(
        r"(?:pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.org|index[-]url|\"resolved\": \"http)"
    ),
    "a folder of one machine": re.compile(r"/(?:work|root|home/\w+)/"),
}


def check_marks(files: Iterable[Source]) -> Iterator[Finding]:
    """Unfinished work, tests that do not run, silenced checkers without a reason, traces."""
    for file in files:
        for number, line in enumerate(file.text.splitlines(), start=1):
            if UNFINISHED.search(line):
                yield file.finding(number, "unfinished")
            if NOT_RUN.search(line):
                yield file.finding(number, "a test that does not run")
            silenced = SILENCED.search(line)
            if silenced and not re.search(r"\w{3}", silenced["reason"]):
                yield file.finding(number, "a silenced checker without a reason")
            for what, pattern in TRACES.items():
                if pattern.search(line):
                    yield file.finding(number, f"names {what}")


def check_models(files: Iterable[Source]) -> Iterator[Finding]:
    """Postponed annotations break the tables of sqlmodel."""
    for file in files:
        tables = [node for node in ast.walk(file.tree) if _is_table(node)]
        for node in ast.walk(file.tree):
            if tables and isinstance(node, ast.ImportFrom) and node.module == "__future__":
                yield file.finding(node, "a module with tables evaluates its annotations")


def _is_table(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(word.arg == "table" for word in node.keywords)
