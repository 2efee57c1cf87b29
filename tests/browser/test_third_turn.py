"""Three people, and a relay, of whom none is reached but through a TURN server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Chromium
from tests.browser.test_third import Meeting, hold
from tests.browser.test_turn import ONE_WAY_OUT
from tests.coturn import Coturn

SECRET = "a-secret-that-is-shared-with-coturn"
PATHS = """async () => {
  const open = window.connections.filter((each) => each.connectionState === "connected");
  const found = [];
  for (const connection of open) {
    const report = await connection.getStats();
    const { selectedCandidatePairId } = [...report.values()].find(({ type }) => type === "transport");
    const pair = report.get(selectedCandidatePairId);
    found.push([pair.localCandidateId, pair.remoteCandidateId].map((id) => report.get(id).candidateType));
  }
  return found;
}"""


@pytest.fixture
def meeting(tmp_path: Path, chromium: Chromium) -> Iterator[Meeting]:
    """Everybody behind a firewall that lets nothing through but the way to coturn."""
    coturn = Coturn(SECRET, reaches_loopback=True).start()
    settings = {
        "turn_urls": json.dumps([coturn.udp]),
        "turn_secret": SECRET,
        "relay_turn": "only",
        # Here coturn itself stands on the loopback address.
        "relay_private_candidates": "true",
    }
    script = ONE_WAY_OUT % json.dumps([coturn.udp])
    with hold(tmp_path, chromium, script, **settings) as meeting:
        yield meeting
    coturn.remove()


def test_a_relay_without_an_address_of_its_own_forwards_between_three(meeting: Meeting) -> None:
    meeting.begin()
    pages = meeting.pages
    pages["third"].goto("/home")
    meeting.invite()
    meeting.answer()
    for page in pages.values():
        assert page.evaluate(PATHS) == [["relay", "relay"]] * 2
