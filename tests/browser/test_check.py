"""The check before a call, with made-up devices; a station that finds out by itself."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE


def line(name: str) -> str:
    return f"[data-role=line][data-name={name}]"


def test_a_doctor_checks_everything_before_a_call(
    sign_in_as: Callable[..., Page],
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    page = sign_in_as("doctor", size=PHONE)
    page.get_by_role("link", name="Kiểm tra trước khi gọi").click()
    with page.expect_response("**/check/result") as saved:
        page.get_by_role("button", name="Bắt đầu kiểm tra").click()
    assert saved.value.json() == {"saved": True}
    for name in ("camera", "microphone", "rtt_ms", "down_kbps", "up_kbps"):
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
  const body = JSON.stringify({ key: "a-check-that-failed", is_well: false });
  const headers = { "Content-Type": "application/json" };
  const { status } = await fetch("/check/result", { method: "POST", headers, body });
  sessionStorage.clear();
  return status;
}"""


def test_a_station_whose_last_check_failed_looks_again_by_itself(
    sign_in_as: Callable[..., Page],
) -> None:
    page = sign_in_as("doctor")
    page.goto("/account")
    assert page.evaluate(FAILED_CHECK) == 200
    with page.expect_response("**/check/result") as drilled:
        page.goto("/home")
    told = drilled.value.request.post_data_json or {}
    assert (drilled.value.json(), told["is_drill"]) == ({"saved": True}, True)
