"""People come in through the real sign-in page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.town import PEOPLE


@pytest.mark.parametrize("who", [key for key, *_ in PEOPLE])
def test_everybody_reaches_their_own_first_page(
    sign_in_as: Callable[..., Page], axe: Callable[[Page], list[str]], who: str
) -> None:
    page = sign_in_as(who)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert axe(page) == []


def test_the_sign_in_page(
    page: Page, shots: Callable[[Page, str], None], axe: Callable[[Page], list[str]]
) -> None:
    page.goto("/sign-in")
    expect(page.get_by_role("button", name="Đăng nhập", exact=True)).to_be_visible()
    assert axe(page) == []
    shots(page, "sign-in")
