"""A call between two people, each in a browser process of their own, with camera and microphone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

import pytest
from playwright.sync_api import Locator, Page, expect

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.consults.lifecycle import ConsultState
from telemed.core.config import Settings
from telemed.core.db import Database
from tests.browser.callers import page_of, serve
from tests.browser.conftest import PATIENCE_MILLISECONDS, Chromium, Visitors
from tests.factories import Factory
from tests.servers import Telemed

MOST_TESTS = 14
# The second of Chromium's made-up cameras gives depth, which no call carries; the third a picture.
CAMERAS = "--use-fake-device-for-media-stream=device-count=3"
SECRET_KEY = "a-secret-for-call-tests-that-is-long"
# Counts every peer connection that the page makes; the page itself knows nothing of it.
COUNT_CONNECTIONS = """
window.sockets = [];
const Line = window.WebSocket;
window.WebSocket = class extends Line {
  constructor(...given) { super(...given); window.sockets.push(this); }
};
window.connections = [];
const Original = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Original {
  // One that never hears of anybody was only begun early.
  setRemoteDescription(...given) {
    if (!window.connections.includes(this)) window.connections.push(this);
    return super.setRemoteDescription(...given);
  }
};
"""
STABLE = """async (patience) => {
  const end = performance.now() + patience;
  while (window.connections[0].signalingState !== 'stable') {
    if (performance.now() > end) throw new Error(window.connections[0].signalingState);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""
# Waits in the page, as its policy forbids what Playwright's own waiting would evaluate later.
WAIT = """async ({ figure, more, patience }) => {
  const read = async () => {
    const connection = window.connections.at(-1);
    const found = { framesDecoded: 0, packetsReceived: 0 };
    if (!connection) return found;
    (await connection.getStats()).forEach((entry) => {
      if (entry.type !== 'inbound-rtp') return;
      found.framesDecoded += entry.framesDecoded ?? 0;
      if (entry.kind === 'audio') found.packetsReceived += entry.packetsReceived;
    });
    return found;
  };
  const before = (await read())[figure];
  const end = performance.now() + patience;
  while ((await read())[figure] < before + more) {
    if (performance.now() > end) {
      const states = window.connections.map((each) => [each.connectionState, each.signalingState,
        each.getSenders().map(({ track }) => [track?.kind, track?.readyState])]);
      throw new Error(`${figure} does not grow beyond ${before}: ${JSON.stringify(states)} ` +
        document.body.innerText);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""


class Call:
    """Two people of one accepted case, each at their own browser."""

    def __init__(self, server: Telemed, consult: str, doctor: Page, specialist: Page) -> None:
        self.server = server
        self.consult = consult
        self.doctor = doctor
        self.specialist = specialist

    @property
    def pages(self) -> tuple[Page, Page]:
        return self.doctor, self.specialist

    def begin(self) -> None:
        """The specialist calls, the doctor answers; until both see moving pictures."""
        self.specialist.goto(f"/consults/{self.consult}")
        self.specialist.get_by_role("button", name="Gọi ngay").click()
        self.specialist.wait_for_url("**/sessions/**")
        self.doctor.goto(self.specialist.url)
        self.flows()

    def flows(self) -> None:
        """Pictures and voice arrive on both sides, now and not only once."""
        for page in self.pages:
            grows(page, "framesDecoded")
            grows(page, "packetsReceived")


def grows(page: Page, figure: str) -> None:
    """A figure of the newest connection goes up."""
    page.evaluate(WAIT, {"figure": figure, "more": 10, "patience": PATIENCE_MILLISECONDS})


def connections_of(page: Page) -> int:
    """How many connections the page has made since it was loaded."""
    return int(page.evaluate("() => window.connections.length"))


def role(page: Page, name: str) -> Locator:
    """A part of the page by its role for scripts."""
    return page.locator(f"[data-role={name}]")


@dataclass(frozen=True)
class Prepared:
    """A case that somebody has taken, and the logins of its two sides."""

    consult: str
    doctor: str
    specialist: str


async def prepare(settings: Settings, count: int) -> list[Prepared]:
    """Some accepted cases, each with people of its own."""
    database = Database(settings.database, settings=settings)
    limits = LoginLimits.of(settings)
    cases = []
    async with database.work() as work:
        make = Factory(work)
        for _ in range(count):
            case = await make.case(ConsultState.ACCEPTED)
            tokens = [
                await open_login(work, actor.id, LoginStrength.FULL, limits, "Chromium")
                for actor in (case.doctor, case.specialist)
            ]
            cases.append(Prepared(case.consult.uid, *tokens))
    await database.close()
    return cases


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Telemed, list[Prepared]]]:
    """A served installation with a case for each test."""
    directory = tmp_path_factory.mktemp("calls")
    server, cases = serve(directory, SECRET_KEY, lambda settings: prepare(settings, MOST_TESTS))
    yield server, cases
    server.stop()


@pytest.fixture(scope="module")
def browsers(chromium: Chromium) -> Iterator[list[Chromium]]:
    """Two processes: a page in the background would show its first picture late."""
    browsers = [Chromium(chromium.playwright, CAMERAS) for _ in range(2)]
    yield browsers
    for browser in browsers:
        browser.close()


@pytest.fixture
def call(installation: tuple[Telemed, list[Prepared]], browsers: list[Chromium]) -> Iterator[Call]:
    """Both sides of a fresh case, signed in."""
    server, cases = installation
    case = cases.pop()
    visitors = [Visitors(browser, server.origin) for browser in browsers]
    pages = [
        page_of(visitor, server.origin, token, COUNT_CONNECTIONS)
        for visitor, token in zip(visitors, (case.doctor, case.specialist), strict=True)
    ]
    yield Call(server, case.consult, *pages)
    for visitor in visitors:
        visitor.close()
    # The line to the server is cut on purpose in some of the tests.
    complaints = [line for visitor in visitors for line in visitor.complaints]
    assert [line for line in complaints if "WebSocket" not in line] == []


def test_both_see_and_hear_each_other(call: Call) -> None:
    call.begin()
    assert [connections_of(page) for page in call.pages] == [1, 1]
    for page in call.pages:
        expect(role(page, "situation")).to_be_hidden()
        expect(role(page, "people").locator("li")).to_have_count(2)


def test_voice_and_picture_off_are_true_on_both_sides(call: Call) -> None:
    call.begin()
    own, other = role(call.doctor, "voice"), role(call.specialist, "remote-tag")
    expect(other).to_have_attribute("data-muted", "false")
    own.click()
    expect(own).to_contain_text("Tiếng tắt")
    expect(other).to_have_attribute("data-muted", "true")
    call.doctor.keyboard.press("Escape")
    role(call.doctor, "picture").click()
    expect(role(call.doctor, "picture")).to_contain_text("Hình tắt")
    expect(other).to_have_attribute("data-camera-off", "true")
    own.click()
    role(call.doctor, "picture").click()
    expect(other).to_have_attribute("data-muted", "false")
    expect(other).to_have_attribute("data-camera-off", "false")
    call.flows()
    assert [connections_of(page) for page in call.pages] == [1, 1]


def test_another_camera_goes_on_without_a_new_call(call: Call) -> None:
    call.begin()
    role(call.doctor, "open-devices").click()
    choice = role(call.doctor, "choose-video")
    before = choice.input_value()
    choice.select_option(index=2)
    expect(choice).not_to_have_value(before)
    call.doctor.keyboard.press("Escape")
    call.flows()
    assert [connections_of(page) for page in call.pages] == [1, 1]
    call.doctor.reload()
    call.flows()
    role(call.doctor, "open-devices").click()
    expect(choice).not_to_have_value(before)


def test_a_call_leaves_a_record_of_its_quality(call: Call) -> None:
    call.begin()
    page = call.doctor
    # Two looks at the statistics, two seconds apart.
    page.evaluate(WAIT, {"figure": "packetsReceived", "more": 250, "patience": 20_000})
    with page.expect_response("**/quality") as told:
        role(page, "leave").click()
    summary = told.value.request.post_data_json or {}
    # The page goes away while it tells: the answer has a head, and nobody to read its body.
    assert told.value.status == HTTPStatus.OK
    assert 0 < summary["setup_ms"] < PATIENCE_MILLISECONDS
    assert summary["packets_received"] > 100
    assert min(summary["audio_ms"], summary["bytes_up"], summary["bytes_down"]) > 0
    assert summary["concealed_ms"] <= summary["audio_ms"]
    assert len(summary["timeline"]) > 0


def test_leaving_and_coming_back(call: Call) -> None:
    call.begin()
    role(call.doctor, "leave").click()
    expect(role(call.doctor, "situation")).to_contain_text("Bạn đã rời phòng")
    expect(role(call.specialist, "situation")).to_contain_text("chưa có trong phòng")
    call.doctor.get_by_role("button", name="Vào lại phòng").click()
    call.flows()


def test_a_call_rings_wherever_the_other_is_and_is_answered_there(
    call: Call, shots: Callable[[Page, str], None]
) -> None:
    call.doctor.goto("/home")
    call.specialist.goto(f"/consults/{call.consult}")
    call.specialist.get_by_role("button", name="Gọi ngay").click()
    expect(role(call.specialist, "situation")).to_contain_text("Đang gọi")
    expect(call.doctor).to_have_title(re.compile(r"^\(1\) "))
    shots(call.doctor, "ringing")
    role(call.doctor, "ringing").get_by_role("link", name="Vào phòng").click()
    call.flows()


def test_a_declined_call_is_told_to_who_waits(call: Call) -> None:
    call.doctor.goto("/home")
    call.specialist.goto(f"/consults/{call.consult}")
    call.specialist.get_by_role("button", name="Gọi ngay").click()
    role(call.doctor, "ringing").get_by_role("button", name="Để sau").click()
    expect(role(call.doctor, "ringing")).to_have_count(0)
    expect(role(call.specialist, "chat")).to_contain_text("chưa vào được lúc này")
    call.specialist.get_by_role("button", name="Gọi Lò Văn").click()
    expect(role(call.doctor, "ringing")).to_have_count(1)


def test_a_message_reaches_the_other(call: Call) -> None:
    call.begin()
    role(call.doctor, "chat-text").fill("SpO2 96 %")
    call.doctor.keyboard.press("Enter")
    for page in call.pages:
        expect(role(page, "chat").locator(".said")).to_have_text(["SpO2 96 %"])
        expect(role(page, "chat")).not_to_contain_text("Đang gửi")


def test_a_restart_of_the_server_does_not_touch_the_call(call: Call) -> None:
    call.begin()
    call.server.kill()
    call.flows()
    role(call.doctor, "chat-text").fill("viết khi mất máy chủ")
    call.doctor.keyboard.press("Enter")
    call.server.start()
    expect(role(call.specialist, "chat")).to_contain_text("viết khi mất máy chủ")
    call.flows()
    assert [connections_of(page) for page in call.pages] == [1, 1]


def test_both_may_ask_for_a_new_path_at_once(call: Call) -> None:
    call.begin()
    for _ in range(3):
        for page in call.pages:
            page.evaluate("() => window.connections[0].restartIce()")
        call.flows()
    for page in call.pages:
        page.evaluate(STABLE, PATIENCE_MILLISECONDS)
    assert [connections_of(page) for page in call.pages] == [1, 1]


def test_a_broken_line_to_the_server_is_told_and_mended(call: Call) -> None:
    call.begin()
    call.doctor.evaluate("() => window.sockets.at(-1).close()")
    call.doctor.context.set_offline(True)
    expect(role(call.doctor, "situation")).to_contain_text("Mất kết nối với máy chủ")
    expect(role(call.specialist, "situation")).to_contain_text("mất kết nối với máy chủ")
    call.flows()
    call.doctor.context.set_offline(False)
    for page in call.pages:
        expect(role(page, "situation")).to_be_hidden()
    expect(role(call.specialist, "chat")).to_contain_text("nối lại được")
    call.flows()
    assert [connections_of(page) for page in call.pages] == [1, 1]


def test_a_second_page_takes_the_seat_over(call: Call) -> None:
    call.begin()
    again = call.doctor.context.new_page()
    again.add_init_script(COUNT_CONNECTIONS)
    again.goto(call.doctor.url)
    grows(again, "framesDecoded")
    expect(role(call.doctor, "situation")).to_contain_text("trên một trang khác")
    grows(call.specialist, "framesDecoded")
    call.doctor.bring_to_front()
    call.doctor.get_by_role("button", name="Chuyển về trang này").click()
    call.flows()


def test_whoever_is_signed_out_elsewhere_is_out_of_the_room(call: Call) -> None:
    call.begin()
    elsewhere = call.doctor.context.new_page()
    elsewhere.goto("/account")
    elsewhere.get_by_role("button", name="Đăng xuất").click()
    elsewhere.wait_for_url("**/sign-in**")
    expect(role(call.doctor, "situation")).to_contain_text("Phiên làm việc đã hết")
    expect(role(call.specialist, "situation")).to_contain_text("chưa có trong phòng")


def test_the_room_is_accessible(
    call: Call, axe: Callable[[Page], list[str]], shots: Callable[[Page, str], None]
) -> None:
    call.begin()
    assert [axe(page) for page in call.pages] == [[], []]
    shots(call.specialist, "room-specialist")
    shots(call.doctor, "room-doctor")
