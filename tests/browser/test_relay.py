"""A real Chromium through the relay: what one sends in two layers, another decodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from telemed.media.rooms import Picture, Wish
from tests.browser.conftest import PATIENCE_MILLISECONDS, Chromium
from tests.relayed import FLOWS, RelayedPage

WIDTH = """async ({ width, patience }) => {
  const end = performance.now() + patience;
  while ((await window.figures()).width !== width) {
    if (performance.now() > end) throw new Error(JSON.stringify(await window.figures()));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""


@pytest.fixture
def relayed() -> Iterator[RelayedPage]:
    """A page whose media is relayed."""
    relayed = RelayedPage().start()
    yield relayed
    relayed.stop()


def test_a_viewer_sees_and_hears_through_the_relay(
    relayed: RelayedPage, chromium: Chromium
) -> None:
    with chromium.browser.new_context(permissions=["camera", "microphone"]) as context:
        sender, viewer = context.new_page(), context.new_page()
        for page in (sender, viewer):
            page.goto(relayed.origin)
        sender.evaluate("() => window.publish('doctor', 2)")
        viewer.evaluate("() => window.watch('trainee', 'doctor')")
        viewer.evaluate(FLOWS, PATIENCE_MILLISECONDS)
        for picture, width in ((Picture.SMALL, 320), (Picture.LARGE, 640)):
            relayed.ask("set_wish", "trainee", "doctor", Wish(picture))
            viewer.evaluate(WIDTH, {"width": width, "patience": PATIENCE_MILLISECONDS})
            assert viewer.evaluate("() => window.figures()")["width"] == width
