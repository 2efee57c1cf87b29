"""A card before the camera, and a hand scanner that types, in a real browser at a real server.

The camera is Chromium's fake one, showing a film of a card. This Chromium reads no codes by itself, so
the pictures go the way through the server; where a test wants a browser that does, `BarcodeDetector` is
a stub and said to be one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import PHONE, Chromium, Visitors
from tests.browser.film import film_card
from tests.browser.town import Town
from tests.cards import ID_CARD

SignIn = Callable[..., Page]
SCAN = re.compile("/patients/new/scan$")
KEYS_APART_SECONDS = 0.01
# Keeps what the camera gave, to see whether it was let go, and what was sent: Playwright shows the
# body of no request that is a blob.
WATCH = """
window.tracks = [];
window.pictures = [];
const { fetch } = window;
window.fetch = (url, how) => {
  if (how?.body instanceof Blob) window.pictures.push({ at: performance.now(), size: how.body.size, type: how.body.type });
  return fetch(url, how);
};
const media = navigator.mediaDevices;
const real = media.getUserMedia.bind(media);
media.getUserMedia = async (wishes) => {
  const stream = await real(wishes);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""
# A stub of the browser's own reader, which finds what it is told.
DETECTOR = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["ean_13", "qr_code"]; }
  async detect() { return %s; }
};
"""
# Until the film shows the card; there it stops, to have its picture taken.
CARD_IN_SIGHT = """() => {
  const video = document.querySelector("dialog video");
  const context = document.createElement("canvas").getContext("2d");
  context.drawImage(video, 540, 260, 200, 200, 0, 0, 200, 200);
  const { data } = context.getImageData(0, 0, 200, 200);
  const isThere = data.some((value, at) => at % 4 === 0 && value < 100 && data[at + 3] === 255);
  if (isThere) video.pause();
  return isThere;
}"""


def card_of(name: str, number: int) -> str:
    """The text of a made-up card of somebody whom no other test knows."""
    return f"011159888{number:03}||{name}|12031959|Nữ|Bản Co Chạy, Mường Pồn|01072021"


@pytest.fixture(scope="module")
def camera(
    chromium: Chromium, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Chromium]]:
    """A browser whose camera sees a card that says this."""
    folder = tmp_path_factory.mktemp("films")
    opened: dict[str, Chromium] = {}

    def open_with(text: str) -> Chromium:
        if text not in opened:
            film = film_card(folder / f"{len(opened)}.y4m", text)
            argument = f"--use-file-for-fake-video-capture={film}"
            opened[text] = Chromium(chromium.playwright, argument)
        return opened[text]

    yield open_with
    for browser in opened.values():
        browser.close()


@pytest.fixture
def before_a_card(
    town: Town, camera: Callable[[str], Chromium], sign_in_as: SignIn
) -> Iterator[Callable[..., Page]]:
    """A page of the doctor with a card before the camera; `script` runs before any of the page's."""
    sign_in_as("doctor")
    visiting: list[Visitors] = []

    def open_page(text: str, *scripts: str, **profile: Any) -> Page:
        visitors = Visitors(camera(text), town.server.origin)
        visiting.append(visitors)
        page = visitors.new(state=town.signed_in["doctor"], **profile)
        for script in (WATCH, *scripts):
            page.add_init_script(script)
        page.goto("/patients/new")
        return page

    yield open_page
    for visitors in visiting:
        visitors.close()
        assert visitors.complaints == []


def pictures_of(page: Page) -> list[Request]:
    """The pictures that the page sends from now on."""
    sent: list[Request] = []
    page.on("request", lambda asked: sent.append(asked) if _is_picture(asked) else None)
    return sent


def _is_picture(asked: Request) -> bool:
    kind = asked.headers.get("content-type", "")
    return bool(SCAN.search(asked.url)) and kind.startswith("image/")


def press_scan(page: Page) -> Locator:
    """Open the dialog."""
    page.get_by_role("button", name="Quét thẻ bằng camera").click()
    dialog = page.get_by_role("dialog", name="Quét thẻ bằng camera")
    expect(dialog).to_be_visible()
    return dialog


def expect_camera_off(page: Page) -> None:
    page.wait_for_function(
        "() => tracks.length > 0 && tracks.every((one) => one.readyState === 'ended')"
    )


def name_field(page: Page) -> Locator:
    return page.get_by_label("Họ và tên", exact=True)


def save(page: Page) -> str:
    """Save the form as it is filled; the address of the patient."""
    page.get_by_label("Đã hỏi, không dị ứng").check()
    page.get_by_role("button", name="Lưu người bệnh").click()
    page.wait_for_url(re.compile(r"/patients/[\w-]{22}$"))
    return page.url


def scan_by_hand(page: Page, text: str, *ends: str) -> None:
    """What a hand scanner types; times of the keys are the scanner's, however busy this machine is."""
    wire = page.context.new_cdp_session(page)
    at = page.evaluate("() => Date.now() / 1000")
    for letter in text:
        at += KEYS_APART_SECONDS
        key = {"key": letter, "text": letter, "unmodifiedText": letter, "timestamp": at}
        wire.send("Input.dispatchKeyEvent", {"type": "keyDown", **key})
        wire.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": letter, "timestamp": at})
    for end in ends or ("Enter",):
        at += KEYS_APART_SECONDS
        last = {"key": end, "code": end, "windowsVirtualKeyCode": 13, "text": "\r", "timestamp": at}
        wire.send("Input.dispatchKeyEvent", {"type": "keyDown", **last})
        wire.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": end, "timestamp": at})
    wire.detach()


# --- camera ----------------------------------------------------------------------------------


def test_a_card_before_the_camera_fills_the_form(before_a_card: Callable[..., Page]) -> None:
    page = before_a_card(ID_CARD)
    sent = pictures_of(page)
    assert page.evaluate("() => 'BarcodeDetector' in window") is False
    dialog = press_scan(page)

    expect(name_field(page)).to_have_value("Lò Văn Pánh")
    expect(dialog).to_have_count(0)
    expect(name_field(page)).to_be_focused()
    expect(page.get_by_label("Số định danh cá nhân")).to_have_value("011059000123")
    expect(page.get_by_label("Ngày sinh")).to_have_value("12/03/1959")
    expect(page.get_by_label("Nam", exact=True)).to_be_checked()
    expect(page.get_by_label("Số CMND cũ")).to_have_value("040123456")
    expect(page.locator("[data-role=card-said]")).to_contain_text("Đã điền từ thẻ")
    expect_camera_off(page)
    assert len(sent) == page.evaluate("pictures.length")
    assert page.evaluate("pictures.map((one) => one.type)") == ["image/jpeg"] * len(sent)
    sizes = page.evaluate("pictures.map((one) => one.size)")
    assert min(sizes) > 1_000
    assert max(sizes) < 60_000


def test_pictures_are_sent_at_a_bounded_pace(
    before_a_card: Callable[..., Page],
) -> None:
    page = before_a_card("https://example.test/")
    dialog = press_scan(page)
    expect(dialog.get_by_role("status")).to_contain_text("Đây không phải mã QR")
    page.wait_for_function("() => pictures.length >= 5")
    times = page.evaluate("pictures.map((one) => one.at)")
    assert min(late - early for early, late in pairwise(times)) >= 700
    dialog.get_by_role("button", name="Đóng camera").click()
    expect_camera_off(page)


def test_who_has_the_number_already_is_named(before_a_card: Callable[..., Page]) -> None:
    page = before_a_card(card_of("Quàng Thị Ún", 1))
    press_scan(page)
    expect(name_field(page)).to_have_value("Quàng Thị Ún")
    address = save(page)

    page.goto("/patients/new")
    press_scan(page)
    said = page.locator("[data-role=card-said]")
    expect(said).to_contain_text("Trạm đã có người bệnh mang số này: Quàng Thị Ún.")
    link = said.get_by_role("link", name="Mở hồ sơ đã có")
    expect(link).to_be_focused()
    link.press("Enter")
    page.wait_for_url(address)

    page.goto("/patients")
    press_scan(page)
    page.wait_for_url(address)


def test_the_dialog_is_used_by_the_keyboard_and_gives_the_focus_back(
    before_a_card: Callable[..., Page],
) -> None:
    page = before_a_card(ID_CARD, DETECTOR % "[]")
    button = page.get_by_role("button", name="Quét thẻ bằng camera")
    button.focus()
    button.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Đóng camera")).to_be_focused()
    expect(dialog.get_by_role("status")).to_contain_text("Đưa mã QR")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    expect_camera_off(page)

    button.press("Enter")
    dialog.get_by_role("button", name="Đóng camera").press("Enter")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    expect_camera_off(page)


def test_a_page_that_is_hidden_closes_its_camera(before_a_card: Callable[..., Page]) -> None:
    page = before_a_card(ID_CARD, DETECTOR % "[]")
    dialog = press_scan(page)
    expect(dialog.get_by_role("status")).to_contain_text("Đưa mã QR")
    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    expect(dialog).to_have_count(0)
    expect_camera_off(page)


def test_a_browser_that_reads_codes_sends_no_picture(before_a_card: Callable[..., Page]) -> None:
    text = card_of("Vừ Thị Mỷ", 2)
    page = before_a_card(ID_CARD, DETECTOR % f"[{{ rawValue: {text!r} }}]")
    sent = pictures_of(page)
    press_scan(page)
    expect(name_field(page)).to_have_value("Vừ Thị Mỷ")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect_camera_off(page)
    assert sent == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "Trình duyệt chưa cho dùng camera"),
        ("NotFoundError", "Máy này không có camera"),
        ("NotReadableError", "Chương trình khác đang giữ camera"),
    ],
)
def test_what_keeps_the_camera_shut_is_said(
    before_a_card: Callable[..., Page], name: str, words: str
) -> None:
    refuse = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}'); }};"
    page = before_a_card(ID_CARD, refuse)
    dialog = press_scan(page)
    expect(dialog.get_by_role("status")).to_contain_text(words)
    expect(dialog.get_by_role("button", name="Quét tiếp")).to_be_visible()
    expect(dialog.locator("video")).to_be_hidden()


def test_a_browser_without_a_camera_interface_offers_none(
    before_a_card: Callable[..., Page],
) -> None:
    gone = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined });"
    page = before_a_card(ID_CARD, "")
    page.add_init_script(gone)
    page.goto("/patients/new")
    expect(page.get_by_role("button", name="Điền từ mã QR")).to_be_visible()
    expect(page.get_by_role("button", name="Quét thẻ bằng camera")).to_have_count(0)


def test_everybody_can_use_the_dialog(
    before_a_card: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    shots: Callable[[Page, str], None],
) -> None:
    page = before_a_card(ID_CARD, DETECTOR % "[]")
    shots(page, "scan-form")
    dialog = press_scan(page)
    expect(dialog.get_by_role("status")).to_contain_text("Đưa mã QR")
    page.wait_for_function(CARD_IN_SIGHT)
    shots(page, "scan-dialog")
    assert axe(page) == []
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.emulate_media(color_scheme="dark")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


# --- hand scanner ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["phone", "old_number", "full_name", "allergies"])
def test_a_hand_scanner_may_type_into_any_field(sign_in_as: SignIn, place: str) -> None:
    page = sign_in_as("doctor")
    page.goto("/patients/new")
    page.locator(f"[name={place}]").fill("012")
    scan_by_hand(page, card_of("Lò Thị Ánh", 3))
    expect(page.get_by_label("Ngày sinh")).to_have_value("12/03/1959")
    expect(name_field(page)).to_have_value("Lò Thị Ánh")
    expect(page.locator("[name=phone]")).to_have_value(re.compile(r"^(012)?$"))
    expect(page.locator("[name=allergies]")).to_have_value(re.compile(r"^(012)?$"))
    expect(page).to_have_url(re.compile("/patients/new$"))


def test_a_second_enter_saves_nothing(sign_in_as: SignIn) -> None:
    page = sign_in_as("doctor")
    page.goto("/patients/new")
    scan_by_hand(page, card_of("Lò Thị Hặc", 5), "Enter", "Enter")
    expect(name_field(page)).to_have_value("Lò Thị Hặc")
    expect(name_field(page)).to_be_focused()
    expect(page).to_have_url(re.compile("/patients/new$"))
    save(page)


@pytest.mark.parametrize("place", ["body", "button", "select", "radio"])
def test_a_hand_scanner_may_type_where_no_field_is(sign_in_as: SignIn, place: str) -> None:
    page = sign_in_as("doctor")
    page.goto("/patients/new")
    focus = {
        "body": "document.activeElement.blur()",
        "button": "[...document.querySelectorAll('button')].at(-1).focus()",
        "select": "document.querySelector('select[name=ethnic_code]').focus()",
        "radio": "document.querySelector('[name=allergy_state]').focus()",
    }
    page.evaluate(focus[place])
    scan_by_hand(page, card_of("Lò Thị Ánh", 3))
    expect(name_field(page)).to_have_value("Lò Thị Ánh")
    expect(page.locator("select[name=ethnic_code]")).to_have_value("")
    expect(page.locator("[name=allergy_state][value=not_asked]")).to_be_checked()
    expect(page).to_have_url(re.compile("/patients/new$"))


def test_what_an_input_method_garbled_is_said_at_the_field(sign_in_as: SignIn) -> None:
    page = sign_in_as("doctor")
    page.goto("/patients/new")
    page.locator("[name=phone]").fill("0912345678")
    page.get_by_label("Quét hoặc dán mã QR căn cước").focus()
    scan_by_hand(page, "TÉ110110059123|4cđ2|12/03/1959|2||11 - 019|01/01/2026|$")
    refusal = page.locator("[data-role=card-refusal]")
    expect(refusal).to_contain_text("Bộ gõ tiếng Việt đã đổi chữ")
    expect(page.get_by_label("Quét hoặc dán mã QR căn cước")).to_be_focused()
    expect(page.locator("[name=phone]")).to_have_value("0912345678")

    scan_by_hand(page, card_of("Lò Thị Ánh", 3))
    expect(name_field(page)).to_have_value("Lò Thị Ánh")
    expect(refusal).to_be_hidden()


def test_a_hand_scanner_finds_a_patient_by_number_alone(sign_in_as: SignIn) -> None:
    page = sign_in_as("doctor")
    page.goto("/patients/new")
    scan_by_hand(page, card_of("Cà Thị Piêng", 4))
    expect(name_field(page)).to_have_value("Cà Thị Piêng")
    save(page)

    page.goto("/patients")
    scan_by_hand(page, card_of("Cà Thị Piêng", 4))
    page.wait_for_url("**/patients?q=011159888004")
    expect(page.get_by_role("link", name=re.compile("Cà Thị Piêng"))).to_be_visible()
