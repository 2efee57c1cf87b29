"""One of three viewers gets a narrow line in mid-call: what it and the others hear and see.

One publisher sends 640x480 in two layers and voice through the relay and, in the same run, in one
layer through Janus VideoRoom as it comes, where Debian's package `janus` is installed. The narrow line has a round
trip of 100 ms, and a queue of 0.4 s that drops what does not fit:

    python -m bench.capped [--rounds 3]
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, Route, sync_playwright

from bench.call_setup import ARGUMENTS
from bench.media_relay import JANUS_ROW, PATIENCE_MILLISECONDS, RELAY, Backend, janus, relay
from bench.peers.janus import JANUS
from bench.speech_media import write_picture, write_voice
from tests.impairment import LOCAL, Link, Network
from tests.relayed import FLOWS

CAPS: Final = (500_000, 300_000)
VIEWERS: Final = 3
ONE_WAY_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 8
# Until then after the cap is «at first»; the steady state is what follows a pause of two seconds.
FIRST_SECONDS: Final = 10
PAUSE_SECONDS: Final = 2
STEADY_SECONDS: Final = 15
FRAMES_GOAL: Final = 15.0
FIRST_GOAL, STEADY_GOAL = 0.04, 0.01
# What the others keep of their rate and frames, for noise of the machine and of the encoder.
KEPT: Final = 0.9
# An address of documentation (RFC 5737), to which nothing is sent.
ELSEWHERE: Final = ("198.51.100.1", 9)
CANDIDATE: Final = re.compile(r"(a=candidate:\S+ 1 udp \d+) ([0-9.]+) (\d+) ", re.IGNORECASE)
COUNTS: Final = """async () => {
  const found = { at: performance.now() / 1000, frames: 0, bytes: 0, width: 0, height: 0,
    samples: 0, concealed: 0 };
  (await window.connection.getStats()).forEach((entry) => {
    if (entry.type !== 'inbound-rtp') return;
    found.bytes += entry.bytesReceived + entry.headerBytesReceived;
    if (entry.kind === 'audio') {
      found.samples = entry.totalSamplesReceived;
      found.concealed = entry.concealedSamples - entry.silentConcealedSamples;
    } else {
      found.frames = entry.framesDecoded;
      found.width = entry.frameWidth ?? 0;
      found.height = entry.frameHeight ?? 0;
    }
  });
  return found;
}"""
Counts = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """What one viewer got in a stretch of time: per second, and the voice made up of all voice."""

    size: str
    frames: float
    kilobits: float
    concealed: float


@dataclass(frozen=True)
class Row:
    """One viewer: before the cap, in the ten seconds after it, and in the steady state."""

    before: Span
    first: Span
    steady: Span

    @property
    def kept(self) -> bool:
        """Whether a viewer without a cap noticed nothing of it."""
        return (
            self.steady.size == self.before.size
            and self.steady.frames >= KEPT * self.before.frames
            and self.steady.kilobits >= KEPT * self.before.kilobits
        )

    @property
    def serves(self) -> bool:
        """Whether a viewer with a cap sees and hears what it should."""
        return (
            self.steady.frames >= FRAMES_GOAL
            and self.first.concealed <= FIRST_GOAL
            and self.steady.concealed <= STEADY_GOAL
        )


def span(before: Counts, after: Counts) -> Span:
    grown = {name: after[name] - before[name] for name in before}
    return Span(
        size=f"{after['width']}x{after['height']}",
        frames=grown["frames"] / grown["at"],
        kilobits=grown["bytes"] * 8 / 1000 / grown["at"],
        concealed=grown["concealed"] / max(1, grown["samples"]),
    )


def own_address() -> str:
    """An address of this machine that Janus speaks to as well: it knows none of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return LOCAL
        return str(probe.getsockname()[0])


@contextmanager
def opened(
    browser: Browser, origin: str, network: Network, line: Link | None = None
) -> Iterator[Page]:
    def mirrored(found: re.Match[str]) -> str:
        return f"{found[1]} {network.mirrors} {network.mirror((found[2], int(found[3])))} "

    def send_mirrors(route: Route) -> None:
        """The server as well finds the page only at the end of its line."""
        lines = (route.request.post_data or "").splitlines()
        kept = [
            CANDIDATE.sub(mirrored, line)
            for line in lines
            if not line.startswith("a=candidate:") or CANDIDATE.match(line)
        ]
        route.continue_(post_data="\r\n".join([*kept, ""]))

    with browser.new_context(permissions=["camera", "microphone"]) as context:
        page = context.new_page()
        if line:
            page.add_init_script(line.init_script)
            for path in ("**/watch/**", "**/start/**"):
                page.route(path, send_mirrors)
        page.goto(origin)
        yield page


def measure(browser: Browser, origin: str, cap: int, layers: int) -> list[Row]:
    """Rows of all viewers; the first is the one that is capped."""
    with Network(mirrors=own_address()) as network, ExitStack() as stack:
        line = network.link(1)
        line.shape(delay=ONE_WAY_SECONDS)
        sender = stack.enter_context(opened(browser, origin, network))
        sender.evaluate(f"() => window.publish('doctor', {layers})")
        lines = [line, *[None] * (VIEWERS - 1)]
        pages = [stack.enter_context(opened(browser, origin, network, each)) for each in lines]
        for number, page in enumerate(pages):
            page.evaluate(f"() => window.watch('viewer{number}', 'doctor')")
        for page in pages:
            page.evaluate(FLOWS, PATIENCE_MILLISECONDS)
        time.sleep(SETTLE_SECONDS)
        moments = [counts(pages)]
        time.sleep(FIRST_SECONDS)
        moments.append(counts(pages))
        line.shape(rate=cap)
        for seconds in (FIRST_SECONDS, PAUSE_SECONDS, STEADY_SECONDS):
            time.sleep(seconds)
            moments.append(counts(pages))
    begin, capped, settled, counted, end = moments
    return [
        Row(
            span(begin[each], capped[each]),
            span(capped[each], settled[each]),
            span(counted[each], end[each]),
        )
        for each in range(VIEWERS)
    ]


def counts(pages: list[Page]) -> list[Counts]:
    return [page.evaluate(COUNTS) for page in pages]


def print_rows(name: str, cap: int, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        spans = "  ".join(
            f"{each.size:>8}{each.frames:6.1f}{each.kilobits:6.0f}{each.concealed:7.1%}"
            for each in (row.before, row.first, row.steady)
        )
        holds = row.kept if place else row.serves
        verdict = "" if name != RELAY else "holds" if holds else "MISSED"
        who = "other" if place else f"capped {cap // 1000}k"
        print(f"{name:16}{who:12}{spans}  {verdict}".rstrip())
    sys.stdout.flush()


def print_head() -> None:
    print(
        f"one of {VIEWERS} viewers is capped; voice: share that was made up; goals: the others keep"
    )
    print(
        f"size and {KEPT:.0%} of frames and rate; the capped one has {FRAMES_GOAL:.0f} frames/s and"
        f" voice {STEADY_GOAL:.0%} or less, at first {FIRST_GOAL:.0%} or less"
    )
    spans = ("before", f"first {FIRST_SECONDS} s", f"{STEADY_SECONDS} s of steady state")
    print(f"{'':28}" + "  ".join(f"{each:>27}" for each in spans))
    print(f"{'':28}" + "  ".join([f"{'size':>8}{'fps':>6}{'kb/s':>6}{'voice':>7}"] * len(spans)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, in turn with each other, and print the table."""
    parser = argparse.ArgumentParser(prog="bench.capped")
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args(arguments).rounds
    backends: dict[str, Backend] = {RELAY: relay}
    if shutil.which(JANUS):
        backends[JANUS_ROW] = janus
    print_head()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        media = Path(folder)
        write_voice(media / "voice.wav")
        write_picture(media / "picture.y4m")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                *ARGUMENTS,
                f"--use-file-for-fake-audio-capture={media / 'voice.wav'}",
                f"--use-file-for-fake-video-capture={media / 'picture.y4m'}",
            ],
        )
        for _ in range(rounds):
            for cap in CAPS:
                for name, backend in backends.items():
                    with backend() as (origin, _pid):
                        rows = measure(browser, origin, cap, 2 if name == RELAY else 1)
                    print_rows(name, cap, rows)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
