"""What is left of speech on a bad line: this ladder and the browser's own settings, row by row.

Each row is one call between two browsers behind lines of their own; the line of one of them is
made bad in mid-call, both ways, and good again:

    python -m bench.speech                     the rows with goals and what lies around them
    python -m bench.speech 64k 15%             only the rows whose names begin so
    python -m bench.speech --plain 128k        without the browser's own settings beside it
    python -m bench.speech --all               every rate, round trip and loss: two hours
    python -m bench.speech --all 2M/300ms      what of it begins so; three quarters of a minute each
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, Playwright, sync_playwright

from bench.meeting import settle
from bench.speech_media import write_picture, write_voice
from tests.impairment import Link, Network
from tests.servers import Telemed

SECRET: Final = "a-secret-for-the-speech-bench-long-enough"
BEFORE_SECONDS: Final = 14
GOOD: Final[dict[str, float | None]] = {"rate": None, "delay": 0.02, "loss": 0.0}
ROUND: Final = 1.0
SILENT_SHARE: Final = 0.9
LONGEST_SILENCE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Times:
    """Seconds on the bad line before it counts and while it does, and on the good one after."""

    settle: int
    measured: int
    climb: int


LONG: Final = Times(settle=12, measured=20, climb=40)
SHORT: Final = Times(settle=12, measured=12, climb=0)


@dataclass(frozen=True)
class Row:
    """One line: bits per second, round trip in seconds, share of packets lost, and the goal."""

    name: str
    rate: float | None
    round_trip: float
    loss: float
    goal: float | None = None
    has_stills: bool = True

    @property
    def shape(self) -> dict[str, float | None]:
        """The same as a link takes it."""
        return {"rate": self.rate, "delay": self.round_trip / 2, "loss": self.loss}


ROWS: Final = (
    Row("2M/40ms/0%", 2_000_000, 0.04, 0.0),
    Row("512k/100ms/2%", 512_000, 0.1, 0.02),
    Row("256k/300ms/5%", 256_000, 0.3, 0.05),
    Row("128k/300ms/10%", 128_000, 0.3, 0.10, 0.02),
    Row("64k/300ms/5%", 64_000, 0.3, 0.05, 0.08),
    Row("64k/300ms/5% no stills", 64_000, 0.3, 0.05, 0.04, has_stills=False),
    Row("32k/300ms/2%", 32_000, 0.3, 0.02, 0.06),
    Row("5%/300ms/no cap", None, 0.3, 0.05),
    Row("15%/300ms/no cap", None, 0.3, 0.15, 0.03),
    Row("30%/300ms/no cap", None, 0.3, 0.30),
    Row("600ms/no cap", None, 0.6, 0.0),
)
RATES: Final = {"2M": 2e6, "512k": 512e3, "256k": 256e3, "128k": 128e3, "64k": 64e3, "32k": 32e3}
GRID: Final = tuple(
    Row(f"{name}/{trip}ms/{loss}%", rate, trip / 1000, loss / 100)
    for (name, rate), trip, loss in product(RATES.items(), (40, 300, 600), (0, 5, 15, 30))
)
NO_STILLS: Final = "HTMLCanvasElement.prototype.toBlob = (done) => done(null);"
# Nothing of what the ladder decides takes effect.
UNTOUCHED: Final = """
RTCRtpSender.prototype.setParameters = async () => {};
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
  const side = sdp.match(/^a=setup:.*$/m)?.[0];
  if (/transport-cc/.test(sdp)) this.whole = sdp;
  const plain = this.whole.replace(/^a=setup:.*$/gm, side)
    .replace(/^a=ptime:.*\\r\\n/gm, '')
    .replace(/^(m=audio \\d+ \\S+) 63 111 /m, '$1 111 63 ');
  return take.call(this, { type, sdp: plain });
};
"""
WATCH: Final = """
window.connections = [];
const Counted = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Counted {
  setRemoteDescription(...given) {
    if (!window.connections.includes(this)) window.connections.push(this);
    return super.setRemoteDescription(...given);
  }
};
window.samples = [];
window.stills = 0;
addEventListener('DOMContentLoaded', () => {
  const still = document.querySelector('[data-role=still]');
  if (!still) return;
  new MutationObserver(() => { window.stills += 1; }).observe(still, { attributeFilter: ['src'] });
});
setInterval(async () => {
  const connection = window.connections.at(-1);
  if (!connection) return;
  const found = { at: performance.timeOrigin + performance.now(), samples: 0, concealed: 0,
    silent: 0, packets: 0, frames: 0, stills: window.stills,
    rung: document.querySelector('[data-role=mode]')?.dataset.rung ?? '' };
  (await connection.getStats()).forEach((entry) => {
    if (entry.type !== 'inbound-rtp') return;
    if (entry.kind === 'video') { found.frames = entry.framesDecoded ?? 0; return; }
    found.samples = entry.totalSamplesReceived ?? 0;
    found.concealed = entry.concealedSamples ?? 0;
    found.silent = entry.silentConcealedSamples ?? 0;
    found.packets = entry.packetsReceived ?? 0;
  });
  window.samples.push(found);
}, 100);
"""
Sample = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What one end heard and saw in a row."""

    concealed: float
    concealed_first: float
    silence: float
    longest: float
    frames: float
    stills: float
    fall: float | None
    climb: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the rows that are asked for and print each as soon as it is there."""
    parser = argparse.ArgumentParser(prog="bench.speech")
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--plain", action="store_true", help="no browser defaults beside the rows")
    parser.add_argument("--all", action="store_true", help="every rate, round trip and loss")
    asked = parser.parse_args(arguments)
    known, times = (GRID, SHORT) if asked.all else (ROWS, LONG)
    rows = [
        row
        for row in known
        if not asked.rows or any(row.name.startswith(name) for name in asked.rows)
    ]
    _print_head(times)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        media = Path(folder)
        write_voice(media / "voice.wav")
        write_picture(media / "picture.y4m")
        for row in rows:
            for is_default in (False,) if asked.plain else (False, True):
                script = UNTOUCHED + NO_STILLS if is_default else ""
                # What never falls need not climb back.
                passing = replace(times, climb=0) if is_default else times
                outcomes = _measure(playwright, media, row, passing, script)
                _print_row(row, outcomes, is_default=is_default)


def _measure(
    playwright: Playwright, media: Path, row: Row, times: Times, script: str
) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        # Playwright keeps this thread's loop to itself.
        with ThreadPoolExecutor(1) as thread:
            path, tokens = thread.submit(asyncio.run, settle(Path(folder), SECRET)).result()
        server = Telemed(Path(folder), secret_key=SECRET).start()
        script += "" if row.has_stills else NO_STILLS
        try:
            with Network(seed=1) as network, ExitStack() as opened:
                links = [network.link(server.port) for _ in tokens]
                pages = [
                    opened.enter_context(
                        _page(playwright, media, link, server.origin, (token, script))
                    )
                    for link, token in zip(links, tokens, strict=True)
                ]
                return _drive(pages, links[0], path, row, times)
        finally:
            server.stop()


@contextmanager
def _page(
    playwright: Playwright, media: Path, link: Link, origin: str, profile: tuple[str, str]
) -> Iterator[Page]:
    browser = playwright.chromium.launch(
        executable_path=shutil.which("chromium"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={media / 'voice.wav'}",
            f"--use-file-for-fake-video-capture={media / 'picture.y4m'}",
            "--allow-loopback-in-peer-connection",
            *link.arguments,
        ],
    )
    context = browser.new_context(
        base_url=origin,
        bypass_csp=True,
        permissions=["camera", "microphone"],
        viewport={"width": 480, "height": 320},
    )
    token, first = profile
    context.add_cookies([{"name": "telemed", "value": token, "url": origin}])
    page = context.new_page()
    for script in (first, WATCH, link.init_script):
        page.add_init_script(script)
    yield page
    browser.close()


def _drive(pages: list[Page], link: Link, path: str, row: Row, times: Times) -> list[Outcome]:
    """Good, bad, good again; what each end had of it."""
    link.shape(**GOOD)
    for page in pages:
        page.goto(path)
    _pass(pages, BEFORE_SECONDS)
    bad_from = time.time() * 1000
    link.shape(**row.shape)
    _pass(pages, times.settle + times.measured)
    good_from = time.time() * 1000
    link.shape(**GOOD)
    _pass(pages, times.climb)
    moments = (bad_from, bad_from + times.settle * 1000, good_from)
    return [_outcome(page.evaluate("() => window.samples"), moments) for page in pages]


def _pass(pages: list[Page], seconds: float) -> None:
    for _ in range(round(seconds / ROUND)):
        pages[0].wait_for_timeout(ROUND * 1000)


def _outcome(samples: list[Sample], moments: tuple[float, float, float]) -> Outcome:
    """Figures of one end; bad, counted, good from these moments of the machine's clock (ms) on."""
    bad_from, measured_from, good_from = moments
    first = _between(samples, bad_from, measured_from)
    steady = _between(samples, measured_from, good_from)
    after = _between(samples, good_from, float("inf"))
    seconds = (steady[-1]["at"] - steady[0]["at"]) / 1000
    gaps = _silences(steady)
    before = _between(samples, 0, bad_from)[-1]["rung"]
    return Outcome(
        concealed=_concealed(steady),
        concealed_first=_concealed(first),
        silence=sum(gaps),
        longest=max(gaps, default=0.0),
        frames=(steady[-1]["frames"] - steady[0]["frames"]) / seconds,
        stills=(steady[-1]["stills"] - steady[0]["stills"]) / seconds,
        fall=_until(first + steady, bad_from, lambda rung: rung != before),
        climb=_until(after, good_from, lambda rung: rung == before),
    )


def _between(samples: list[Sample], begin: float, end: float) -> list[Sample]:
    return [sample for sample in samples if begin <= sample["at"] < end]


def _concealed(samples: list[Sample]) -> float:
    """Share of the voice that was made up while somebody spoke."""
    grown = {
        name: samples[-1][name] - samples[0][name] for name in ("samples", "concealed", "silent")
    }
    return float((grown["concealed"] - grown["silent"]) / max(1, grown["samples"]))


def _silences(samples: list[Sample]) -> list[float]:
    """Lengths of the gaps in which nothing of the voice was real (s)."""
    gaps: list[float] = []
    length = 0.0
    for before, after in pairwise(samples):
        heard = after["samples"] - before["samples"]
        made_up = after["concealed"] - before["concealed"]
        if heard and made_up >= SILENT_SHARE * heard:
            length += (after["at"] - before["at"]) / 1000
        elif heard and length:
            gaps.append(length)
            length = 0.0
    return [*gaps, length] if length else gaps


def _until(samples: list[Sample], since: float, is_it: Any) -> float | None:
    found = next((sample["at"] for sample in samples if is_it(sample["rung"])), None)
    return None if found is None else (found - since) / 1000


def _print_head(times: Times) -> None:
    print(f"Voice concealed over {times.measured} s, {times.settle} s after the line went bad")
    print("worse end of two; s = seconds; 'first' = concealed while it settles")
    print(
        f"{'line':24}{'settings':10}{'concealed':>10}{'goal':>6}{'':8}{'first':>7}{'silent s':>9}"
        f"{'longest':>8}{'video/s':>8}{'stills/s':>9}{'fall s':>8}{'climb s':>8}"
    )
    sys.stdout.flush()


def _print_row(row: Row, outcomes: list[Outcome], *, is_default: bool) -> None:
    worse = max(outcomes, key=lambda each: each.concealed)
    longest = max(each.longest for each in outcomes)
    goal = f"{row.goal:.0%}" if row.goal is not None else ""
    verdict = ""
    if row.goal is not None and not is_default:
        holds = worse.concealed <= row.goal and longest <= LONGEST_SILENCE_SECONDS
        verdict = "holds" if holds else "MISSED"
    falls = "-" if is_default or worse.fall is None else f"{worse.fall:.1f}"
    climbs = "-" if is_default or worse.climb is None else f"{worse.climb:.1f}"
    print(
        f"{row.name:24}{'browser' if is_default else 'ladder':10}{worse.concealed:10.1%}{goal:>6}"
        f" {verdict:7}{worse.concealed_first:7.1%}{worse.silence:9.1f}{longest:8.1f}"
        f"{worse.frames:8.1f}{worse.stills:9.2f}{falls:>8}{climbs:>8}"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
