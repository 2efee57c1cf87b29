"""Routes that name their action: a route without one cannot be written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.core.errors import Invalid

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Values = Mapping[str, Any]
InvalidHandler = Callable[[web.Request, Invalid, Values], Awaitable[web.StreamResponse]]

UID = r"{uid:[A-Za-z0-9_-]{22}}"


@dataclass(frozen=True)
class Route:
    """One door: method, path, what is asked for, who answers, how bad input is shown."""

    method: str
    path: str
    action: Action
    handler: Handler
    on_invalid: InvalidHandler | None
    body_limit: int | None


class Routes:
    """The routes of one room, added to the application by the composition root."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def get(self, path: str, action: Action) -> Callable[[Handler], Handler]:
        """A page or data; never changes anything but the audit chain."""
        return self._add("GET", path, action)

    def post(
        self,
        path: str,
        action: Action,
        *,
        on_invalid: InvalidHandler | None = None,
        body_limit: int | None = None,
    ) -> Callable[[Handler], Handler]:
        """A change. `on_invalid` shows the form again with its values and what is wrong.

        `body_limit` in bytes replaces the application's limit of 1 MiB.
        """
        return self._add("POST", path, action, on_invalid, body_limit)

    def put(
        self, path: str, action: Action, *, body_limit: int | None = None
    ) -> Callable[[Handler], Handler]:
        """A replacement by a script."""
        return self._add("PUT", path, action, None, body_limit)

    def delete(self, path: str, action: Action) -> Callable[[Handler], Handler]:
        """A removal by a script."""
        return self._add("DELETE", path, action)

    def _add(
        self,
        method: str,
        path: str,
        action: Action,
        on_invalid: InvalidHandler | None = None,
        body_limit: int | None = None,
    ) -> Callable[[Handler], Handler]:
        path = path.replace("{uid}", UID)

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, path, action, handler, on_invalid, body_limit))
            return handler

        return register


class RouteTable:
    """Finds the route of a request by its handler."""

    def __init__(self) -> None:
        self._by_handler: dict[tuple[str, Any], Route] = {}

    def add(self, app: web.Application, routes: Routes) -> None:
        """Open the doors of a room."""
        for route in routes:
            if route.method == "GET":
                # Also HEAD, behind the same guard and on the same record.
                app.router.add_get(route.path, route.handler)
            else:
                app.router.add_route(route.method, route.path, route.handler)
            self._by_handler[route.method, route.handler] = route

    def find(self, request: web.Request) -> Route | None:
        """The route of a request, None for an unknown address."""
        method = "GET" if request.method == "HEAD" else request.method
        return self._by_handler.get((method, request.match_info.handler))

    def __iter__(self) -> Iterator[Route]:
        return iter(self._by_handler.values())


ROUTE_TABLE = web.AppKey("route_table", RouteTable)
