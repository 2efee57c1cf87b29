"""A commune doctor writes a request in a real browser: with scripts, without, and on a bad link."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Visitors

SignIn = Callable[..., Page]
ADDRESS = re.compile(r"/consults/[\w-]{22}$")
numbers = count(1)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page_with_or_without(request: pytest.FixtureRequest, sign_in_as: SignIn) -> Page:
    return sign_in_as("doctor", scripts=request.param)


@pytest.fixture
def form(sign_in_as: SignIn) -> Page:
    """The form of a new request, in a browser with scripts."""
    page = sign_in_as("doctor")
    begin(page)
    return page


def begin(page: Page) -> None:
    """Register somebody and open the form for them."""
    number = next(numbers)
    page.goto("/patients/new")
    page.get_by_label("Số định danh cá nhân").fill(f"011059777{number:03}")
    page.get_by_label("Họ và tên", exact=True).fill(f"Giàng A Thử {number}")
    page.get_by_label("Ngày sinh").fill("12/03/1959")
    page.get_by_label("Nam", exact=True).check()
    page.get_by_label("Đã hỏi, không dị ứng").check()
    page.get_by_role("button", name="Lưu người bệnh").click()
    page.wait_for_url(re.compile(r"/patients/[\w-]{22}$"))
    page.get_by_role("link", name="Viết yêu cầu hội chẩn").click()
    page.get_by_role("button", name="Viết yêu cầu hội chẩn").click()
    page.wait_for_url("**/request")


def fill(page: Page) -> None:
    """Everything that is needed."""
    page.get_by_label("Câu 1").fill("Cần chuyển viện ngay không?")
    page.get_by_label("Lý do hội chẩn, diễn biến").fill("Sốt 3 ngày, khó thở tăng")
    page.get_by_label("Chẩn đoán sơ bộ").fill("Viêm phổi thùy")
    page.locator("[name=urgency][value=urgent]").check()
    page.get_by_label("Chuyên khoa", exact=True).select_option("respiratory")
    page.locator("[name=basis][value=patient]").check()
    page.locator("[name=agree_consult]").check()


def saved(page: Page) -> Locator:
    """Where the page says what became of the text."""
    return page.locator("[data-role=saved]")


def missing(page: Page) -> Locator:
    """What the bar says is still missing."""
    return page.locator("[data-role=missing]")


def test_a_request_is_written_and_sent(page_with_or_without: Page) -> None:
    page = page_with_or_without
    begin(page)
    expect(missing(page)).to_contain_text("Còn 4 phần: 2. Câu hỏi…")

    fill(page)
    page.get_by_role("button", name="Gửi yêu cầu").click()

    page.wait_for_url(ADDRESS)
    expect(page.get_by_text(re.compile(r"HC-\d{4}-\d{6}")).first).to_be_visible()


def test_what_is_wrong_is_said_where_it_is(page_with_or_without: Page) -> None:
    page = page_with_or_without
    begin(page)
    fill(page)
    page.get_by_role("textbox", name="SpO2").fill("930")
    page.get_by_label("Giờ đo").fill("08:40")
    page.locator("[name=agree_consult]").uncheck()
    page.get_by_role("button", name="Gửi yêu cầu").click()

    expect(page).to_have_title(re.compile("^Lỗi: "))
    summary = page.locator("[data-role=errors]")
    expect(summary).to_contain_text("SpO2 phải từ 30 đến 100\u00a0% – đang là 930")
    expect(page.get_by_role("textbox", name="SpO2")).to_have_attribute("aria-invalid", "true")
    summary.get_by_role("link", name=re.compile("^SpO2")).click()
    expect(page.get_by_role("textbox", name="SpO2")).to_be_focused()


def test_a_question_is_added(page_with_or_without: Page) -> None:
    page = page_with_or_without
    begin(page)
    address = page.url
    page.get_by_label("Câu 1").fill("một")
    page.get_by_label("Câu 2").fill("hai")
    page.get_by_role("button", name="Thêm câu hỏi").click()
    page.get_by_label("Câu 3").fill("ba")
    page.get_by_role("button", name="Để sau").click()
    page.wait_for_url("**/home")
    page.goto(address)

    expect(page.get_by_label("Câu 3")).to_have_value("ba")


def test_a_code_is_found_by_the_keyboard(form: Page) -> None:
    box = form.get_by_role("combobox", name="Mã ICD-10")
    box.press_sequentially("lobar pneu")
    choice = form.get_by_role("option").first
    expect(choice).to_contain_text("J18.1 Lobar pneumonia, unspecified")
    box.press("ArrowDown")
    expect(choice).to_have_attribute("aria-selected", "true")
    box.press("Enter")

    expect(box).to_have_value("J18.1")
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(form.locator("[data-role=icd-title]")).to_have_text(
        "J18.1 – Lobar pneumonia, unspecified"
    )


def test_the_scores_are_said_beside_the_doctors_own_urgency(form: Page) -> None:
    note = form.locator("[data-role=triage]")
    for name, value in (
        ("Mạch", "112"),
        ("Nhịp thở", "24"),
        ("SpO2", "93"),
        ("HA tâm thu", "104"),
        ("Nhiệt độ", "38,6"),
    ):
        form.get_by_role("textbox", name=name).fill(value)
    expect(note).to_contain_text("Chưa tính NEWS2")
    form.get_by_label("Tri giác").first.select_option("A")
    form.get_by_label("Thở oxy").select_option("no")
    expect(note).to_contain_text("NEWS2: 8\u00a0điểm")

    form.locator("[name=urgency][value=routine]").check()
    expect(note).to_contain_text("gấp hơn mức đã chọn (Thường quy)")
    expect(form.locator("[name=urgency][value=routine]")).to_be_checked()

    form.get_by_text("Dấu hiệu nguy hiểm nhìn thấy, hỏi được").click()
    form.get_by_label("Rắn cắn").check()
    expect(note).to_contain_text("Dấu hiệu: Rắn cắn")
    expect(saved(form)).to_contain_text("Đã lưu")
    form.reload()
    expect(form.get_by_label("Rắn cắn")).to_be_checked()
    expect(note).to_contain_text("Dấu hiệu: Rắn cắn")


def test_an_unusual_sign_is_marked_and_its_time_noted(form: Page) -> None:
    expect(form.get_by_label("Giờ đo")).to_have_value("")
    form.get_by_role("textbox", name="Mạch").fill("112")
    cell = form.locator("#f-vital_pulse-f")
    expect(cell).to_have_text("Cao")
    expect(form.get_by_label("Giờ đo")).to_have_value(re.compile(r"^\d\d:\d\d$"))
    expect(form.get_by_label("Ngày đo")).to_have_value(re.compile(r"^\d\d/\d\d/\d{4}$"))

    form.get_by_role("textbox", name="Mạch").fill("80")
    expect(cell).to_have_text("")


def test_the_bar_follows_what_is_typed(form: Page) -> None:
    form.get_by_label("Câu 1").fill("Chuyển viện?")
    expect(missing(form)).to_contain_text("Còn 3 phần: 3. Bệnh sử, khám…")
    fill(form)
    expect(missing(form)).to_contain_text("Đã đủ để gửi")
    expect(form.locator("[data-role=steps] a[data-state=done]")).to_have_count(6)


def test_a_dead_link_loses_nothing(form: Page, visitors: Visitors) -> None:
    expect(saved(form)).to_be_attached()
    form.context.set_offline(True)
    form.get_by_label("Câu 1").fill("Gõ khi mất mạng")
    expect(saved(form)).to_contain_text("Đã lưu trên máy này")
    form.context.set_offline(False)
    expect(saved(form)).to_contain_text(re.compile(r"Đã lưu \d\d:\d\d:\d\d"))
    form.reload()

    expect(form.get_by_label("Câu 1")).to_have_value("Gõ khi mất mạng")
    # The browser says itself that the link was gone.
    assert all("ERR_INTERNET_DISCONNECTED" in words for words in visitors.complaints)
    visitors.complaints.clear()


def test_two_windows_do_not_overwrite_each_other(form: Page) -> None:
    other = form.context.new_page()
    other.goto(form.url)
    form.get_by_label("Lý do hội chẩn, diễn biến").fill("bản một")
    expect(saved(form)).to_contain_text("Đã lưu")
    other.get_by_label("Lý do hội chẩn, diễn biến").fill("bản hai")

    expect(other.get_by_role("cell", name="bản một")).to_be_visible()
    other.get_by_role("button", name="Giữ bản trên máy này").click()
    expect(saved(other)).to_contain_text("Đã lưu")
    form.reload()
    expect(form.get_by_label("Lý do hội chẩn, diễn biến")).to_have_value("bản hai")


def test_everybody_can_use_the_form(form: Page, axe: Callable[[Page], list[str]]) -> None:
    form.get_by_role("combobox", name="Mã ICD-10").press_sequentially("dengue")
    expect(form.get_by_role("option").first).to_be_visible()
    assert axe(form) == []

    form.get_by_role("button", name="Gửi yêu cầu").click()
    expect(form).to_have_title(re.compile("^Lỗi: "))
    assert axe(form) == []
    form.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert axe(form) == []
    assert form.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
