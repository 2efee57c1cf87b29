"""The same key and body give the same answer and one row, however often and however fast they come."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from aiohttp import ClientResponse
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.db import Database
from telemed.core.errors import Invalid
from telemed.core.idempotency import (
    KEPT,
    AskedKey,
    IdempotencyKey,
    find_answer,
    fingerprints,
    keep_answer,
)
from telemed.training.models import TransferLog
from tests.conftest import Client, make_settings
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]
HANDS = 50
KEY = "k" * 22
PATH = "/training/sessions/new"


@dataclass
class Office:
    """A trainer's browser, a colleague's, and a form that makes a row each time it is sent."""

    browser: Client
    colleague: Client
    form: dict[str, str]

    async def send(self, key: str | None = KEY, **changes: str) -> ClientResponse:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.post(self.browser, self.form | changes, headers)

    @staticmethod
    async def post(
        browser: Client, form: dict[str, str], headers: dict[str, str]
    ) -> ClientResponse:
        return await browser.post(PATH, data=form, headers=headers, allow_redirects=False)


@pytest.fixture
async def office(make: Factory, signed_in: SignIn) -> Office:
    station = await make.facility()
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=station)
    trainers = [await make.actor(Role.TRAINER) for _ in range(2)]
    browsers = [await signed_in(trainer) for trainer in trainers]
    form = {
        "station": str(station.id),
        "technique_name": "Siêu âm tim cấp cứu",
        "type": "hands_on",
        "place": "on_site",
        "day": "20/11/2026",
        "start": "08:00",
        "end": "10:00",
        "trainers": str(trainers[0].id),
        "trainees": str(trainee.id),
    }
    return Office(browsers[0], browsers[1], form)


async def count(database: Database) -> int:
    async with database.read() as work:
        return len((await work.session.exec(select(TransferLog.id))).all())


async def stored(database: Database) -> list[IdempotencyKey]:
    async with database.read() as work:
        return list((await work.session.exec(select(IdempotencyKey))).all())


async def test_without_a_key_every_sending_counts(office: Office, database: Database) -> None:
    answers = [await office.send(None) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert (await count(database), await stored(database)) == (2, [])


async def test_fifty_sendings_at_once_are_one_row_and_one_answer(
    office: Office, database: Database
) -> None:
    answers = await asyncio.gather(*(office.send() for _ in range(HANDS)))
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {
        (303, answers[0].headers["Location"])
    }
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None, *["true"] * (HANDS - 1)]
    assert (await count(database), len(await stored(database))) == (1, 1)


async def test_a_script_gets_the_same_words_again(office: Office, database: Database) -> None:
    script = {
        "Sec-Fetch-Mode": "cors",
        "Accept": "application/json",
        "Idempotency-Key": KEY,
    }
    answers = [await office.post(office.browser, office.form, script) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert await answers[0].read() == await answers[1].read() != b""
    assert answers[0].headers["Content-Type"] == answers[1].headers["Content-Type"]
    assert await count(database) == 1


async def test_the_hidden_field_of_a_form_is_a_key_too(office: Office, database: Database) -> None:
    for _ in range(2):
        answer = await office.send(None, idempotency_key=KEY)
        assert answer.status == 303
    assert await count(database) == 1


@pytest.mark.parametrize("change", [{"technique_name": "Đặt nội khí quản"}, {"start": "09:00"}])
async def test_the_same_key_for_another_body_is_refused(
    office: Office, database: Database, change: dict[str, str]
) -> None:
    await office.send()
    refused = await office.send(**change)
    page = await refused.text()
    assert refused.status == 422
    assert "Phiếu này đã gửi một lần với nội dung khác" in page
    assert all(f'value="{typed}"' in page for typed in change.values())
    assert f'name="trainers" value="{office.form["trainers"]}" id="f-trainers" checked' in page
    assert await count(database) == 1


async def test_fifty_bodies_under_one_key_are_one_row(office: Office, database: Database) -> None:
    answers = await asyncio.gather(
        *(office.send(technique_name=f"Kỹ thuật {number}") for number in range(HANDS))
    )
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [303, *[422] * (HANDS - 1)]
    assert await count(database) == 1


async def test_a_key_belongs_to_its_person(office: Office, database: Database) -> None:
    headers = {"Idempotency-Key": KEY}
    own = await office.send()
    others = await office.post(office.colleague, office.form, headers)
    assert (own.status, others.status) == (303, 303)
    assert own.headers["Location"] != others.headers["Location"]
    assert await count(database) == 2


async def test_a_stranger_gets_nothing_for_a_known_key(office: Office, client: Client) -> None:
    await office.send()
    answer = await office.post(client, office.form, {"Idempotency-Key": KEY})
    assert answer.headers["Location"].startswith("/sign-in")


async def test_what_was_refused_may_be_sent_better_under_the_same_key(
    office: Office, database: Database
) -> None:
    refused = await office.send(end="07:00")
    assert (refused.status, await stored(database)) == (422, [])
    assert (await office.send()).status == 303
    assert await count(database) == 1


@pytest.mark.parametrize("key", ["k" * 81, "khóa", "k\tk"])
async def test_a_malformed_key_is_refused_and_named(office: Office, key: str) -> None:
    script = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
    form = office.form | {"idempotency_key": key}
    refused = await office.post(office.browser, form, script)
    (fault,) = (await refused.json())["fields"]
    assert (refused.status, fault["field"]) == (422, "Idempotency-Key")


async def test_a_key_with_what_no_database_takes_is_refused(
    office: Office, database: Database
) -> None:
    refused = await office.send(None, idempotency_key="k\0k")
    assert (refused.status, await count(database)) == (422, 0)


async def test_answers_are_kept_for_days_and_then_forgotten(
    database: Database, clock: FakeClock
) -> None:
    async def keep(key: str) -> None:
        async with database.work() as work:
            await keep_answer(work, AskedKey(1, key, "hash"), 200, {"Content-Type": "a/b"}, b"x")

    await keep("old")
    clock.advance(KEPT)
    await keep("new")
    assert [row.key for row in await stored(database)] == ["old", "new"]
    clock.advance(timedelta(seconds=1))
    await keep("newest")
    assert [row.key for row in await stored(database)] == ["new", "newest"]


async def test_a_stored_answer_is_found_by_person_key_and_body(database: Database) -> None:
    asked = AskedKey(1, "k", "hash")
    async with database.work() as work:
        await keep_answer(work, asked, 303, {"Location": "/home"}, b"")
    async with database.read() as work:
        found = await find_answer(work, asked)
        assert found
        assert (found.status, found.headers) == (303, {"Location": "/home"})
        assert await find_answer(work, AskedKey(2, "k", "hash")) is None
        assert await find_answer(work, AskedKey(1, "l", "hash")) is None
        with pytest.raises(Invalid):
            await find_answer(work, AskedKey(1, "k", "other"))
        assert (await work.session.exec(select(col(IdempotencyKey.body)))).all() == [b""]


async def test_what_is_kept_of_a_body_cannot_be_guessed_without_the_key(
    office: Office, database: Database
) -> None:
    await office.send()
    (row,) = await stored(database)
    asked = f"POST {PATH}\n{urlencode(office.form)}".encode()
    assert row.request_hash != hashlib.sha256(asked).hexdigest()
    assert row.request_hash == fingerprints(make_settings().signing_key())(asked)
    assert fingerprints(b"one")(b"asked") != fingerprints(b"other")(b"asked")
