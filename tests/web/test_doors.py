"""What the running application opens, beside what its sources say (tests/test_architecture.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from telemed.accounts.permissions import Action, Actor, Role
from telemed.web.routing import ROUTE_TABLE
from tests.conftest import Client
from tests.factories import Factory

# Files that everybody may have, and the socket, whose events name an action each.
APART = {"/static/{digest}/{path}", "/socket.io/"}
ENTRANCE = {
    *("/", "/health", "/sign-in", "/sign-in/second-factor", "/activate"),
    *("/try/{role:[a-z_]+}", "/language/{locale:[a-z]{2}}", "/components"),
    # Programs that read a calendar cannot sign in: the address itself is the secret.
    "/calendar/{token}.ics",
    # A browser that shows a message may be signed out; the id that came with it is the secret.
    "/deliveries/{uid:[A-Za-z0-9_-]{22}}/arrived",
    "/notices-worker.js",
    # Whoever holds a print may ask whether it is genuine; the answer says nothing of its content.
    *("/verify", "/verify/{code:[A-Za-z0-9-]{1,40}}"),
    # A gateway for SMS, with its token.
    "/notices/sms-reports",
}


def test_every_open_door_names_an_action(app: web.Application) -> None:
    named = {route.handler for route in app[ROUTE_TABLE]}
    nameless = {
        route.resource.canonical
        for route in app.router.routes()
        if route.resource and route.handler not in named
    }
    assert nameless <= APART


def test_only_the_entrance_is_open_to_strangers(app: web.Application) -> None:
    public = {route.path for route in app[ROUTE_TABLE] if route.action is Action.PUBLIC}
    assert public <= ENTRANCE


async def test_an_unknown_address_is_answered_alike_to_everybody(
    client: Client, make: Factory, signed_in: Callable[[Actor], Awaitable[Client]]
) -> None:
    doctor = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    assert (await client.get("/nowhere")).status == 404
    assert (await doctor.get("/nowhere")).status == 404


@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 5000, "-1", "²"])
async def test_an_odd_station_of_a_new_log_is_no_station(
    make: Factory, signed_in: Callable[[Actor], Awaitable[Client]], number: str
) -> None:
    browser = await signed_in(await make.actor(Role.TRAINER))
    answer = await browser.get("/training/sessions/new", params={"station": number})
    assert answer.status == 200
    refused = await browser.post("/training/sessions/new", data={"station": number})
    assert refused.status == 422


async def test_a_cookie_that_we_cannot_have_given_is_none(client: Client) -> None:
    answer = await client.get("/home", headers={"Cookie": "telemed=\udcff"}, allow_redirects=False)
    assert answer.status == 303
