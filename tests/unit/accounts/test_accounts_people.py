"""Accounts below the pages: the first administrator, names given once, small print."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.activation import activate
from telemed.accounts.audit.labels import TAG_LABELS
from telemed.accounts.browser import LONGEST, describe_browser
from telemed.accounts.models import Person
from telemed.accounts.people.details import PersonDetails
from telemed.accounts.people.repository import list_people
from telemed.accounts.people.service import (
    create_first_administrator,
    create_person,
    disable_person,
    issue_code_by_command,
)
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts, sign_in
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from tests.factories import Factory

NEW = "mưa rào trên mái tôn cũ"


async def tags(database: Database) -> list[tuple[AuditTag, int | None]]:
    """What is on record, and by whom."""
    async with database.read() as work:
        query = select(AuditRecord).order_by(col(AuditRecord.sequence))
        return [(row.tag, row.person_id) for row in (await work.session.exec(query)).all()]


async def test_the_first_administrator_comes_from_the_command_line(accounts: Accounts) -> None:
    code = await create_first_administrator(accounts.database, "Quan.Tri", "Vàng A Quản")

    async with accounts.database.work() as work:
        signed = await activate(
            work, accounts, code=code, new_password="mưa rào vui", network="console"
        )
    assert not signed.is_full
    async with accounts.database.work() as work:
        again = await sign_in(
            work, accounts, name="quan.tri", password="mưa rào vui", network="console"
        )
    assert not again.is_full
    kept = await tags(accounts.database)
    assert kept[:2] == [(AuditTag.PERSON_CREATE, None), (AuditTag.ACTIVATION_ISSUE, None)]


async def test_there_is_one_first_administrator(database: Database) -> None:
    await create_first_administrator(database, "quan.tri", "Vàng A Quản")

    with pytest.raises(Conflict):
        await create_first_administrator(database, "quan.tri.2", "Vàng A Quản")


@pytest.mark.parametrize(
    ("name", "full_name", "field"),
    [("Quản trị", "Vàng A Quản", "sign_in_name"), ("quan.tri", "  ", "full_name")],
)
async def test_the_first_administrator_needs_names(
    database: Database, name: str, full_name: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await create_first_administrator(database, name, full_name)

    assert [item.field for item in refused.value.fields] == [field]


async def test_the_command_line_gives_a_locked_out_person_a_code(accounts: Accounts) -> None:
    await create_first_administrator(accounts.database, "quan.tri", "Vàng A Quản")
    code = await issue_code_by_command(accounts.database, " Quan.Tri ", lasts=timedelta(hours=1))

    async with accounts.database.work() as work:
        await activate(work, accounts, code=code, new_password=NEW, network="console")
    with pytest.raises(Missing):
        await issue_code_by_command(accounts.database, "nobody")


async def test_the_command_line_gives_a_disabled_person_no_code(
    database: Database, work: UnitOfWork, make: Factory
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    await disable_person(work, await make.actor(Role.ADMINISTRATOR), person.uid)
    await work.commit()

    with pytest.raises(Conflict):
        await issue_code_by_command(database, person.sign_in_name)


async def test_a_sign_in_name_is_given_once_even_to_two_at_once(
    database: Database, work: UnitOfWork, make: Factory
) -> None:
    station, admin = await make.facility(), await make.actor(Role.ADMINISTRATOR)
    await work.commit()
    details = PersonDetails("Lò Văn Mới", frozenset({Role.COMMUNE_DOCTOR}), station.uid)

    async def attempt() -> str:
        async with database.work() as unit:
            _, code = await create_person(unit, admin, sign_in_name="bs.moi", details=details)
            return code

    answers = await asyncio.gather(*(attempt() for _ in range(10)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(str) == 1
    assert {answer.code for answer in answers if isinstance(answer, Invalid)} == {
        "sign_in_name_taken"
    }
    async with database.read() as reader:
        query = select(Person).where(col(Person.sign_in_name) == "bs.moi")
        assert len((await reader.session.exec(query)).all()) == 1


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_only_administrators_make_accounts(
    work: UnitOfWork, make: Factory, role: Role
) -> None:
    actor, station = await make.actor(role), await make.facility()
    details = PersonDetails("Lò Văn Mới", frozenset({Role.COMMUNE_DOCTOR}), station.uid)

    with pytest.raises(Denied):
        await create_person(work, actor, sign_in_name="bs.moi", details=details)


async def test_people_are_listed_by_given_name_as_a_dictionary_does(
    work: UnitOfWork, make: Factory
) -> None:
    for name in ("Lò Văn Ẩn", "Cà Thị Ân", "Quàng Văn An", "Bạc Cầm Đôi", "Tòng Văn Doan"):
        await make.person(Role.COMMUNE_DOCTOR, full_name=name)
    admin: Actor = await make.actor(Role.ADMINISTRATOR, full_name="Z")

    found = await list_people(work, admin, role=Role.COMMUNE_DOCTOR)
    names = [row.person.full_name for row in found.rows]
    assert names == ["Quàng Văn An", "Cà Thị Ân", "Lò Văn Ẩn", "Tòng Văn Doan", "Bạc Cầm Đôi"]


@pytest.mark.parametrize("search", ["%", "_", "' OR 1=1--", '"*', "\\"])
async def test_signs_in_a_search_stand_for_themselves(
    work: UnitOfWork, make: Factory, search: str
) -> None:
    await make.person(Role.COMMUNE_DOCTOR)
    admin = await make.actor(Role.ADMINISTRATOR)

    assert (await list_people(work, admin, search=search)).rows == []


def test_every_act_on_record_has_a_name() -> None:
    assert set(TAG_LABELS) == set(AuditTag)
    assert len(set(TAG_LABELS.values())) == len(AuditTag)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/142.0.0.0 Safari/537.36"
            ),
            "Chrome 142 · Windows",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
            ),
            "Edge 142 · Windows",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) "
                "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"
            ),
            "Samsung Internet 27 · Android",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Firefox 145 · Linux",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
            ),
            "Safari 18 · iPhone",
        ),
        ("curl/8.5.0", ""),
        ("", ""),
        ("Chrome/<script>", "Chrome"),
    ],
)
def test_a_browser_in_a_few_words(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words


def test_a_browser_of_many_words_is_cut() -> None:
    assert len(describe_browser(f"Chrome/{'9' * 5000}")) <= LONGEST
