"""How every Python server of the comparison is run: uvloop, one process, loopback, no access log."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvloop
from aiohttp import web


def serve(make_app: Callable[[int], web.Application]) -> None:
    """Serve on the port given as the only argument until the process is ended."""
    port = int(sys.argv[1])
    web.run_app(
        make_app(port),
        host="127.0.0.1",
        port=port,
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=lambda _line: None,
        shutdown_timeout=1,
    )
