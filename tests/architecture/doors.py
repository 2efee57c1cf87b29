"""Every way in names what it asks for."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from tests.architecture.sources import Finding, Source, called_name

# What opens a door: a method of the room's routes, or of the events of the socket.
OPENERS = {
    "routes": frozenset({"get", "post", "put", "patch", "delete"}),
    "events": frozenset({"on"}),
}
SIDE_DOORS = frozenset(
    {"add_route", "add_get", "add_post", "add_put", "add_patch", "add_delete", "add_head"}
    | {"add_static", "add_view", "add_routes", "RouteTableDef"}
)


def check_doors(
    files: Iterable[Source], *, actions: Collection[str], may_open_doors: Collection[str]
) -> Iterator[Finding]:
    """Routes and events without an action of the table, and routes made past the table."""
    for file in files:
        for node in ast.walk(file.tree):
            if called_name(node) in SIDE_DOORS and file.path not in may_open_doors:
                assert isinstance(node, ast.Call)
                yield file.finding(node, "a route is opened by @routes alone")
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _nameless(file, node, actions)


def _nameless(
    file: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, actions: Collection[str]
) -> Iterator[Finding]:
    for decorator in function.decorator_list:
        if not _opens(decorator):
            continue
        assert isinstance(decorator, ast.Call)
        named = [word.value for word in decorator.keywords if word.arg == "action"]
        asked = [*decorator.args[1:2], *named]
        if not asked or not _is_action(asked[0], actions):
            yield file.finding(decorator, f"{function.name} names no action of the table")


def _opens(decorator: ast.expr) -> bool:
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
        return False
    owner = decorator.func.value
    name = owner.id.rsplit("_", maxsplit=1)[-1] if isinstance(owner, ast.Name) else ""
    return called_name(decorator) in OPENERS.get(name, frozenset())


def _is_action(node: ast.expr, actions: Collection[str]) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Action"
        and node.attr in actions
    )
