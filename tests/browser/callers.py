"""A served installation with prepared rows, and people who are signed in at browsers of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page

from telemed.core.config import Settings
from tests.browser.conftest import Visitors
from tests.conftest import make_settings
from tests.servers import Telemed

PreparedT = TypeVar("PreparedT")


def serve(
    directory: Path,
    secret_key: str,
    prepare: Callable[[Settings], Coroutine[Any, Any, PreparedT]],
    **changes: str,
) -> tuple[Telemed, PreparedT]:
    """A migrated installation with these settings, being served, with what `prepare` put into it."""
    settings = make_settings(data_dir=directory / "var", secret_key=secret_key)
    server = Telemed(directory, secret_key=secret_key, **changes)
    server.command("migrate")
    # Playwright may hold the loop of this thread.
    with ThreadPoolExecutor(1) as thread:
        prepared = thread.submit(asyncio.run, prepare(settings)).result()
    return server.start(), prepared


def page_of(visitors: Visitors, origin: str, token: str, script: str) -> Page:
    """A page of somebody who is signed in; `script` runs before any of its own."""
    page = visitors.new()
    page.context.add_cookies([{"name": "telemed", "value": token, "url": origin}])
    page.add_init_script(script)
    return page
