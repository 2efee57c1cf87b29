"""What the browser makes of a recording: finished, and as a killed recorder leaves it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Chromium
from tests.media.recording.conftest import Take
from tests.media.recording.sender import Link, Sender

SECONDS = 25
PAGE = (
    '<!doctype html><title>recording</title><video muted preload="auto" src="watched.webm"></video>'
)
ONCE = """([name, act]) => new Promise((resolve, reject) => {
  const video = document.querySelector("video");
  video.addEventListener("error", () => reject(new Error(video.error.message)), { once: true });
  video.addEventListener(name, () => resolve(video.currentTime), { once: true });
  if (act === "play") { video.currentTime = 0; video.playbackRate = 8; video.play(); }
  else { video.currentTime = act; }
})"""
STATE = """() => {
  const video = document.querySelector("video");
  return { duration: video.duration, seekable: video.seekable.end(0),
    frames: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth };
}"""


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    context = chromium.browser.new_context()
    yield context.new_page()
    context.close()


def record(directory: Path) -> Path:
    """A call, its file, and what a kill half a second before its end would have left."""
    sender = Sender(Link(outages=((12, 16),)), uses_red=True)
    sender.script = {
        8: lambda sender: sender.camera.resize((320, 240)),
        24.5: lambda _: keep_what_is_written(directory),
    }
    Take(directory, sender).run(SECONDS)
    for name in ("call-1", "killed"):
        (directory / f"{name}.html").write_text(PAGE.replace("watched", name))
    return directory


def keep_what_is_written(directory: Path) -> None:
    shutil.copy(directory / "call-1.webm.part", directory / "killed.webm")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written in a thread, as it is in life: never beside an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(record, tmp_path_factory.mktemp("recorded")).result()


@pytest.mark.parametrize(("name", "lost_seconds"), [("call-1", 0), ("killed", 8)])
def test_a_recording_plays_to_its_end_and_seeks(
    page: Page, recorded: Path, name: str, lost_seconds: int
) -> None:
    page.goto((recorded / f"{name}.html").as_uri())
    page.wait_for_function("document.querySelector('video').readyState >= 3")
    state = page.evaluate(STATE)
    assert SECONDS - lost_seconds - 0.5 < state["duration"] < SECONDS + 0.5
    assert state["seekable"] == state["duration"]
    for target in (14, 3, state["duration"] - 2):
        assert page.evaluate(ONCE, ["seeked", target]) == pytest.approx(target, abs=0.1)
    end = page.evaluate(ONCE, ["ended", "play"])
    assert end > SECONDS - lost_seconds - 0.5
    # At eight times the speed some pictures are passed over, but pictures there are.
    assert page.evaluate(STATE)["frames"] > 50
