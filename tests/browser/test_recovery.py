"""What breaks mends itself: server, line, address and page, with both sides in a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Chromium
from tests.browser.lines import Lines, Pair, Station
from tests.browser.test_call import CAMERAS, SECRET_KEY, Prepared, prepare
from tests.conftest import make_settings
from tests.servers import Telemed

MOST_TESTS = 5
# Far above the goals, which `python -m bench.recovery` holds, as other tests share the machine.
BACK_SECONDS = 20


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, chromium: Chromium
) -> Iterator[tuple[Lines, list[Prepared]]]:
    """A server, two browsers behind lines to it, and a case for each test."""
    directory = tmp_path_factory.mktemp("recovery")
    settings = make_settings(data_dir=directory / "var", secret_key=SECRET_KEY)
    server = Telemed(directory, secret_key=SECRET_KEY)
    server.command("migrate")
    with ThreadPoolExecutor(1) as thread:
        cases = thread.submit(asyncio.run, prepare(settings, MOST_TESTS)).result()
    lines = Lines(chromium.playwright, server.start(), CAMERAS)
    yield lines, cases
    lines.close()
    server.stop()


@pytest.fixture
def pair(installation: tuple[Lines, list[Prepared]]) -> Iterator[Pair]:
    """Both sides of a fresh case, in a call."""
    lines, cases = installation
    case = cases.pop()
    with lines.pair(case.consult, (case.doctor, case.specialist)) as pair:
        pair.begin()
        yield pair


def say(station: Station, *texts: str) -> None:
    """One of the two writes."""
    for text in texts:
        station.role("chat-text").fill(text)
        station.page.keyboard.press("Enter")


def everybody_has(pair: Pair, *texts: str) -> None:
    """Each message once, in order, on both sides."""
    for station in pair.stations:
        expect(station.role("chat").locator(".said")).to_have_text(list(texts))
        expect(station.role("chat")).not_to_contain_text("Đang gửi")


def made(pair: Pair) -> list[int]:
    """How many peer connections each page has made."""
    return [station.meter()["made"] for station in pair.stations]


def test_a_killed_server_is_not_heard_and_what_was_said_meanwhile_comes_once(pair: Pair) -> None:
    say(pair.near, "trước")
    everybody_has(pair, "trước")
    pair.near.role("voice").click()
    began = time.time()
    pair.server.kill()
    say(pair.near, "một", "hai")
    pair.hears()
    pair.server.start()
    up = time.time()
    assert max(station.since(began, "joins") for station in pair.stations) < (
        up - began + BACK_SECONDS
    )
    everybody_has(pair, "trước", "một", "hai")
    expect(pair.far.role("remote-tag")).to_have_attribute("data-muted", "true")
    pair.hears()
    assert made(pair) == [1, 1]


@pytest.mark.parametrize("seconds", [4, 8])
def test_a_line_that_was_down_brings_everything_back(pair: Pair, seconds: int) -> None:
    pair.near.role("picture").click()
    expect(pair.far.role("remote-tag")).to_have_attribute("data-camera-off", "true")
    pair.near.link.cut()
    say(pair.near, "một")
    say(pair.far, "từ xa")
    expect(pair.far.role("chat").locator(".said")).to_have_text(["từ xa"])
    pair.near.role("voice").click()
    pair.near.let_pass(seconds)
    pair.near.link.mend()
    up = time.time()
    assert max(station.since(up, "voice") for station in pair.stations) < BACK_SECONDS
    say(pair.near, "hai")
    everybody_has(pair, "từ xa", "một", "hai")
    tag = pair.far.role("remote-tag")
    expect(tag).to_have_attribute("data-muted", "true")
    expect(tag).to_have_attribute("data-camera-off", "true")
    for station in pair.stations:
        expect(station.role("people").locator("li")).to_have_count(2)
        expect(station.role("situation")).to_be_hidden()
    assert made(pair) == [1, 1]


def test_another_address_is_found_and_the_ghost_is_gone(pair: Pair) -> None:
    began = time.time()
    pair.near.link.change_address()
    pair.hears(began + 0.5)
    for station in pair.stations:
        assert station.longest_gap("voice", began, time.time()) < BACK_SECONDS
        expect(station.role("people").locator("li")).to_have_count(2)
        expect(station.role("situation")).to_be_hidden()
    say(pair.near, "từ đường khác")
    everybody_has(pair, "từ đường khác")
    expect(pair.far.role("chat")).not_to_contain_text("rời phòng")
    assert made(pair) == [1, 1]


def test_a_reloaded_page_is_the_same_person_again(pair: Pair) -> None:
    say(pair.near, "một")
    everybody_has(pair, "một")
    pair.near.role("voice").click()
    expect(pair.far.role("remote-tag")).to_have_attribute("data-muted", "true")
    began = time.time()
    pair.near.page.reload()
    pair.hears(began)
    for station in pair.stations:
        expect(station.role("people").locator("li")).to_have_count(2)
        expect(station.role("situation")).to_be_hidden()
    everybody_has(pair, "một")
    expect(pair.near.role("voice")).to_contain_text("Tiếng tắt")
    expect(pair.far.role("remote-tag")).to_have_attribute("data-muted", "true")
