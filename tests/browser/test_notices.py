"""The bell, a person's choices, and what the browser shows while no page is open."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitors
from tests.browser.test_main_job import claim, register, send_request, write_request
from tests.browser.town import Town

SignIn = Callable[..., Page]


def test_a_station_is_told_that_its_case_was_taken(
    town: Town,
    sign_in_as: SignIn,
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    doctor, specialist = sign_in_as("doctor"), sign_in_as("specialist")
    register(doctor, "Vừ Thị Sua", 772)
    write_request(doctor, "Có cần chuyển không?")
    case = send_request(doctor)
    doctor.goto("/home")
    bell = doctor.locator("[data-role=unread]")
    with doctor.expect_response("**/notices/count"):
        claim(specialist, case)
    expect(bell).to_be_visible()
    before = int(bell.inner_text())
    doctor.get_by_role("link", name="Thông báo").click()
    row = doctor.locator(".item").first
    expect(row).to_contain_text("Ca của bạn đã có bác sĩ nhận")
    expect(doctor.get_by_text("Vừ Thị Sua")).to_have_count(0)
    shots(doctor, "notices")
    assert axe(doctor) == []
    row.click()
    doctor.wait_for_url(f"**/consults/{case.rsplit('/', 1)[1]}")
    if before > 1:
        expect(bell).to_have_text(str(before - 1))
    else:
        expect(bell).to_be_hidden()


def test_choices_are_made_by_keyboard_and_kept(
    sign_in_as: SignIn,
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    page = sign_in_as("specialist")
    page.goto("/account/notices")
    quiet = page.get_by_label("Không báo ngoài ứng dụng trong những giờ này")
    quiet.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("23:00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Đã lưu cách nhận thông báo")).to_be_visible()
    expect(quiet).to_be_checked()
    expect(page.get_by_label("Từ", exact=True)).to_have_value("23:00")
    shots(page, "notice-choices")
    assert axe(page) == []


def test_a_message_is_shown_while_no_page_is_open(sign_in_as: SignIn, visitors: Visitors) -> None:
    """The browser's own worker, given a message as its push service would give it.

    No push service can be had here: the browser refuses to subscribe, and the page says so.
    """
    page = sign_in_as("specialist")
    page.goto("/account/notices")
    devtools = page.context.new_cdp_session(page)
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(each["registrationId"] for each in event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    # By the button, as people do: the policy of the page has to let the worker in.
    page.get_by_role("button", name="Bật ở máy này").click()
    expect(page.locator("[data-role=push-state]")).to_contain_text("Chưa bật được")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    (complaint,) = visitors.complaints
    assert "Push API in incognito" in complaint
    visitors.complaints.clear()
    origin = page.evaluate("location.origin")
    message = {
        "sentence": "Ca CẤP CỨU đang chờ bạn nhận",
        "uid": "n" * 22,
        "delivery": "d" * 22,
        "urgent": True,
    }
    with page.context.expect_event("request", lambda request: "/arrived" in request.url) as told:
        devtools.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": origin, "registrationId": found[-1], "data": json.dumps(message)},
        )
    assert told.value.url == f"{origin}/deliveries/{'d' * 22}/arrived"
    shown = page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.ready;
          const all = await registration.getNotifications();
          return all.map(({ title, body, tag }) => ({ title, body, tag }));
        }"""
    )
    assert shown == [{"title": "Telemed", "body": message["sentence"], "tag": message["uid"]}]
