"""The whole main job, once, as its people do it: from the ID card to the signed decision."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.test_call import COUNT_CONNECTIONS, grows
from tests.browser.town import Town
from tests.papers import text_of
from tests.people import PASSWORD

SignIn = Callable[..., Page]
CARD = "011059000{number:03}|123456{number:03}|{name}|12031959|Nam|Bản Co Chạy, Mường Pồn, Điện Biên|01012021"
NEXT_STEP_SECONDS = 30


def register(page: Page, name: str, number: int) -> None:
    """A new patient from the QR text of an ID card, as a hand scanner types it."""
    page.goto("/patients/new")
    scanned = page.get_by_label("Quét hoặc dán mã QR căn cước")
    scanned.fill(CARD.format(name=name, number=number))
    scanned.press("Enter")
    expect(page.get_by_label("Họ và tên", exact=True)).to_have_value(name)
    page.get_by_label("Đã hỏi, không dị ứng").check()
    page.get_by_role("button", name="Lưu người bệnh").click()
    page.wait_for_url(re.compile(r"/patients/[\w-]{22}$"))


def write_request(page: Page, question: str) -> None:
    """From the patient's page to a filled form; everything is saved as it is typed."""
    page.get_by_role("link", name="Viết yêu cầu hội chẩn").click()
    page.get_by_role("button", name="Viết yêu cầu hội chẩn").click()
    page.wait_for_url("**/request")
    page.get_by_label("Câu 1").fill(question)
    page.get_by_label("Lý do hội chẩn, diễn biến").fill("Sốt 3 ngày, ho đờm vàng, khó thở tăng")
    page.get_by_label("Chẩn đoán sơ bộ").fill("Viêm phổi thùy dưới phải")
    page.get_by_role("textbox", name="Mạch").fill("112")
    page.get_by_role("textbox", name="SpO2").fill("93")
    page.get_by_role("textbox", name="Nhịp thở").fill("24")
    page.locator("[name=urgency][value=emergency]").check()
    page.get_by_label("Chuyên khoa", exact=True).select_option("respiratory")
    page.locator("[name=basis][value=patient]").check()
    page.locator("[name=agree_consult]").check()
    expect(page.locator("[data-role=saved]").first).to_contain_text("Đã lưu")


def send_request(page: Page) -> str:
    """Send it; the address of the case."""
    page.get_by_role("button", name="Gửi yêu cầu").click()
    page.wait_for_url(re.compile(r"/consults/[\w-]{22}$"))
    return page.url


def attach(page: Page, case: str, picture: Path) -> None:
    """A picture, seen once the server has all of it."""
    page.goto(f"{case}?view=files")
    page.get_by_label("Tên hình hoặc tệp").fill("X-quang ngực thẳng")
    page.locator("input[type=file]").set_input_files(picture)
    page.get_by_role("button", name="Gửi tệp").click()
    expect(page.get_by_alt_text("X-quang ngực thẳng").first).to_be_visible()


def offer_hours(page: Page) -> None:
    """The specialist can be booked around the clock."""
    page.goto("/schedule/hours")
    for row in range(7):
        page.locator(f"[name=weekday_{row}]").select_option(str(row))
        page.locator(f"[name=start_{row}]").fill("00:00")
        page.locator(f"[name=end_{row}]").fill("24:00")
    page.get_by_role("button", name="Lưu giờ nhận hẹn").click()
    page.wait_for_url("**/schedule")


def book(page: Page, case: str) -> None:
    """The station takes a free slot."""
    page.goto(case)
    page.get_by_label("Giờ còn trống của bác sĩ").select_option(index=1)
    page.get_by_role("button", name="Đặt lịch").click()
    expect(page.get_by_text("Đã hẹn").first).to_be_visible()


def meet(doctor: Page, specialist: Page, case: str) -> None:
    """Both come into the room; pictures and voices move both ways."""
    specialist.goto(case)
    specialist.get_by_role("button", name=re.compile("Gọi ngay|Vào phòng")).click()
    specialist.wait_for_url("**/sessions/**")
    doctor.goto(specialist.url)
    for page in (doctor, specialist):
        grows(page, "framesDecoded")
        grows(page, "packetsReceived")


def claim(page: Page, case: str) -> None:
    """The specialist takes the case from the worklist."""
    page.goto("/worklist")
    uid = case.rsplit("/", 1)[1]
    page.locator(f'[data-uid="{uid}"] a, a[href*="{uid}"]').first.click()
    page.get_by_role("button", name=re.compile("^Nhận ca")).first.click()
    # The list itself names the case in its address while the case is looked at.
    page.wait_for_url(re.compile(rf"/consults/{uid}(\?|$)"))


def sign(page: Page, button: str, secret: str | None) -> None:
    """Show again who one is, and sign."""
    form = page.locator("form").filter(has=page.get_by_role("button", name=button))
    form.get_by_label("Mật khẩu", exact=True).fill(PASSWORD)
    if secret:
        # A code is good once; the clock of a telephone may be one step ahead.
        form.get_by_label("Mã 6 số").fill(pyotp.TOTP(secret).at(time.time() + NEXT_STEP_SECONDS))
    form.get_by_role("button", name=button).click()


def conclude(page: Page, case: str, secret: str | None) -> None:
    """One conclusion a question, advice, referral; signed."""
    page.goto(f"{case}/minutes")
    page.get_by_label(re.compile("^Câu 1")).fill("Chuyển viện trong ngày, sau khi ổn định oxy.")
    page.get_by_label("Hướng điều trị tiếp theo").fill("Thở oxy 3 lít/phút, theo dõi SpO2.")
    page.get_by_label("Chuyển viện trong ngày").check()
    expect(page.locator("[data-role=saved]").first).to_contain_text("Đã lưu")
    sign(page, "Ký biên bản", secret)
    page.wait_for_url(case)


def decide(page: Page, case: str) -> None:
    """The station follows the advice and signs."""
    page.goto(f"{case}/minutes")
    page.get_by_label("Làm theo", exact=True).check()
    sign(page, "Ký quyết định", None)
    page.wait_for_url(case)


def verify(doctor: Page, stranger: Page) -> None:
    """Whoever holds the paper learns that it is genuine, and nothing of what it says."""
    code = doctor.locator(".proof .nw").first.inner_text()
    stranger.goto("/verify")
    stranger.get_by_label("Mã tra cứu").fill(code)
    stranger.get_by_role("button", name="Kiểm tra").click()
    expect(stranger.get_by_text("Thật, mới nhất.")).to_be_visible()
    expect(stranger.get_by_text("Lò Văn Pánh")).to_have_count(0)
    stranger.get_by_label("Mã tra cứu").fill("7KQ2-M0XV-3CDE-9RTY")
    stranger.get_by_role("button", name="Kiểm tra").click()
    expect(stranger.get_by_text("Không có bản in nào mang mã này.")).to_be_visible()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photograph as a telephone makes it."""
    path = tmp_path / "xquang.jpg"
    Image.effect_noise((640, 480), 60).convert("RGB").save(path, "JPEG", quality=80)
    return path


def test_from_the_card_to_the_decision(
    town: Town,
    sign_in_as: SignIn,
    page: Page,
    picture: Path,
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    doctor, specialist = sign_in_as("doctor"), sign_in_as("specialist")
    for side in (doctor, specialist):
        side.add_init_script(COUNT_CONNECTIONS)
    register(doctor, "Lò Văn Pánh", 123)
    write_request(doctor, "Cần chuyển viện ngay hay điều trị tại trạm được?")
    case = send_request(doctor)

    attach(doctor, case, picture)
    claim(specialist, case)
    specialist.goto(case)
    expect(specialist.get_by_alt_text("X-quang ngực thẳng").first).to_be_visible()
    shots(specialist, "case-specialist")
    assert axe(specialist) == []

    offer_hours(specialist)
    book(doctor, case)
    meet(doctor, specialist, case)
    shots(specialist, "room")
    for side in (doctor, specialist):
        side.get_by_role("button", name="Rời phòng").click()

    conclude(specialist, case, town.people["specialist"].secret)
    expect(specialist.get_by_text("Đã có kết luận").first).to_be_visible()
    decide(doctor, case)
    expect(doctor.get_by_text("Đã kết thúc").first).to_be_visible()
    doctor.goto(f"{case}/minutes/print")
    expect(doctor.get_by_text("TRÍCH BIÊN BẢN HỘI CHẨN")).to_be_visible()
    shots(doctor, "minutes-print")
    assert axe(doctor) == []
    verify(doctor, page)
    file = doctor.request.get(f"{case}/minutes.pdf")
    assert file.ok
    assert "Chuyển viện trong ngày, sau khi ổn định oxy." in text_of(file.body())

    doctor.goto("/history?q=kho+tho")
    expect(doctor.get_by_text("Lò Văn Pánh").first).to_be_visible()
    trainer = sign_in_as("trainer")
    trainer.goto("/history?q=kho+tho")
    expect(trainer.get_by_text("Cần chuyển viện ngay").first).to_be_visible()
    expect(trainer.get_by_text("Lò Văn Pánh")).to_have_count(0)


def test_the_same_answered_in_writing_only(town: Town, sign_in_as: SignIn) -> None:
    doctor, specialist = sign_in_as("doctor"), sign_in_as("colleague")
    register(doctor, "Mùa A Chứ", 124)
    write_request(doctor, "Liều thuốc này đúng chưa?")
    case = send_request(doctor)
    claim(specialist, case)
    conclude(specialist, case, town.people["colleague"].secret)
    decide(doctor, case)
    doctor.goto(f"{case}/minutes/print")
    expect(doctor.get_by_text("Hội chẩn bằng văn bản, không gọi.")).to_be_visible()


def test_a_transfer_session_is_logged_countersigned_and_found(
    town: Town, sign_in_as: SignIn, shots: Callable[[Page, str], None]
) -> None:
    rotated = sign_in_as("rotated")
    rotated.goto("/training/sessions/new")
    rotated.get_by_label("Tên kỹ thuật").fill("Siêu âm ổ bụng cấp cứu")
    rotated.get_by_label("Mã kỹ thuật").fill("18.2")
    rotated.get_by_label("Cầm tay chỉ việc").check()
    rotated.get_by_label("Tại trạm").check()
    rotated.get_by_label("Bắt đầu").fill("00:00")
    rotated.get_by_label("Kết thúc").fill("00:01")
    rotated.get_by_label(re.compile(town.people["trainee"].full_name)).check()
    rotated.get_by_label("Quan sát").fill("3")
    rotated.get_by_label("Tự làm").fill("1")
    rotated.get_by_role("button", name="Lưu nhật ký").click()
    rotated.wait_for_url(re.compile(r"/training/sessions/[\w-]{22}$"))
    sign(rotated, "Ký nhật ký", None)
    expect(rotated.get_by_text("Chờ ký xác nhận")).to_be_visible()
    shots(rotated, "transfer-log")

    trainee = sign_in_as("trainee")
    trainee.goto("/training/sessions")
    trainee.get_by_role("link", name="Xem và ký").click()
    sign(trainee, "Ký xác nhận", None)
    expect(trainee.get_by_text("Đã ký đủ")).to_be_visible()

    trainer = sign_in_as("trainer")
    trainer.goto("/training/sessions?q=sieu+am")
    expect(trainer.get_by_text("Siêu âm ổ bụng cấp cứu").first).to_be_visible()
