"""Whom a request comes from, when anybody may claim to be a proxy."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from telemed.keys import SETTINGS
from telemed.web.addresses import client_address, is_loopback
from tests.conftest import make_settings


def address(peer: str, forwarded: str | None, *trusted: str) -> str:
    """The client of a request from `peer` that says it forwards for others."""
    app = web.Application()
    app[SETTINGS] = make_settings(trusted_proxies=list(trusted))
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = make_mocked_request("GET", "/", headers=headers, app=app)
    return client_address(request.clone(remote=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("198.51.100.7", None, (), "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", (), "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9", ("127.0.0.1",), "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4, 203.0.113.9", ("127.0.0.1",), "203.0.113.9"),
        ("10.0.0.5", "1.2.3.4, 203.0.113.9, 10.0.0.6", ("10.0.0.0/8",), "203.0.113.9"),
        ("127.0.0.1", None, ("127.0.0.1",), "127.0.0.1"),
        ("127.0.0.1", " , ,", ("127.0.0.1",), "127.0.0.1"),
        ("127.0.0.1", "nonsense", ("127.0.0.1",), "nonsense"),
        ("::1", "2001:db8::1", ("::1",), "2001:db8::1"),
        ("198.51.100.7", "203.0.113.9", ("no network",), "198.51.100.7"),
    ],
)
def test_only_named_proxies_are_believed(
    peer: str, forwarded: str | None, trusted: tuple[str, ...], client: str
) -> None:
    assert address(peer, forwarded, *trusted) == client


@pytest.mark.parametrize(
    ("text", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("", False)],
)
def test_loopback_is_this_machine(text: str, own: bool) -> None:
    assert is_loopback(text) is own
