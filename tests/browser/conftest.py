"""A real Chromium against a real server: visitors, what their pages complain of, screenshots, axe.

Playwright's synchronous interface keeps the thread's event loop to itself, so the tests of this
folder run after every test that has a loop of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    StorageState,
    expect,
    sync_playwright,
)

from tests.browser.town import Town, found_town
from tests.servers import ROOT, Telemed

SHOTS = Path(__file__).parent / "shots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WIDE = (1366, 768)
PHONE = (390, 844)
PATIENCE_MILLISECONDS = 20_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-audio-output",
    "--allow-loopback-in-peer-connection",
]
expect.set_options(timeout=PATIENCE_MILLISECONDS)
# A page that is asked for on purpose and refused is not the page's mistake.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that dies under a test says nothing of Telemed: that test is tried once more."""
    died = pytest.mark.flaky(reruns=1, only_rerun=["TargetClosedError"])
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(died)


class Chromium:
    """One browser process, started when it is wanted, and anew should it have died."""

    def __init__(self, playwright: Playwright, *arguments: str) -> None:
        self.playwright = playwright
        self._arguments = [*ARGUMENTS, *arguments]
        self._browser: Browser | None = None

    @property
    def browser(self) -> Browser:
        if not self._browser or not self._browser.is_connected():
            self._browser = self.playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=self._arguments
            )
        return self._browser

    def close(self) -> None:
        """End the process."""
        if self._browser:
            self._browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for the folder; every visitor gets a profile of their own."""
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A served installation with people who can sign in (tests/browser/town.py)."""
    town = found_town(tmp_path_factory.mktemp("town"))
    yield town
    town.server.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telemed]:
    """The demo province, served as `make run` serves it."""
    server = Telemed(tmp_path_factory.mktemp("demo"), "--demo").start()
    yield server
    server.stop()


class Visitors:
    """Opens browser profiles at one server and remembers what their pages complained of."""

    def __init__(self, chromium: Chromium, origin: str) -> None:
        self._chromium = chromium
        self._origin = origin
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def new(
        self,
        *,
        size: tuple[int, int] = WIDE,
        locale: str = "vi-VN",
        scripts: bool = True,
        state: StorageState | None = None,
        bypass_csp: bool = False,
    ) -> Page:
        """A page of somebody who was never here, or who has kept the cookies of `state`."""
        context = self._chromium.browser.new_context(
            base_url=self._origin,
            viewport={"width": size[0], "height": size[1]},
            locale=locale,
            timezone_id="Asia/Ho_Chi_Minh",
            java_script_enabled=scripts,
            permissions=["camera", "microphone", "notifications"],
            storage_state=state,
            bypass_csp=bypass_csp,
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self._contexts.append(context)
        return context.new_page()

    def close(self) -> None:
        """Close every profile."""
        for context in self._contexts:
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        # Violations of the content security policy are console errors as well.
        if message.type == "error" and not REFUSED.match(message.text):
            self.complaints.append(f"{message.location.get('url', '')}: {message.text}")


@pytest.fixture
def visitors(town: Town, chromium: Chromium) -> Iterator[Visitors]:
    """Visitors of the town; the test fails for whatever their consoles complain of."""
    visitors = Visitors(chromium, town.server.origin)
    yield visitors
    visitors.close()
    assert visitors.complaints == []


@pytest.fixture
def guests(demo: Telemed, chromium: Chromium) -> Iterator[Visitors]:
    """Visitors of the demo province, held to the same."""
    guests = Visitors(chromium, demo.origin)
    yield guests
    guests.close()
    assert guests.complaints == []


@pytest.fixture
def page(visitors: Visitors) -> Page:
    """A page of somebody who was never here."""
    return visitors.new()


@pytest.fixture
def sign_in_as(town: Town, visitors: Visitors) -> Callable[..., Page]:
    """A page of somebody of the town who is signed in: `sign_in_as("doctor", size=PHONE)`.

    The first time goes through the sign-in page. A code is good once in half a minute, so later
    pages of the same person go on with the cookies of the first.
    """

    def open_page(who: str, **profile: Any) -> Page:
        page = visitors.new(state=town.signed_in.get(who), **profile)
        if who not in town.signed_in:
            town.people[who].sign_in(page)
            town.signed_in[who] = page.context.storage_state()
        else:
            page.goto("/home")
        return page

    return open_page


@pytest.fixture
def shots() -> Callable[[Page, str], None]:
    """Screenshots for people to look at: wide and phone, light and dark."""

    def take(page: Page, name: str) -> None:
        before = page.viewport_size
        for (width, height), scheme in product((WIDE, PHONE), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png")
        page.emulate_media(color_scheme="null")
        if before:
            page.set_viewport_size(before)

    return take


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """What axe-core finds on a page: one line for each rule and place."""
    source = AXE.read_text()

    def look(page: Page) -> list[str]:
        page.evaluate(source)
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['target']} {node['html'][:120]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    return look
