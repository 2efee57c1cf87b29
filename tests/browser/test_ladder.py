"""Speech first: what both ends see, hear and read while a line gets narrow and wide again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Chromium, Visitors
from tests.browser.test_call import (
    CAMERAS,
    COUNT_CONNECTIONS,
    SECRET_KEY,
    Call,
    Prepared,
    grows,
    prepare,
    role,
)
from tests.conftest import make_settings
from tests.impairment import Link, Network
from tests.servers import Telemed

NARROW = 64_000
CLIMB_MILLISECONDS = 60_000
# A new still each time the picture of it changes.
COUNT_STILLS = """() => {
  window.stills = 0;
  const still = document.querySelector('[data-role=still]');
  new MutationObserver(() => { window.stills += 1; }).observe(still, { attributeFilter: ['src'] });
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Telemed, list[Prepared]]]:
    """A served installation with a case for each test."""
    directory = tmp_path_factory.mktemp("ladder")
    settings = make_settings(data_dir=directory / "var", secret_key=SECRET_KEY)
    server = Telemed(directory, secret_key=SECRET_KEY)
    server.command("migrate")
    with ThreadPoolExecutor(1) as thread:
        cases = thread.submit(asyncio.run, prepare(settings, 2)).result()
    server.start()
    yield server, cases
    server.stop()


class WeakCall(Call):
    """A call whose doctor sits at the end of a line that can be anything."""

    link: Link


@pytest.fixture
def call(served: tuple[Telemed, list[Prepared]], chromium: Chromium) -> Iterator[WeakCall]:
    """Both sides of a fresh case, each in a browser process and behind a link of their own."""
    server, cases = served
    case = cases.pop()
    with Network(seed=1) as network:
        pages, visitors, browsers = [], [], []
        links = [network.link(server.port) for _ in range(2)]
        for link, token in zip(links, (case.doctor, case.specialist), strict=True):
            browser = Chromium(chromium.playwright, CAMERAS, *link.arguments)
            visitor = Visitors(browser, server.origin)
            page = visitor.new(bypass_csp=True)
            page.context.add_cookies([{"name": "telemed", "value": token, "url": server.origin}])
            page.add_init_script(COUNT_CONNECTIONS)
            page.add_init_script(link.init_script)
            pages.append(page)
            visitors.append(visitor)
            browsers.append(browser)
        weak = WeakCall(server, case.consult, *pages)
        weak.link = links[0]
        yield weak
        for visitor, browser in zip(visitors, browsers, strict=True):
            visitor.close()
            browser.close()
    assert [line for visitor in visitors for line in visitor.complaints] == []
