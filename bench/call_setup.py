"""Call set-up: from joining to the first decoded picture of the other, against the least possible.

The least possible is two peer connections in one page, without any server, measured in the same
run and in turn with the calls, so that a busy machine slows both. Then the same with a real coturn
as the only way between the two:

    python -m bench.call_setup
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from bench.meeting import settle
from tests.coturn import Coturn
from tests.servers import Telemed

ROUNDS: Final = 12
GOAL: Final = 1.2
TURN_GOAL: Final = 1.6
FLOOR_ROW: Final = "two connections in one page"
# From the press, or where nothing is pressed from the join; the page is either open already, or has just been loaded and is still being shown.
OPEN_ROWS: Final = ("page open, who joins", "page open, who waits")
LOADED_ROWS: Final = ("page just loaded, who joins", "page just loaded, who waits")
ROWS: Final = (FLOOR_ROW, *OPEN_ROWS, *LOADED_ROWS)
SECRET: Final = "a-secret-for-the-call-bench-long-enough"
TURN_SECRET: Final = "a-secret-that-is-shared-with-coturn"
RELAY_ONLY: Final = """
const Open = window.RTCPeerConnection;
const relayed = (config) => ({ ...config, iceTransportPolicy: 'relay' });
window.RTCPeerConnection = class extends Open {
  constructor(config) { super(relayed(config)); }
  setConfiguration(config) { super.setConfiguration(relayed(config)); }
};
"""
Figures = dict[str, list[float]]

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
)
# Both browsers run on one machine, so their clocks agree.
WATCH: Final = """
const now = () => performance.timeOrigin + performance.now();
window.moments = {};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (String(data).includes('["session:join"')) window.moments.join = now();
  return send.call(this, data);
};
addEventListener('click', () => { window.moments.press = now(); }, true);
addEventListener('DOMContentLoaded', () => {
  const video = document.querySelector('[data-role=remote]');
  const wait = () => video?.requestVideoFrameCallback(() => { window.moments.frame = now(); });
  window.again = () => { window.moments = {}; wait(); };
  wait();
});
"""
FRAME: Final = """async () => {
  while (!window.moments.frame) await new Promise((resolve) => setTimeout(resolve, 5));
  return window.moments;
}"""
FLOOR: Final = """async () => {
  window.stream ??= await navigator.mediaDevices.getUserMedia({
    audio: true, video: { width: 640, height: 480, frameRate: 30 } });
  const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
  one.onicecandidate = ({ candidate }) => void two.addIceCandidate(candidate);
  two.onicecandidate = ({ candidate }) => void one.addIceCandidate(candidate);
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const begin = performance.now();
  const frame = new Promise((resolve) => {
    video.requestVideoFrameCallback(() => resolve(performance.now() - begin));
  });
  one.ontrack = ({ streams }) => { video.srcObject = streams[0]; void video.play(); };
  for (const track of stream.getTracks()) one.addTrack(track, stream);
  await one.setLocalDescription();
  await two.setRemoteDescription(one.localDescription);
  for (const track of stream.getTracks()) two.addTrack(track, stream);
  await two.setLocalDescription();
  await one.setRemoteDescription(two.localDescription);
  const passed = await frame;
  one.close();
  two.close();
  video.remove();
  return passed;
}"""


def main() -> None:
    """Measure and print both tables."""
    with sync_playwright() as playwright, ThreadPoolExecutor(1) as thread:
        with _province(thread) as (server, path, tokens):
            figures = _measure(playwright, server.origin, path, tokens, WATCH)
        _print_table("no TURN server", figures, GOAL)
        coturn = Coturn(TURN_SECRET, reaches_loopback=True).start()
        turn = {"turn_urls": json.dumps([coturn.udp]), "turn_secret": TURN_SECRET}
        try:
            with _province(thread, **turn) as (server, path, tokens):
                figures = _measure(playwright, server.origin, path, tokens, RELAY_ONLY + WATCH)
        finally:
            coturn.remove()
        _print_table("over TURN alone, UDP", figures, TURN_GOAL)


@contextmanager
def _province(
    thread: ThreadPoolExecutor, **settings: str
) -> Iterator[tuple[Telemed, str, list[str]]]:
    """A server, the address of a session, the logins of its two people: who waits, who joins."""
    with tempfile.TemporaryDirectory() as folder:
        # Playwright keeps this thread's loop to itself.
        path, tokens = thread.submit(asyncio.run, settle(Path(folder), SECRET)).result()
        server = Telemed(Path(folder), secret_key=SECRET, **settings).start()
        try:
            yield server, path, tokens[::-1]
        finally:
            server.stop()


def _measure(
    playwright: Playwright, origin: str, path: str, tokens: Sequence[str], script: str
) -> Figures:
    """Milliseconds of each kind of set-up, a row for each."""
    figures: Figures = {name: [] for name in ROWS}
    with _browser(playwright) as first, _browser(playwright) as second:
        waiting = _context(first, origin, tokens[0]).new_page()
        waiting.add_init_script(script)
        waiting.goto(path)
        bare = _context(first, origin, tokens[0]).new_page()
        bare.goto("/account")
        joining = _context(second, origin, tokens[1]).new_page()
        joining.add_init_script(script)
        for _ in range(ROUNDS + 1):
            bare.bring_to_front()
            figures[FLOOR_ROW].append(bare.evaluate(FLOOR))
            waiting.bring_to_front()
            _again(waiting)
            joining.goto(path)
            _note(figures, LOADED_ROWS, joining, waiting)
            _again(waiting, joining)
            joining.locator("[data-role=situation-act]").click()
            _note(figures, OPEN_ROWS, joining, waiting)
    # The first round warms everything up.
    return {name: values[1:] for name, values in figures.items()}


def _again(*pages: Page) -> None:
    for page in pages:
        page.evaluate("() => window.again()")


def _note(figures: Figures, rows: tuple[str, str], joining: Page, waiting: Page) -> None:
    """One call: from the join to the first picture on both sides; then the joining side leaves."""
    moments = joining.evaluate(FRAME)
    seen = waiting.evaluate(FRAME)
    for name, frame in zip(rows, (moments["frame"], seen["frame"]), strict=True):
        figures[name].append(frame - moments.get("press", moments["join"]))
    joining.locator("[data-role=leave]").click()
    waiting.locator("[data-role=situation-act]").wait_for()


@contextmanager
def _browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=list(ARGUMENTS)
    )
    yield browser
    browser.close()


def _context(browser: Browser, origin: str, token: str) -> BrowserContext:
    context = browser.new_context(
        base_url=origin,
        permissions=["camera", "microphone"],
        # There is no graphics card here, and painting large pictures is not what is measured.
        viewport={"width": 480, "height": 320},
    )
    context.add_cookies([{"name": "telemed", "value": token, "url": origin}])
    return context


def _print_table(title: str, figures: Figures, goal: float) -> None:
    floor = statistics.median(figures[FLOOR_ROW])
    print(f"\nCall set-up to the first decoded picture, {title}, {ROUNDS} rounds in turn (ms)")
    print(f"{'':36}{'median':>8}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in figures.items():
        middle = statistics.median(values)
        columns = f"{middle:8.0f}{min(values):8.0f}{max(values):8.0f}{middle / floor:8.2f}"
        print(f"{name:36}{columns}")
    ratio = statistics.median(figures[OPEN_ROWS[0]]) / floor
    print(f"\n{'holds ' if ratio <= goal else 'MISSED'}  {ratio:.2f} x (goal: {goal} or less)")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
