"""A sharp picture on request: asked for on one page, taken with one press on the other, kept."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import test_call
from tests.browser.test_call import Call, connections_of, grows, role

# A town of its own, made and left as that of the calls is.
installation, browsers, call = test_call.installation, test_call.browsers, test_call.call

MOST_OF_CAMERA = """() => {
  const track = document.querySelector('[data-role=own]').srcObject.getVideoTracks()[0];
  const { width, height } = track.getCapabilities();
  return [width.max, height.max];
}"""
SIZE_OF_CAMERA = """() => {
  const track = document.querySelector('[data-role=own]').srcObject.getVideoTracks()[0];
  const { width, height } = track.getSettings();
  return [width, height];
}"""
HEARD = """async () => {
  let packets = 0;
  (await window.connections.at(-1).getStats()).forEach((entry) => {
    if (entry.type === 'inbound-rtp' && entry.kind === 'audio') packets += entry.packetsReceived;
  });
  return packets;
}"""
ARRIVAL_MILLISECONDS = 60_000


def test_a_sharp_still_has_all_of_the_camera_while_the_voice_goes_on(
    call: Call, axe: Callable[[Page], list[str]], shots: Callable[[Page, str], None]
) -> None:
    call.begin()
    most, before = call.doctor.evaluate(MOST_OF_CAMERA), call.doctor.evaluate(SIZE_OF_CAMERA)
    assert most > before
    role(call.specialist, "ask-picture").click()
    expect(role(call.specialist, "ask-picture")).to_contain_text("Đang chờ ảnh")
    expect(role(call.doctor, "picture-note")).to_contain_text("xin một ảnh nét")
    assert [axe(page) for page in call.pages] == [[], []]
    shots(call.doctor, "room-picture-asked")
    heard = call.specialist.evaluate(HEARD)
    role(call.doctor, "give-picture").click()
    for page in call.pages:
        expect(role(page, "sharp-picture")).to_be_visible(timeout=ARRIVAL_MILLISECONDS)
    assert call.specialist.evaluate(HEARD) > heard
    expect(role(call.doctor, "picture-note")).to_be_hidden()
    expect(role(call.specialist, "ask-picture")).to_contain_text("Xin ảnh nét")
    link = role(call.specialist, "sharp-picture").locator("a[download]")
    answer = call.specialist.request.get(link.get_attribute("href") or "")
    assert list(Image.open(BytesIO(answer.body())).size) == most
    assert call.doctor.evaluate(SIZE_OF_CAMERA) == before
    shots(call.specialist, "room-picture-given")
    call.flows()
    assert [connections_of(page) for page in call.pages] == [1, 1]
    call.specialist.goto(f"/consults/{call.consult}")
    kept = call.specialist.get_by_role("link", name="Ảnh nét chụp khi đang gọi")
    expect(kept.first).to_be_visible()


def test_a_picture_waits_while_there_is_voice_alone_and_can_be_refused(call: Call) -> None:
    call.begin()
    role(call.doctor, "open-devices").click()
    role(call.doctor, "choose-mode").select_option("voice")
    call.doctor.keyboard.press("Escape")
    expect(role(call.doctor, "mode-words")).to_contain_text("Bạn chọn")
    call.specialist.keyboard.press("s")
    call.doctor.reload()
    role(call.doctor, "open-devices").click()
    role(call.doctor, "choose-mode").select_option("voice")
    call.doctor.keyboard.press("Escape")
    expect(role(call.doctor, "mode-words")).to_contain_text("Bạn chọn")
    role(call.doctor, "give-picture").click()
    expect(role(call.doctor, "picture-note")).to_contain_text("nhường cho tiếng nói")
    expect(role(call.specialist, "chat")).to_contain_text("ảnh chờ đường truyền khá hơn")
    grows(call.specialist, "packetsReceived")
    role(call.doctor, "decline-picture").click()
    expect(role(call.specialist, "chat")).to_contain_text("chưa chụp được ảnh")
    expect(role(call.specialist, "ask-picture")).to_contain_text("Xin ảnh nét")
    expect(role(call.doctor, "picture-note")).to_be_hidden()
