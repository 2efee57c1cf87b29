"""The check before a call, with made-up devices; a station that finds out by itself."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MILLISECONDS, PHONE, Visitors
from tests.browser.town import Town

DRILL_MILLISECONDS = 60_000
# A station drills twice a minute at most.
DRILL_AGAIN_MILLISECONDS = 31_000


def line(name: str) -> str:
    return f"[data-role=line][data-name={name}]"


def test_a_doctor_checks_everything_before_a_call(
    sign_in_as: Callable[..., Page],
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    page = sign_in_as("doctor", size=PHONE)
    page.get_by_role("link", name="Kiểm tra trước khi gọi").click()
    with page.expect_response("**/check/result", timeout=DRILL_MILLISECONDS) as saved:
        page.get_by_role("button", name="Bắt đầu kiểm tra").click()
    assert saved.value.json() == {"saved": True}
    for name in ("camera", "microphone", "rtt_ms", "down_kbps", "up_kbps", "voice"):
        expect(page.locator(line(name))).to_have_attribute("data-tone", "ok")
    for name in ("relay_udp", "relay_tcp", "relay_tls"):
        expect(page.locator(line(name))).to_contain_text("Chưa cấu hình")
    page.get_by_role("button", name="Thử loa").click()
    page.get_by_role("button", name="Không nghe thấy").click()
    expect(page.locator(line("speaker"))).to_have_attribute("data-tone", "w")
    expect(page.locator("[data-role=outcome]")).to_contain_text("Đã lưu")
    shots(page, "check")
    assert axe(page) == []


def test_a_refused_camera_is_a_sentence(sign_in_as: Callable[..., Page]) -> None:
    page = sign_in_as("doctor")
    page.add_init_script(
        "MediaDevices.prototype.getUserMedia = async () => {"
        " throw new DOMException('no', 'NotAllowedError'); };"
    )
    page.goto("/check")
    with page.expect_response("**/check/result"):
        page.get_by_role("button", name="Bắt đầu kiểm tra").click()
    expect(page.locator(line("camera"))).to_contain_text("chưa cho dùng")
    expect(page.locator(line("microphone"))).to_have_attribute("data-tone", "w")
    expect(page.locator(line("rtt_ms"))).to_have_attribute("data-tone", "ok")


FAILED_CHECK = """async () => {
  const body = JSON.stringify({ key: "a-drill-that-failed", is_well: false, is_drill: true });
  const headers = { "Content-Type": "application/json" };
  const { status } = await fetch("/check/result", { method: "POST", headers, body });
  sessionStorage.clear();
  return status;
}"""


def test_a_station_whose_last_drill_failed_drills_again_by_itself(
    sign_in_as: Callable[..., Page],
) -> None:
    page = sign_in_as("doctor")
    page.goto("/account")
    assert page.evaluate(FAILED_CHECK) == 200
    go_home_until_drilling(page)
    with page.expect_response("**/check/result", timeout=DRILL_MILLISECONDS) as drilled:
        pass
    told = drilled.value.request.post_data_json or {}
    assert (drilled.value.json(), told["is_drill"]) == ({"saved": True}, True)
    # The voice went to the server and came back.
    assert told["loss_permille"] < 1000


def go_home_until_drilling(page: Page) -> None:
    """A page that is gone may have begun a drill; the station's next one is half a minute later."""
    for _ in range(3):
        with page.expect_response("**/check/loop") as asked:
            page.goto("/home")
        if asked.value.ok:
            return
        page.wait_for_timeout(DRILL_AGAIN_MILLISECONDS)
    raise AssertionError("never taken")


NOT_BY_ITSELF = "sessionStorage.setItem('telemed.drilled-at', String(Date.now()))"


def test_a_coordinator_has_a_station_drill_and_sees_that_it_can_be_called(
    town: Town,
    visitors: Visitors,
    sign_in_as: Callable[..., Page],
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    station = visitors.new()
    station.add_init_script(NOT_BY_ITSELF)
    with station.expect_response("**/sessions/ringing", timeout=PATIENCE_MILLISECONDS):
        # Asked for as soon as the page hears hints.
        town.people["neighbour"].sign_in(station)
    coordinator = sign_in_as("coordinator")
    coordinator.goto("/quality")
    # The second station of the town, as the table has them by code.
    row = coordinator.locator("section").first.locator("tbody tr").nth(1)
    expect(row).to_contain_text("Chưa diễn tập lần nào")
    with station.expect_response("**/check/result", timeout=DRILL_MILLISECONDS) as drilled:
        row.get_by_role("button", name="Diễn tập ngay").click()
    told = drilled.value.request.post_data_json or {}
    assert told["is_drill"] is True
    assert told["loss_permille"] < 1000
    expect(coordinator.get_by_text("Đã gọi trạm diễn tập")).to_be_visible()
    coordinator.goto("/quality")
    expect(row).to_contain_text("Sẵn sàng")
    shots(coordinator, "quality")
    assert axe(coordinator) == []
