"""Every page that a role can reach by links: it opens, is accessible, and has its picture taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import PHONE, WIDE, Visitors
from tests.browser.town import Account
from tests.servers import Telemed

UID = re.compile(r"/[A-Za-z0-9_-]{22}(?=/|$)")
# What a link downloads, and what leaves the pages.
LEFT_OUT = re.compile(r"^/(files|static|language)/|^/sessions/")
LINKS = "() => [...document.querySelectorAll('a[href]')].map((a) => a.href)"
MOST_PAGES = 40
ROLES = {
    "commune_doctor": "tram.muongpon",
    "specialist": "noi.a",
    "rotated_doctor": "luanphien.b",
    "trainer": "giangvien",
    "coordinator": "dieuphoi",
    "administrator": "quantri",
}

Axe = Callable[[Page], list[str]]


def pattern_of(url: str) -> str:
    """The kind of page that an address shows."""
    return UID.sub("/{uid}", urlsplit(url).path)


def crawl(page: Page, origin: str, first: str, look: Callable[[str], list[str]]) -> dict[str, str]:
    """Visit one page of each kind; what is wrong with each kind that has something wrong."""
    waiting = [first]
    seen = {pattern_of(first)}
    faults: dict[str, str] = {}
    for url in waiting:
        answer = page.goto(url)
        name = pattern_of(url)
        status = answer.status if answer else 0
        found = [f"status {status}"] * (status != 200) + look(name)
        faults |= {name: "; ".join(found)} if found else {}
        for link in page.evaluate(LINKS):
            kind = pattern_of(link)
            is_new = link.startswith(origin) and kind not in seen and not LEFT_OUT.match(kind)
            waiting += [link] * (is_new and len(waiting) < MOST_PAGES)
            seen |= {kind} if is_new else set()
    return faults


def file_name(role: str, pattern: str) -> str:
    """Where the picture of a page goes."""
    return f"{role}{pattern.replace('/', '-').replace('{uid}', 'one')}"


def sign_in(page: Page, demo: Telemed, role: str) -> None:
    """As the first made-up person of a role, with what the accounts file says."""
    rows = (demo.directory / "var" / "demo-accounts.txt").read_text().splitlines()
    logins = {name: rest for name, *rest in (row.split("\t") for row in rows)}
    password, secret, full_name = logins[ROLES[role]]
    Account(ROLES[role], full_name, None if secret == "-" else secret, password).sign_in(page)


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_opens_and_is_accessible(
    role: str, demo: Telemed, guests: Visitors, shots: Callable[[Page, str], None], axe: Axe
) -> None:
    page = guests.new()
    sign_in(page, demo, role)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))

    def look(name: str) -> list[str]:
        shots(page, file_name(role, name))
        found = axe(page)
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page.emulate_media(color_scheme="dark")
        found += [f"phone, dark: {each}" for each in axe(page)]
        is_wide = page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
        page.emulate_media(color_scheme="null")
        page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        return found + ["wider than the phone"] * is_wide

    assert crawl(page, origin, f"{origin}/home", look) == {}


@pytest.mark.parametrize("path", ["/sign-in", "/activate", "/nowhere", "/components"])
def test_the_pages_before_signing_in(
    path: str, guests: Visitors, shots: Callable[[Page, str], None], axe: Axe
) -> None:
    page = guests.new()
    page.goto(path)
    shots(page, file_name("nobody", path))
    assert axe(page) == []


def test_a_newcomer_is_inside_with_one_press(guests: Visitors) -> None:
    page = guests.new()
    page.goto("/")
    page.get_by_role("button", name=re.compile("Bác sĩ trạm y tế")).click()
    page.wait_for_url("**/home")
    assert page.get_by_text("Dữ liệu mô phỏng").is_visible()
