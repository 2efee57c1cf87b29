"""The guarded way of an event where nothing else can show it: faults, and what the log says of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role, SessionFacts, require
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database
from telemed.core.i18n import Catalogue
from telemed.core.paths import LOCALE
from telemed.signaling.dispatch import Caller, Connection, Dispatcher, Events
from telemed.signaling.protocol import Chat, Probe

SECRET = "Lò Văn Pánh, HIV dương tính"


class SignedIn:
    """The login of this connection never ends."""

    async def look_again(self, connection: Connection) -> Actor | None:
        return connection.actor


@pytest.fixture
def connection() -> Connection:
    actor = Actor(id=1, uid="a", name="BS", roles=frozenset({Role.COMMUNE_DOCTOR}))
    return Connection("sid1", actor, "en")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(LOCALE)


@pytest.fixture
def dispatcher(database: Database, catalogue: Catalogue, events: Events) -> Dispatcher:
    return Dispatcher(events, None, database=database, catalogue=catalogue, logins=SignedIn())


@pytest.fixture
def events() -> Events:
    return Events()


async def test_a_fault_is_told_with_a_number_and_without_detail(
    dispatcher: Dispatcher,
    events: Events,
    connection: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @events.on("session:chat", Action.SESSION_JOIN)
    async def fail(_hub: None, _caller: Caller, message: Chat) -> dict[str, Any]:
        raise RuntimeError(message.text)

    said = {"session": "s1", "text": SECRET, "key": "k1"}
    with caplog.at_level(logging.ERROR):
        answer = await dispatcher.answer(connection, "session:chat", (said,))
    assert (answer["ok"], answer["code"]) == (False, "internal")
    assert SECRET not in str(answer)
    assert answer["request_id"] in caplog.text
    assert SECRET not in caplog.text


async def test_a_refused_function_is_on_record(
    database: Database, dispatcher: Dispatcher, events: Events, connection: Connection
) -> None:
    @events.on("probe", Action.AUDIT_READ)
    async def probe(_hub: None, _caller: Caller, _message: Probe) -> dict[str, Any]:
        return {}

    answer = await dispatcher.answer(connection, "probe", ({},))
    assert answer["code"] == "not_allowed"
    async with database.read() as work:
        kept = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.ACCESS_REFUSED)
        assert [row.subject for row in await work.session.exec(kept)] == ["audit:read"]


async def test_a_refused_object_is_on_record_although_nothing_could_be_written(
    database: Database, dispatcher: Dispatcher, events: Events, connection: Connection
) -> None:
    @events.on("probe", Action.SESSION_JOIN)
    async def probe(_hub: None, caller: Caller, _message: Probe) -> dict[str, Any]:
        async with database.read():
            require(caller.actor, Action.SESSION_JOIN, SessionFacts(frozenset()))
        return {}

    answer = await dispatcher.answer(connection, "probe", ({},))
    assert answer["code"] == "not_found"
    async with database.read() as work:
        kept = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.ACCESS_REFUSED)
        assert [row.subject for row in await work.session.exec(kept)] == ["session:join"]


def test_an_event_without_a_model_cannot_be_written() -> None:
    with pytest.raises(LookupError):
        Events().on("session:kick", Action.SESSION_JOIN)
