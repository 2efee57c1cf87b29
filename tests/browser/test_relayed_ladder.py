"""Three in the relay, one of them on a line that gets narrow: voice and stills, and the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Chromium
from tests.browser.test_call import CAMERAS, COUNT_CONNECTIONS, role
from tests.browser.test_third import (
    PATIENCE_MILLISECONDS,
    SECRET_KEY,
    Meeting,
    prepare,
)
from tests.conftest import make_settings
from tests.impairment import Link, Network
from tests.servers import Telemed

NARROW = 64_000
CLIMB_MILLISECONDS = 120_000
# Waits until that many different stills of one participant have been shown.
WAIT_STILLS = """async ({ least, patience }) => {
  const seen = new Set();
  const end = performance.now() + patience;
  while (seen.size < least) {
    for (const still of document.querySelectorAll('[data-role=still]:not([hidden])')) seen.add(still.src);
    if (performance.now() > end) throw new Error(`${seen.size} stills`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""

# Waits until so many of the pictures keep coming, and voices of both others.
WAIT_PICTURES = """async ({ pictures, patience }) => {
  const look = async () => {
    const counts = new Map();
    for (const connection of window.connections.filter((each) => each.connectionState === 'connected')) {
      (await connection.getStats()).forEach((entry) => {
        if (entry.type === 'inbound-rtp') counts.set(entry.kind + entry.ssrc, entry.framesReceived ?? entry.packetsReceived);
      });
    }
    return counts;
  };
  const end = performance.now() + patience;
  for (;;) {
    const before = await look();
    await new Promise((resolve) => setTimeout(resolve, 700));
    const grown = [...(await look())].filter(([id, count]) => count > (before.get(id) ?? 0)).map(([id]) => id[0]);
    const found = [grown.filter((kind) => kind === 'v').length, grown.filter((kind) => kind === 'a').length];
    if (found[0] === pictures && found[1] === 2) return;
    if (performance.now() > end) throw new Error(`${found}`);
  }
}"""


class WeakMeeting(Meeting):
    """A meeting whose doctor sits at the end of a line that can be anything."""

    link: Link


@pytest.fixture
def meeting(tmp_path: Path, chromium: Chromium) -> Iterator[WeakMeeting]:
    """Three people, signed in; the two of the case behind links of their own."""
    settings = make_settings(data_dir=tmp_path / "var", secret_key=SECRET_KEY)
    server = Telemed(tmp_path, secret_key=SECRET_KEY)
    server.command("migrate")
    with ThreadPoolExecutor(1) as thread:
        prepared = thread.submit(asyncio.run, prepare(settings)).result()
    server.start()
    complaints: list[str] = []
    with Network(seed=1) as network:
        links = {who: network.link(server.port) for who in prepared.tokens}
        browsers: list[Chromium] = []
        pages: dict[str, Page] = {}
        for who, token in prepared.tokens.items():
            browsers.append(Chromium(chromium.playwright, CAMERAS, *links[who].arguments))
            # The page's policy would not let the link ask for its mirrors.
            context = browsers[-1].browser.new_context(
                base_url=server.origin, bypass_csp=True, permissions=["camera", "microphone"]
            )
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            context.add_cookies([{"name": "telemed", "value": token, "url": server.origin}])
            page = pages[who] = context.new_page()
            page.set_default_timeout(PATIENCE_MILLISECONDS)
            page.add_init_script(COUNT_CONNECTIONS)
            page.add_init_script(links[who].init_script)
        weak = WeakMeeting(prepared, pages)
        weak.link = links["doctor"]
        yield weak
        for browser in browsers:
            browser.close()
    server.stop()
    assert complaints == []


def pictures_come(page: Page, count: int) -> None:
    """So many of the others' pictures keep coming, and both voices."""
    wanted = {"pictures": count, "patience": PATIENCE_MILLISECONDS}
    page.evaluate(WAIT_PICTURES, wanted)


def choose_small(page: Page) -> None:
    """A small picture, by hand: three browsers with full ones are too much for a busy machine."""
    role(page, "open-devices").click()
    role(page, "choose-mode").select_option("small")
    page.keyboard.press("Escape")


def test_a_narrow_line_in_the_relay_leaves_voice_and_stills_and_gives_the_picture_back(
    meeting: WeakMeeting,
) -> None:
    pages = meeting.pages
    meeting.begin()
    meeting.invite()
    pages["third"].goto(pages["specialist"].url)
    for who in ("third", "doctor"):
        meeting.flows(who, others=2, connections=2)
    for who in ("specialist", "third"):
        choose_small(pages[who])
    hold = pages["third"].locator("[data-role=hold]:visible").first
    for said, count in (("Nhận hình lại", 1), ("Tạm dừng hình", 2)):
        hold.click()
        expect(hold).to_have_text(said)
        pictures_come(pages["third"], count)
    meeting.link.shape(rate=NARROW, delay=0.15, loss=0.05)
    for who in ("specialist", "third"):
        words = role(pages[who], "mode-words")
        expect(words).to_contain_text("hình gửi từng ảnh", timeout=CLIMB_MILLISECONDS)
        expect(pages[who].locator("[data-role=still]:visible")).to_have_count(1)
        expect(role(pages[who], "chat")).to_contain_text("gửi tiếng và từng ảnh")
    pages["third"].evaluate(WAIT_STILLS, {"least": 2, "patience": CLIMB_MILLISECONDS})
    # The doctor's line does not carry the others' pictures either, and nobody sends less for it.
    weak = role(pages["doctor"], "mode-words")
    expect(weak).to_contain_text("chỉ còn nhận tiếng và từng ảnh", timeout=CLIMB_MILLISECONDS)
    expect(pages["doctor"].locator("[data-role=still]:visible").first).to_be_visible()
    expect(role(pages["third"], "chat")).to_contain_text("nhận tiếng và từng ảnh")
    expect(role(pages["specialist"], "chat")).not_to_contain_text("không nhận kịp")
    meeting.link.shape(rate=None, delay=0.0, loss=0.0)
    for who in ("specialist", "third"):
        stills = pages[who].locator("[data-role=still]:visible")
        expect(stills).to_have_count(0, timeout=CLIMB_MILLISECONDS)
        pictures_come(pages[who], 2)
