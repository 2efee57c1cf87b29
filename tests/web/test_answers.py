"""What every answer carries, whatever kind it is; and what nobody gets to see of a failure."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from io import BytesIO

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from telemed.accounts.permissions import Action, Actor, Role
from telemed.core.config import Settings
from telemed.core.errors import Conflict, Denied, Missing, Throttled, Unavailable
from telemed.keys import ASSETS
from telemed.web.middleware import STATUS
from telemed.web.routing import ROUTE_TABLE, Routes
from telemed.web.security import CONTENT_SECURITY_POLICY
from tests.conftest import FROM_OUR_PAGES, Client
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
SECRET = "mật khẩu của cơ sở dữ liệu"

routes = Routes()


@routes.get("/crash", Action.PUBLIC)
async def crash(request: web.Request) -> web.Response:
    raise RuntimeError(SECRET)


@routes.get("/gone", Action.PUBLIC)
async def lose_the_browser(request: web.Request) -> web.Response:
    raise ConnectionResetError


def refusal(path: str, error: Exception) -> None:
    @routes.get(path, Action.PUBLIC)
    async def refuse(request: web.Request) -> web.Response:
        raise error


refusal("/conflict", Conflict("taken", "Đã có {count} người", count=2))
refusal("/missing", Missing())
refusal("/denied", Denied())
refusal("/throttled", Throttled(retry_after_seconds=7))
refusal("/unavailable", Unavailable("away", "Máy chủ đang bận. Thử lại sau ít giây."))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Nothing here depends on the engine."""
    return sqlite_url


@pytest.fixture
def app(app: web.Application) -> web.Application:
    app[ROUTE_TABLE].add(app, routes)
    return app


@pytest.fixture
async def broken(app: web.Application) -> AsyncIterator[Client]:
    """A browser at a server whose errors are wanted."""
    async with TestClient(TestServer(app), headers=FROM_OUR_PAGES) as client:
        yield client


def assert_guarded(answer: ClientResponse) -> None:
    headers = answer.headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "geolocation=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"]
    assert "Server" not in headers
    assert headers.getall("Content-Security-Policy") == [CONTENT_SECURITY_POLICY]


def test_the_policy_allows_nothing_unsafe() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "require-trusted-types-for 'script'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sign-in", 200),
        ("HEAD", "/sign-in", 200),
        ("GET", "/health", 200),
        ("GET", "/home", 303),
        ("GET", "/nowhere", 404),
        ("GET", "/missing", 404),
        ("GET", "/denied", 403),
        ("GET", "/conflict", 409),
        ("GET", "/throttled", 429),
        ("GET", "/unavailable", 503),
        ("GET", "/socket.io/?EIO=4&transport=polling", 403),
        ("PUT", "/sign-in", 405),
        ("OPTIONS", "/sign-in", 405),
        ("POST", "/sign-in", 415),
        ("GET", "/sign-in?next=%00", 422),
        ("GET", "/%00", 404),
    ],
)
@pytest.mark.parametrize("kind", [FROM_OUR_PAGES, SCRIPT], ids=["page", "script"])
async def test_every_kind_of_answer_is_guarded(
    client: Client, method: str, path: str, status: int, kind: dict[str, str]
) -> None:
    answer = await client.request(method, path, headers=kind, allow_redirects=False)
    expected = {(303, "cors"): 401}.get((status, kind["Sec-Fetch-Mode"]), status)
    is_socket = path.startswith("/socket.io/")
    assert answer.status == expected or (is_socket and answer.status >= 400)
    assert_guarded(answer)


async def test_static_files_are_guarded_and_may_be_kept(
    client: Client, app: web.Application
) -> None:
    answer = await client.get(app[ASSETS].url("css/app.css"))
    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert_guarded(answer)


async def test_what_is_too_large_is_guarded(client: Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = BytesIO(b"name=" + b"a" * 2**20)
    answer = await client.post("/sign-in", data=body, headers=headers)
    assert answer.status == 413
    assert_guarded(answer)


async def test_a_socket_is_guarded_from_its_first_answer_on(
    server: TestServer, settings: Settings
) -> None:
    own = {"Origin": settings.origins[0]}
    async with AsyncExitStack() as opened:
        client = await opened.enter_async_context(TestClient(server))
        socket = await client.ws_connect("/socket.io/?EIO=4&transport=websocket", headers=own)
        assert socket._response.status == 101
        assert_guarded(socket._response)
        await socket.close()


async def test_pages_with_what_is_private_are_never_kept(make: Factory, signed_in: SignIn) -> None:
    doctor = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for path in ("/account", "/patients", "/history", "/training/sessions"):
        answer = await doctor.get(path)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


async def test_no_answer_promises_tls_where_there_is_none(client: Client) -> None:
    answer = await client.get("/sign-in")
    assert "Strict-Transport-Security" not in answer.headers


# --- refusals and failures -------------------------------------------------------------------


def test_every_kind_of_refusal_has_its_status() -> None:
    assert len(set(STATUS.values())) == len(STATUS)
    assert all(400 <= status < 600 for status in STATUS.values())


async def test_a_refusal_is_told_in_words_with_a_code(client: Client) -> None:
    as_data = await client.get("/conflict", headers=SCRIPT)
    as_page = await client.get("/conflict")
    body = await as_data.json()
    assert (body["code"], body["message"]) == ("taken", "Đã có 2 người")
    assert "Đã có 2 người" in await as_page.text()


async def test_who_should_come_back_is_told_when(client: Client) -> None:
    later = {path: await client.get(path) for path in ("/throttled", "/unavailable")}
    assert {path: answer.headers["Retry-After"] for path, answer in later.items()} == {
        "/throttled": "7",
        "/unavailable": "5",
    }


async def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    answer = await client.put("/sign-in")
    assert answer.headers["Allow"] == "GET,HEAD,POST"


async def test_a_failure_shows_an_id_and_nothing_else(
    broken: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        as_page = await broken.get("/crash")
        as_data = await broken.get("/crash", headers=SCRIPT)
    page, body = await as_page.text(), await as_data.json()
    assert (as_page.status, as_data.status) == (500, 500)
    assert body["code"] == "internal"
    for answer, text in ((as_page, page), (as_data, str(body))):
        assert_guarded(answer)
        for detail in (SECRET, "RuntimeError", "Traceback", "crash("):
            assert detail not in text
    logged = " ".join(record.getMessage() for record in caplog.records)
    (shown,) = re.findall(r'<span class="num">([0-9a-f]{16})</span>', page)
    assert body["request_id"] in logged
    assert shown in logged


async def test_a_browser_that_goes_away_is_no_failure(
    broken: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await broken.get("/gone")
    assert answer.status == 499
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_answers_come_in_the_language_of_whoever_asks(
    client: Client, make: Factory, signed_in: SignIn
) -> None:
    english = await signed_in(await make.actor(Role.COMMUNE_DOCTOR, locale="en"))
    answers = [await each.get("/nowhere", headers=SCRIPT) for each in (client, english)]
    messages = [(await answer.json())["message"] for answer in answers]
    assert messages == ["Không tìm thấy nội dung này", messages[1]]
    assert messages[1] != messages[0]
