"""Calls that nothing but a TURN server carries: every transport, new secrets, a relay that dies."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page

from telemed.core.columns import new_uid
from tests.browser.conftest import Chromium, Visitors
from tests.browser.test_call import (
    CAMERAS,
    COUNT_CONNECTIONS,
    SECRET_KEY,
    Call,
    Prepared,
    connections_of,
    prepare,
)
from tests.conftest import make_settings
from tests.coturn import Coturn
from tests.servers import Telemed

MOST_TESTS = 4
SECRET = "a-secret-that-is-shared-with-coturn"
AWAY = re.compile("WebSocket|ERR_CONNECTION_REFUSED")
# As if a firewall let nothing through but one way to the relay.
ONE_WAY_OUT = """
const ways = %s;
const Open = window.RTCPeerConnection;
const behindFirewall = (config) => ({
  ...config,
  iceTransportPolicy: "relay",
  iceServers: config.iceServers
    .map((server) => ({ ...server, urls: server.urls.filter((url) => ways.includes(url)) }))
    .filter(({ urls }) => urls.length > 0),
});
window.RTCPeerConnection = class extends Open {
  constructor(config) { super(behindFirewall(config)); }
  setConfiguration(config) { super.setConfiguration(behindFirewall(config)); }
};
"""
# How the packets of the newest connection go.
PATH = """async () => {
  const report = await window.connections.at(-1).getStats();
  const found = [...report.values()];
  const { selectedCandidatePairId } = found.find(({ type }) => type === "transport");
  const pair = report.get(selectedCandidatePairId);
  const { candidateType, relayProtocol } = report.get(pair.localCandidateId);
  return [candidateType, relayProtocol, report.get(pair.remoteCandidateId).candidateType];
}"""


@dataclass
class Province:
    """A served installation whose calls go through a relay of its own."""

    server: Telemed
    coturn: Coturn
    cases: list[Prepared]
    secret_file: Path

    def rotate(self) -> str:
        """Both secrets are good from now on, and the newer one signs; returns the older one."""
        newest = self.secret_file.read_text().split()
        newer = new_uid() * 2
        self.coturn.add_secret(newer)
        self.secret_file.write_text("\n".join([newer, *newest]))
        # Calls survive even this; it is quicker than asking.
        self.server.kill()
        self.server.start()
        return newest[0]


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A province where nobody finds a direct path."""
    coturn = Coturn(SECRET, reaches_loopback=True).start()
    directory = tmp_path_factory.mktemp("relayed")
    secret_file = directory / "turn-secret"
    secret_file.write_text(SECRET)
    settings = make_settings(data_dir=directory / "var", secret_key=SECRET_KEY)
    server = Telemed(
        directory,
        secret_key=SECRET_KEY,
        turn_urls=json.dumps([coturn.udp, coturn.tcp, coturn.tls]),
        turn_secret_file=str(secret_file),
    )
    server.command("migrate")
    with ThreadPoolExecutor(1) as thread:
        cases = thread.submit(asyncio.run, prepare(settings, MOST_TESTS)).result()
    server.start()
    yield Province(server, coturn, cases, secret_file)
    server.stop()
    coturn.remove()


@pytest.fixture(scope="module")
def browsers(chromium: Chromium, province: Province) -> Iterator[list[Chromium]]:
    """They believe coturn's own certificate, and only that one."""
    believed = f"--ignore-certificate-errors-spki-list={province.coturn.fingerprint}"
    browsers = [Chromium(chromium.playwright, CAMERAS, believed) for _ in range(2)]
    yield browsers
    for browser in browsers:
        browser.close()


@pytest.fixture
def call_over(province: Province, browsers: list[Chromium]) -> Iterator[Callable[..., Call]]:
    """Both sides of a fresh case, signed in, with one way out."""
    visitors = [Visitors(browser, province.server.origin) for browser in browsers]
    case = province.cases.pop()

    def begin(*ways: str) -> Call:
        pages: list[Page] = []
        for visitor, token in zip(visitors, (case.doctor, case.specialist), strict=True):
            page = visitor.new()
            url = province.server.origin
            page.context.add_cookies([{"name": "telemed", "value": token, "url": url}])
            page.add_init_script(ONE_WAY_OUT % json.dumps(ways))
            page.add_init_script(COUNT_CONNECTIONS)
            pages.append(page)
        call = Call(province.server, case.consult, *pages)
        call.begin()
        return call

    yield begin
    for visitor in visitors:
        visitor.close()
    # The server and the relay are away on purpose in some of the tests.
    complaints = [line for visitor in visitors for line in visitor.complaints]
    assert [line for line in complaints if not AWAY.search(line)] == []


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_goes_through_the_relay_alone(
    province: Province, call_over: Callable[..., Call], transport: str
) -> None:
    call = call_over(getattr(province.coturn, transport))
    assert [page.evaluate(PATH) for page in call.pages] == [["relay", transport, "relay"]] * 2
    call.flows()


def test_a_new_secret_does_not_drop_a_call_and_is_what_a_new_path_is_made_with(
    province: Province, call_over: Callable[..., Call]
) -> None:
    call = call_over(province.coturn.udp)
    old = province.rotate()
    province.coturn.delete_secret(old)
    call.flows()
    # The path is lost, and the credentials it was made with are good no more.
    province.coturn.stop()
    province.coturn.start()
    call.flows()
    assert [page.evaluate(PATH)[0] for page in call.pages] == ["relay", "relay"]
    assert [connections_of(page) for page in call.pages] == [1, 1]
