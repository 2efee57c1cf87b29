"""One log line an answer: ids, queries and names stay out."""

from __future__ import annotations

from typing import Any

from aiohttp.abc import AbstractAccessLogger


class AccessLogger(AbstractAccessLogger):
    """Method, route pattern, status, time: ids and queries stay out."""

    enabled = True

    def log(self, request: Any, response: Any, time: float) -> None:
        """Write one line for one answer."""
        resource = request.match_info.route.resource
        where = resource.canonical if resource is not None else "-"
        self.logger.info("%s %s %s %.0f ms", request.method, where, response.status, time * 1000)
