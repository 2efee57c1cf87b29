"""Speech first: what both ends see, hear and read while a line gets narrow and wide again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MILLISECONDS, Chromium
from tests.browser.test_call import (
    CAMERAS,
    COUNT_CONNECTIONS,
    SECRET_KEY,
    Call,
    Prepared,
    connections_of,
    grows,
    prepare,
    role,
)
from tests.conftest import make_settings
from tests.impairment import Link, Network
from tests.servers import Telemed

NARROW = 64_000
CLIMB_MILLISECONDS = 60_000
# Waits in the page until that many different stills have been shown.
WAIT_STILLS = """async ({ least, patience }) => {
  const still = document.querySelector('[data-role=still]');
  const seen = new Set();
  const end = performance.now() + patience;
  while (seen.size < least) {
    seen.add(still.src);
    if (performance.now() > end) throw new Error(`${seen.size} stills`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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
        pages, browsers = [], []
        complaints: list[str] = []
        links = [network.link(server.port) for _ in range(2)]
        for link, token in zip(links, (case.doctor, case.specialist), strict=True):
            browser = Chromium(chromium.playwright, CAMERAS, *link.arguments)
            browsers.append(browser)
            # The page's policy would not let the link ask for its mirrors.
            context = browser.browser.new_context(
                base_url=server.origin, bypass_csp=True, permissions=["camera", "microphone"]
            )
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.add_cookies([{"name": "telemed", "value": token, "url": server.origin}])
            page = context.new_page()
            page.add_init_script(COUNT_CONNECTIONS)
            page.add_init_script(link.init_script)
            pages.append(page)
        weak = WeakCall(server, case.consult, *pages)
        weak.link = links[0]
        yield weak
        for browser in browsers:
            browser.close()
    assert complaints == []


def narrow(call: WeakCall) -> None:
    """The doctor's line carries little, both ways, from now on."""
    call.link.shape(rate=NARROW, delay=0.15, loss=0.05)


def stills_arrive(page: Page, least: int) -> None:
    """That many stills are shown, one after the other."""
    page.evaluate(WAIT_STILLS, {"least": least, "patience": PATIENCE_MILLISECONDS})


def stands_on(page: Page, rung: str) -> None:
    """The page says on which rung the call is."""
    step = role(page, "mode").locator(f"li[data-rung={rung}]")
    expect(step).to_have_attribute("aria-current", "true", timeout=CLIMB_MILLISECONDS)


def test_a_narrow_line_leaves_the_voice_and_stills_and_gives_the_picture_back(
    call: WeakCall,
) -> None:
    call.begin()
    narrow(call)
    for page in call.pages:
        stands_on(page, "voice")
        expect(role(page, "mode-words")).to_contain_text("ưu tiên tiếng nói, hình gửi từng ảnh")
        expect(role(page, "still")).to_be_visible()
    for page in call.pages:
        stills_arrive(page, 2)
        grows(page, "packetsReceived")
        expect(role(page, "chat")).to_contain_text("gửi tiếng và từng ảnh")
    call.link.shape(rate=None, delay=0.0, loss=0.0)
    for page in call.pages:
        expect(role(page, "still")).to_be_hidden(timeout=CLIMB_MILLISECONDS)
        grows(page, "framesDecoded")
    assert [connections_of(page) for page in call.pages] == [1, 1]


def test_by_hand_both_fall_to_voice_and_come_back(call: WeakCall) -> None:
    call.begin()
    role(call.doctor, "open-devices").click()
    role(call.doctor, "choose-mode").select_option("voice")
    call.doctor.keyboard.press("Escape")
    expect(role(call.doctor, "mode-words")).to_contain_text("Bạn chọn")
    for page in call.pages:
        expect(role(page, "still")).to_be_visible()
        grows(page, "packetsReceived")
    expect(role(call.specialist, "mode-words")).not_to_be_empty()
    expect(role(call.specialist, "chat")).to_contain_text("tự chọn")
    role(call.doctor, "open-devices").click()
    role(call.doctor, "choose-mode").select_option("")
    call.doctor.keyboard.press("Escape")
    for page in call.pages:
        expect(role(page, "still")).to_be_hidden(timeout=CLIMB_MILLISECONDS)
        grows(page, "framesDecoded")
