"""Who may import whom: levels of the house, order of the domains, users of the network."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.architecture.sources import Finding, Source

PRIVATE_ROLES = ("views", "repository")


@dataclass(frozen=True)
class House:
    """The law as data."""

    levels: Mapping[str, Sequence[str]]
    """Name of a level to its modules. Top first; the most exact pattern decides."""
    domains: Sequence[frozenset[str]]
    """Each may use those before it."""
    ignorant: frozenset[str]
    """Rooms that know no domain at all."""
    edge_packages: frozenset[str]
    """Packages that only the top three levels may import."""
    pure: str
    """The level that uses nothing but the standard library and `pure_may_use`."""
    pure_may_use: frozenset[str]
    web_may_use: frozenset[str]
    """Domains that `web` knows; it serves all of them alike."""
    types_only: frozenset[str]
    """Modules whose imports for the type checker alone are free."""

    def level(self, module: str) -> str:
        """The name of the level of a module."""
        matches = [
            (len(pattern.replace("*", "")), -order, name)
            for order, (name, patterns) in enumerate(self.levels.items())
            for pattern in patterns
            if fnmatchcase(module, pattern)
        ]
        return max(matches)[2]

    def rank(self, module: str) -> int:
        """1 is the top; imports go down."""
        return list(self.levels).index(self.level(module)) + 1

    def place(self, module: str) -> int | None:
        """Where in the order the domain of a module stands, None for what is no domain."""
        room = room_of(module)
        return next((i for i, group in enumerate(self.domains) if room in group), None)


def room_of(module: str) -> str:
    """The folder below `telemed` that a module lies in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def check_imports(files: Sequence[Source], house: House) -> Iterator[Finding]:
    """Every import of the package that the law does not allow."""
    known = {file.module for file in files}
    for file in files:
        for line, target, is_for_types in imports(file, known):
            if is_for_types and file.module in house.types_only:
                continue
            problem = _problem(file.module, target, house)
            if problem:
                yield file.finding(line, f"{file.module} imports {target}: {problem}")


def imports(file: Source, known: Iterable[str]) -> Iterator[tuple[int, str, bool]]:
    """Line, module and whether it is for the type checker alone, of every import of a file."""
    modules = set(known)
    for_types = {
        node
        for branch in ast.walk(file.tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test).endswith("TYPE_CHECKING")
        for child in branch.body
        for node in ast.walk(child)
    }
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name, node in for_types
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for name in node.names:
                deeper = f"{base}.{name.name}"
                yield node.lineno, deeper if deeper in modules else base, node in for_types


def _problem(importer: str, target: str, house: House) -> str:
    if target.startswith("."):
        return "write the whole name"
    package = target.split(".", maxsplit=1)[0]
    if package != "telemed":
        return _problem_outside(importer, package, house)
    if house.rank(target) < house.rank(importer):
        return f"{house.level(importer)} may not use {house.level(target)}"
    if house.level(importer) == house.pure and not _is_for_pure(importer, target, house):
        return "pure modules stand alone"
    return _problem_between_rooms(importer, target, house)


def _is_for_pure(importer: str, target: str, house: House) -> bool:
    """Shared by all pure modules, or another part of the importer's own pure package."""
    above = importer.rpartition(".")[0]
    package = above if house.level(above) == house.pure else importer
    return target in house.pure_may_use or target.startswith(f"{package}.")


def _problem_outside(importer: str, package: str, house: House) -> str:
    if package in house.edge_packages and house.rank(importer) > house.rank("telemed.keys"):
        return "only edges speak to the network"
    if house.level(importer) == house.pure and package not in sys.stdlib_module_names:
        return "pure modules use the standard library only"
    return ""


def _problem_between_rooms(importer: str, target: str, house: House) -> str:
    own, other = room_of(importer), room_of(target)
    there = house.place(target)
    if own == other or house.rank(importer) == 1 or there is None:
        return ""
    is_edge = house.rank(importer) <= house.rank("telemed.keys")
    here = house.place(importer)
    is_before = here is not None and there < here
    problems = {
        "another room's views and queries are its own": _role(target) in PRIVATE_ROLES,
        f"{own} knows no domain": own in house.ignorant,
        "web knows no domain": own == "web" and other not in house.web_may_use,
        f"{own} does not stand on {other}": not (
            is_edge or is_before or house.level(target) == house.pure
        ),
    }
    return next((problem for problem, holds in problems.items() if holds), "")


def _role(module: str) -> str:
    """What a file is for: the last word of its name."""
    return re.split(r"[._]", module)[-1]
