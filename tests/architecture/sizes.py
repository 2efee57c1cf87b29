"""How long a thing may be before it is two things."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.architecture.sources import Finding, Source


def check_sizes(
    files: Iterable[Source], *, module_lines: int, function_lines: int
) -> Iterator[Finding]:
    """Files and functions over the budget."""
    for file in files:
        lines = len(file.text.splitlines())
        if lines > module_lines:
            yield file.finding(1, f"{lines} lines, {module_lines} at most")
        if file.path.endswith(".py"):
            yield from _long_functions(file, function_lines)


def _long_functions(file: Source, most: int) -> Iterator[Finding]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            lines = node.end_lineno - node.lineno + 1
            if lines > most:
                yield file.finding(node, f"{node.name} has {lines} lines, {most} at most")
