"""Log lines without personal data: no query strings, no bodies, no names."""

from __future__ import annotations

import logging

_NOISY = ("aiosqlite", "asyncio", "alembic", "aiohttp.access", "engineio", "socketio", "PIL")


def set_up(level: str) -> None:
    """One line an event on standard error; libraries speak from warnings up."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
