"""Whoever is told of a request hears of it on the page that they have open."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.test_main_job import claim, register, send_request, write_request
from tests.browser.town import Town

SignIn = Callable[..., Page]


def test_an_emergency_is_told_seen_and_gone_once_somebody_takes_it(
    town: Town,
    sign_in_as: SignIn,
    shots: Callable[[Page, str], None],
    axe: Callable[[Page], list[str]],
) -> None:
    doctor, specialist, colleague = map(sign_in_as, ("doctor", "specialist", "colleague"))
    for page in (specialist, colleague):
        # Hints are heard from here on.
        with page.expect_response("**/alerts"):
            page.goto("/home")
    register(doctor, "Giàng Thị Dở", 771)
    write_request(doctor, "Có chuyển ngay không?")
    case = send_request(doctor)
    uid = case.rsplit("/", 1)[1]

    def card(page: Page) -> Locator:
        return page.locator("[data-role=alert]").filter(has=page.locator(f'a[href$="{uid}"]'))

    for page in (specialist, colleague):
        bring_up(page, card(page))
        expect(card(page)).to_contain_text("Cấp cứu")
        expect(card(page)).not_to_contain_text("Dở")
        expect(page.locator("[data-role=alert]")).to_have_count(1)
    shots(specialist, "alert")
    assert axe(specialist) == []
    card(specialist).get_by_role("button", name="Tôi đã xem").click()
    expect(card(specialist)).to_have_count(0)
    doctor.reload()
    expect(doctor.get_by_text(f"{town.people['specialist'].full_name} đã xem")).to_be_visible()
    shots(doctor, "ladder")
    claim(specialist, case)
    # A look now and then finds what is over.
    expect(card(colleague)).to_have_count(0, timeout=45_000)


def bring_up(page: Page, card: Locator) -> None:
    """Whatever else waits in the town is seen first, one by one."""
    shown = page.locator("[data-role=alert]")
    for _ in range(10):
        expect(shown).to_be_visible()
        if card.count():
            return
        shown.get_by_role("button", name="Tôi đã xem").click()
        page.wait_for_timeout(300)
    raise AssertionError("never shown")
