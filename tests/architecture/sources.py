"""Files of the project as the rules see them, and what a rule has to say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = frozenset({"vendor", "catalogue", "node_modules"})
FOREIGN_LETTER = re.compile(r"[^\W\d_a-zA-Z]")
ANY_LETTER = re.compile(r"[^\W\d_]")
# The same in every language.
NAMES = re.compile(r"\b(Telemed|Cốc Cốc)\b")
TRANSLATING = frozenset({"N_", "_", "gettext", "ngettext", "pgettext", "npgettext", "t"})


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


@dataclass(frozen=True)
class Source:
    """One text file, by its path from the root of the project."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        """The dotted name of a Python file."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def finding(self, where: int | ast.stmt | ast.expr, problem: str) -> Finding:
        """Something wrong at a line or a node."""
        return Finding(self.path, where if isinstance(where, int) else where.lineno, problem)


def sources(*patterns: str) -> list[Source]:
    """The files that match, sorted; nothing that others wrote or a tool made."""
    paths = sorted({path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()})
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text())
        for path in paths
        if NOT_OURS.isdisjoint(path.parts)
    ]


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Every node's parent."""
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def called_name(node: ast.AST | None) -> str:
    """The last part of what a call calls; nothing for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """The docstrings of a module and of everything in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value
