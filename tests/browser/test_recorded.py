"""A recorded call: asked in the room, agreed by each and for the patient, watched on its page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.callers import page_of, serve
from tests.browser.conftest import Chromium, Visitors
from tests.browser.test_call import CAMERAS, COUNT_CONNECTIONS, Call, prepare, role

SECRET_KEY = "a-secret-for-recording-tests-that-is-long"
PATIENCE_SECONDS = 60
# Some seconds of a picture.
ENOUGH_BYTES = 150_000
PLAYING = """async (patience) => {
  const videos = () => [...document.querySelectorAll('video')];
  const end = performance.now() + patience;
  while (videos().some((video) => video.currentTime < 1 || video.videoWidth === 0)) {
    if (performance.now() > end) {
      throw new Error(JSON.stringify(videos().map((video) =>
        [video.currentTime, video.duration, video.videoWidth, video.error?.message])));
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}"""


@pytest.fixture
def call(tmp_path: Path, chromium: Chromium) -> Iterator[Call]:
    """Two people of one case, signed in."""
    server, (case,) = serve(tmp_path, SECRET_KEY, lambda settings: prepare(settings, 1))
    browsers = [Chromium(chromium.playwright, CAMERAS) for _ in range(2)]
    visitors = [Visitors(browser, server.origin) for browser in browsers]
    pages = [
        page_of(visitor, server.origin, token, COUNT_CONNECTIONS)
        for visitor, token in zip(visitors, (case.doctor, case.specialist), strict=True)
    ]
    yield Call(server, case.consult, *pages)
    for visitor in visitors:
        visitor.close()
    for browser in browsers:
        browser.close()
    server.stop()
    assert [line for visitor in visitors for line in visitor.complaints] == []


def written(folder: Path) -> list[int]:
    """How much there is of each file that is being written."""
    return [path.stat().st_size for path in folder.glob("*.webm.part")]


def until_written(folder: Path, files: int) -> None:
    """Some seconds of each."""
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(size > ENOUGH_BYTES for size in written(folder)) < files:
        assert time.monotonic() < end, written(folder)
        time.sleep(0.1)


def test_a_call_is_recorded_when_all_agree_and_watched_afterwards(
    call: Call,
    tmp_path: Path,
    axe: Callable[[Page], list[str]],
    shots: Callable[[Page, str], None],
) -> None:
    call.begin()
    doctor, specialist = call.pages
    role(specialist, "ask-recording").click()
    for page in call.pages:
        expect(role(page, "recording-question")).to_contain_text("dữ liệu cá nhân nhạy cảm")
    assert [axe(page) for page in call.pages] == [[], []]
    shots(doctor, "recording-asked")
    specialist.get_by_role("button", name="Đồng ý ghi").click()
    expect(role(specialist, "recording-words")).to_contain_text("chờ")
    expect(role(specialist, "recording-state")).to_have_text("Không ghi hình.")
    # By the keyboard alone.
    doctor.get_by_role("button", name="Người bệnh đồng ý").focus()
    doctor.keyboard.press("Enter")
    expect(doctor.get_by_role("button", name="Người bệnh đồng ý")).to_be_hidden()
    doctor.get_by_role("button", name="Đồng ý ghi").focus()
    doctor.keyboard.press("Enter")
    for page in call.pages:
        expect(role(page, "recording-words")).to_have_text("Đang ghi")
        expect(role(page, "recording-state")).to_have_text("Đang ghi hình và tiếng.")
    until_written(tmp_path / "var" / "recordings", 2)
    specialist.get_by_role("button", name="Dừng ghi", exact=True).click()
    for page in call.pages:
        expect(role(page, "recording")).to_be_hidden()
        expect(role(page, "chat")).to_contain_text("Bản ghi đã được lưu")
    doctor.goto(f"{specialist.url}/recording")
    expect(doctor.locator("video")).to_have_count(2)
    doctor.get_by_role("button", name="Phát cùng lúc").click()
    doctor.evaluate(PLAYING, PATIENCE_SECONDS * 1000)
    assert axe(doctor) == []
    shots(doctor, "recording-watched")
