"""Two people of one case, each in a browser process of their own behind a line of their own.

Every page has a meter: when voice and pictures came in, when the room was entered, what is shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playwright.sync_api import Page, Playwright

from tests.browser.conftest import Chromium, Visitors
from tests.impairment import Link, Network
from tests.servers import Telemed

LONGEST_WAIT_SECONDS = 60
# Both browsers and this process run on one machine, so their clocks agree.
METER = """(() => {
  const now = () => performance.timeOrigin + performance.now();
  const connections = [];
  const counts = new WeakMap();
  const meter = { voice: [], picture: [], joins: [], lines: 0, made: 0 };
  window.meter = meter;
  const Line = window.WebSocket;
  window.WebSocket = class extends Line {
    constructor(...given) {
      super(...given);
      meter.lines += 1;
      this.addEventListener('message', ({ data }) => {
        if (String(data).includes('"participant_token"')) meter.joins.push(now());
      });
    }
  };
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    setRemoteDescription(...given) {
      if (!connections.includes(this)) meter.made = connections.push(this);
      return super.setRemoteDescription(...given);
    }
  };
  const note = (entry, counted, name, figure) => {
    // After a restart a browser may count from nought again.
    if (entry[figure] && counted[name] !== entry[figure]) {
      counted[name] = entry[figure];
      meter[name].push(now());
    }
  };
  const look = async (connection) => {
    const counted = counts.get(connection) ?? {};
    counts.set(connection, counted);
    (await connection.getStats()).forEach((entry) => {
      if (entry.type !== 'inbound-rtp') return;
      if (entry.kind === 'audio') note(entry, counted, 'voice', 'packetsReceived');
      else note(entry, counted, 'picture', 'framesDecoded');
    });
  };
  setInterval(() => { for (const connection of connections) void look(connection); }, 50);
})();"""
SINCE = """async ({ name, moment, patience }) => {
  const end = performance.now() + patience;
  for (;;) {
    const found = window.meter[name].find((at) => at > moment);
    if (found !== undefined) return found;
    if (performance.now() > end) return null;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
PAUSE = "(seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds))"


@dataclass(frozen=True)
class Station:
    """One person's page and the line it has."""

    page: Page
    link: Link

    def since(self, moment: float, name: str) -> float:
        """Seconds from a moment to the next voice, picture or join."""
        found = self.find_since(moment, name, LONGEST_WAIT_SECONDS)
        assert found < math.inf, f"no {name}: {self.role('situation').inner_text()}"
        return found

    def find_since(self, moment: float, name: str, patience: float) -> float:
        """The same, infinite when there is none within so many seconds."""
        wanted = {"name": name, "moment": moment * 1000, "patience": patience * 1000}
        found = self.page.evaluate(SINCE, wanted)
        return math.inf if found is None else float(found) / 1000 - moment

    def longest_gap(self, name: str, begin: float, end: float) -> float:
        """The longest time in seconds without voice or pictures between two moments."""
        moments: list[float] = [at / 1000 for at in self.meter()[name]]
        times = [begin, *(at for at in moments if begin < at < end), end]
        return max(after - before for before, after in pairwise(times))

    def meter(self) -> dict[str, Any]:
        """What has been counted since the page was loaded."""
        found: dict[str, Any] = self.page.evaluate("() => window.meter")
        return found

    def role(self, name: str) -> Any:
        """A part of the page by its role for scripts."""
        return self.page.locator(f"[data-role={name}]")

    def let_pass(self, seconds: float) -> None:
        """Time as such, which is what an outage consists of."""
        self.page.evaluate(PAUSE, seconds)


@dataclass(frozen=True)
class Pair:
    """The station and the hospital, in one call."""

    server: Telemed
    near: Station
    far: Station
    consult: str

    @property
    def stations(self) -> tuple[Station, Station]:
        return self.near, self.far

    def begin(self) -> None:
        """The specialist calls, the doctor answers; until both hear and see."""
        began = time.time()
        self.far.page.goto(f"/consults/{self.consult}")
        self.far.page.get_by_role("button", name="Gọi ngay").click()
        self.far.page.wait_for_url("**/sessions/**")
        self.near.page.goto(self.far.page.url)
        self.flows(began)

    def flows(self, moment: float | None = None) -> None:
        """Voice and pictures come in on both sides after a moment, by default from now on."""
        moment = time.time() if moment is None else moment
        for station in self.stations:
            for name in ("voice", "picture"):
                station.since(moment, name)

    def hears(self, moment: float | None = None) -> None:
        """Voice comes in on both sides after a moment, by default from now on.

        Pictures may be left out on purpose, as a busy machine is a bad line too.
        """
        moment = time.time() if moment is None else moment
        for station in self.stations:
            station.since(moment, "voice")


class Lines:
    """Two browser processes behind two lines to one server."""

    def __init__(self, playwright: Playwright, server: Telemed, *arguments: str) -> None:
        self.network = Network(seed=1)
        self.links = [self.network.link(server.port) for _ in range(2)]
        self._server = server
        self._browsers = [Chromium(playwright, *arguments, *link.arguments) for link in self.links]

    @contextmanager
    def pair(self, consult: str, tokens: Sequence[str]) -> Iterator[Pair]:
        """Doctor and specialist, signed in, at lines without a fault."""
        visitors = [Visitors(browser, self._server.origin) for browser in self._browsers]
        near, far = (
            self._sit_down(*each) for each in zip(visitors, self.links, tokens, strict=True)
        )
        yield Pair(self._server, near, far, consult)
        for link in self.links:
            link.mend()
        for visitor in visitors:
            visitor.close()

    def _sit_down(self, visitor: Visitors, link: Link, token: str) -> Station:
        page = visitor.new(bypass_csp=True)
        page.context.add_cookies([{"name": "telemed", "value": token, "url": self._server.origin}])
        page.add_init_script(link.init_script)
        page.add_init_script(METER)
        return Station(page, link)

    def close(self) -> None:
        """End the browsers and the lines."""
        for browser in self._browsers:
            browser.close()
        self.network.close()
