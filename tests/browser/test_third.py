"""A third person in the room: media goes to the relay, and back to the two who are left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.config import Settings
from telemed.core.db import Database
from tests.browser.callers import page_of, serve
from tests.browser.conftest import Chromium, Visitors
from tests.browser.test_call import CAMERAS, COUNT_CONNECTIONS, role
from tests.browser.test_recorded import until_written
from tests.factories import Factory

SECRET_KEY = "a-secret-for-third-tests-that-is-long"
PATIENCE_MILLISECONDS = 60_000
# Of so many others pictures are being shown and voices arrive, over so many open connections.
FLOW = """async ({ others, open, patience }) => {
  const stages = () => [...document.querySelectorAll('[data-role=remote-stage]')];
  const look = async () => {
    const shown = stages().filter((stage) => !stage.hidden).map((stage) =>
      [...stage.querySelectorAll('video:not(.waiting)')]
        .reduce((sum, video) => sum + video.getVideoPlaybackQuality().totalVideoFrames, 0));
    const voices = [];
    const connections = window.connections.filter((each) => each.connectionState === 'connected');
    for (const connection of connections) {
      (await connection.getStats()).forEach((entry) => {
        if (entry.type === 'inbound-rtp' && entry.kind === 'audio') voices.push(entry.packetsReceived);
      });
    }
    return { shown, voices, open: connections.length };
  };
  const grown = (before, after) => after.filter((count, place) => count > (before[place] ?? 0)).length;
  const end = performance.now() + patience;
  for (;;) {
    const before = await look();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await look();
    const isAll = grown(before.shown, after.shown) === others && after.shown.length === others &&
      grown(before.voices, after.voices) === others && after.open === open;
    if (isAll) return;
    if (performance.now() > end) {
      throw new Error(JSON.stringify([before, after, window.connections.map((each) => each.connectionState)]) +
        document.body.innerText);
    }
  }
}"""


@dataclass(frozen=True)
class Prepared:
    """A case, the name of the third person, and everybody's login."""

    consult: str
    third: str
    tokens: dict[str, str]


class Meeting:
    """A case, its two sides and a third person, each at a browser of their own."""

    def __init__(self, prepared: Prepared, pages: dict[str, Page]) -> None:
        self.consult = prepared.consult
        self.third = prepared.third
        self.pages = pages

    def invite(self) -> None:
        """The doctor finds the third by name, and asks them in as an interpreter."""
        doctor = self.pages["doctor"]
        role(doctor, "open-invite").click()
        role(doctor, "invite-capacity").select_option("interpreter")
        role(doctor, "invite-name").fill(self.third)
        role(doctor, "invite-found").get_by_role("button", name=self.third).first.click()
        expect(role(doctor, "invite")).to_be_hidden()

    def answer(self) -> None:
        """The third is called, and comes in; all see and hear both others."""
        role(self.pages["third"], "ringing").get_by_role("link", name="Vào phòng").click()
        for who in self.pages:
            self.flows(who, others=2, connections=2)

    def begin(self) -> None:
        """The two of the case talk."""
        specialist = self.pages["specialist"]
        specialist.goto(f"/consults/{self.consult}")
        specialist.get_by_role("button", name="Gọi ngay").click()
        specialist.wait_for_url("**/sessions/**")
        self.pages["doctor"].goto(specialist.url)
        for who in ("specialist", "doctor"):
            self.flows(who, others=1, connections=1)

    def flows(self, who: str, *, others: int, connections: int) -> None:
        """Somebody sees and hears so many others, now and not only once."""
        wanted = {"others": others, "open": connections, "patience": PATIENCE_MILLISECONDS}
        self.pages[who].evaluate(FLOW, wanted)


async def prepare(settings: Settings) -> Prepared:
    database = Database(settings.database, settings=settings)
    limits = LoginLimits.of(settings)
    async with database.work() as work:
        make = Factory(work)
        case = await make.case(ConsultState.ACCEPTED)
        people: dict[str, Actor] = {"doctor": case.doctor, "specialist": case.specialist}
        people["third"] = await make.actor(Role.TRAINER)
        tokens = {
            who: await open_login(work, actor.id, LoginStrength.FULL, limits, "Chromium")
            for who, actor in people.items()
        }
    await database.close()
    return Prepared(case.consult.uid, people["third"].name, tokens)


@pytest.fixture
def meeting(tmp_path: Path, chromium: Chromium) -> Iterator[Meeting]:
    """Three people, signed in."""
    with hold(tmp_path, chromium) as meeting:
        yield meeting


@contextmanager
def hold(folder: Path, chromium: Chromium, script: str = "", **changes: str) -> Iterator[Meeting]:
    """Three people, signed in to a server with these settings, whose pages begin with a script."""
    server, prepared = serve(folder, SECRET_KEY, prepare, **changes)
    browsers = {who: Chromium(chromium.playwright, CAMERAS) for who in prepared.tokens}
    visitors = {who: Visitors(browser, server.origin) for who, browser in browsers.items()}
    pages = {}
    for who, token in prepared.tokens.items():
        page = pages[who] = page_of(visitors[who], server.origin, token, script + COUNT_CONNECTIONS)
        page.set_default_timeout(PATIENCE_MILLISECONDS)
    yield Meeting(prepared, pages)
    for visitor in visitors.values():
        visitor.close()
    for browser in browsers.values():
        browser.close()
    server.stop()
    assert [line for visitor in visitors.values() for line in visitor.complaints] == []


def test_a_third_is_seen_and_heard_by_all_and_two_go_on_directly(meeting: Meeting) -> None:
    meeting.begin()
    pages = meeting.pages
    room = pages["specialist"].url
    refused = pages["third"].goto(room)
    assert refused
    assert refused.status == HTTPStatus.NOT_FOUND
    pages["third"].goto("/home")
    meeting.invite()
    meeting.answer()
    for who in pages:
        expect(role(pages[who], "people").locator("li")).to_have_count(3)
    for who in ("doctor", "specialist"):
        guest = role(pages[who], "guest")
        expect(guest).to_contain_text(f"{meeting.third} – phiên dịch")
        expect(role(pages[who], "chat")).to_contain_text("vào phòng theo lời mời")
    role(pages["doctor"], "guest").get_by_role("button").click()
    expect(role(pages["third"], "situation")).to_contain_text("Bạn không còn trong ca này")
    for who in ("doctor", "specialist"):
        meeting.flows(who, others=1, connections=1)
        expect(role(pages[who], "guests")).to_be_hidden()


def test_when_the_relay_dies_all_are_seen_again_and_the_recording_tells_of_its_end(
    meeting: Meeting, tmp_path: Path
) -> None:
    meeting.begin()
    pages = meeting.pages
    pages["third"].goto("/home")
    meeting.invite()
    role(pages["third"], "ringing").get_by_role("link", name="Vào phòng").click()
    for who in pages:
        meeting.flows(who, others=2, connections=2)
    ask_to_record(pages)
    pages["doctor"].get_by_role("button", name="Người bệnh đồng ý").click()
    is_recorded(pages)
    recordings = tmp_path / "var" / "recordings"
    until_written(recordings, len(pages))
    os.kill(relay_of(tmp_path), signal.SIGKILL)
    for page in pages.values():
        expect(role(page, "chat")).to_contain_text("Việc ghi bị ngắt, phần đã ghi vẫn được lưu")
        expect(role(page, "recording-state")).to_have_text("Không ghi hình.")
    for who in pages:
        meeting.flows(who, others=2, connections=2)
    expect(role(pages["doctor"], "chat")).to_contain_text("Bản ghi đã được lưu")
    # What the patient has said still holds.
    ask_to_record(pages)
    is_recorded(pages)


def ask_to_record(pages: dict[str, Page]) -> None:
    """The specialist asks, and everybody in the room says yes."""
    role(pages["specialist"], "ask-recording").click()
    for page in pages.values():
        page.get_by_role("button", name="Đồng ý ghi").click()


def is_recorded(pages: dict[str, Page]) -> None:
    """Every page says so."""
    for page in pages.values():
        expect(role(page, "recording-words")).to_have_text("Đang ghi")


def relay_of(folder: Path) -> int:
    """The relay's process of the server whose data are in a folder."""
    return next(
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if b"relay.worker" in read(process / "cmdline")
        and str(folder).encode() in read(process / "environ")
    )


def read(file: Path) -> bytes:
    """Nothing of a process that has ended meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""
