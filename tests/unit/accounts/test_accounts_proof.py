"""Showing again who one is, and activation codes, below any page."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.activation import activate, issue_code
from telemed.accounts.models import ActivationCode, LoginSession, Person, PersonState
from telemed.accounts.passwords import PasswordHasher, Verdict
from telemed.accounts.permissions import Role
from telemed.accounts.service import (
    Accounts,
    SignedIn,
    reauthenticate,
)
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Invalid, Throttled
from telemed.core.records import SignatureMethod
from tests.factories import Factory
from tests.people import HERE, PASSWORD, acting, code_at, enter

NEW = "mưa rào trên mái tôn cũ"


class PatientHasher(PasswordHasher):
    """Checks a password when it is told to."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, threads=1)
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def verify(self, stored: str | None, password: str) -> Verdict:
        self.asked.set()
        await self.go_on.wait()
        return await super().verify(stored, password)


async def records(database: Database, tag: AuditTag) -> list[AuditRecord]:
    """What is on record of one sort."""
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == tag)
        return list((await work.session.exec(query)).all())


async def test_nobody_waits_while_a_password_is_checked(accounts: Accounts, doctor: Person) -> None:
    actor = await acting(accounts, doctor)
    hasher = PatientHasher()
    slow = replace(accounts, hasher=hasher)
    async with accounts.database.work() as checked:
        checking = asyncio.create_task(reauthenticate(checked, slow, actor, password=PASSWORD))
        await hasher.asked.wait()
        async with asyncio.timeout(30), accounts.database.work() as other:
            other.audit(AuditTag.SIGN_OUT, actor, "person:other")
        hasher.go_on.set()
        await checking
    hasher.close()

    assert len(await records(accounts.database, AuditTag.SIGN_OUT)) == 1
    assert len(await records(accounts.database, AuditTag.REAUTHENTICATE)) == 1


async def test_reauthentication_says_how_the_signer_showed_who_they_are(
    accounts: Accounts,
    doctor: Person,
    specialist: tuple[Person, str],
    clock: FakeClock,
) -> None:
    person, secret = specialist
    simple, coded = await acting(accounts, doctor), await acting(accounts, person)
    code = code_at(secret, clock.now())
    async with accounts.database.work() as work:
        one = await reauthenticate(work, accounts, simple, password=PASSWORD)
        both = await reauthenticate(work, accounts, coded, password=PASSWORD, code=code)

    assert (one, both) == (SignatureMethod.PASSWORD, SignatureMethod.PASSWORD_AND_CODE)


@pytest.mark.parametrize(
    ("password", "code", "field", "refused"),
    [
        ("sai mật khẩu", None, "password", "password_wrong"),
        (PASSWORD, "", "code", "code_wrong"),
        (PASSWORD, "000 000", "code", "code_wrong"),
    ],
)
async def test_reauthentication_names_what_was_wrong_and_puts_it_on_record(
    accounts: Accounts,
    specialist: tuple[Person, str],
    password: str,
    code: str | None,
    field: str,
    refused: str,
) -> None:
    actor = await acting(accounts, specialist[0])
    with pytest.raises(Invalid) as error:
        async with accounts.database.work() as work:
            await reauthenticate(work, accounts, actor, password=password, code=code or "")

    assert error.value.code == refused
    assert [item.field for item in error.value.fields] == [field]
    kept = await records(accounts.database, AuditTag.REAUTHENTICATE)
    assert [(record.person_id, record.detail) for record in kept] == [
        (actor.id, {"refused": field})
    ]


async def test_a_code_for_one_signature_signs_no_other(
    accounts: Accounts, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    actor, code = await acting(accounts, person), code_at(secret, clock.now())
    async with accounts.database.work() as work:
        await reauthenticate(work, accounts, actor, password=PASSWORD, code=code)

    with pytest.raises(Invalid) as refused:
        async with accounts.database.work() as work:
            await reauthenticate(work, accounts, actor, password=PASSWORD, code=code)
    assert refused.value.code == "code_used"


async def test_guessing_at_an_unlocked_machine_is_slowed_down(
    accounts: Accounts, doctor: Person, clock: FakeClock
) -> None:
    actor = await acting(accounts, doctor)
    for _ in range(5):
        with pytest.raises(Invalid):
            async with accounts.database.work() as work:
                await reauthenticate(work, accounts, actor, password="sai mật khẩu")

    with pytest.raises(Throttled):
        async with accounts.database.work() as work:
            await reauthenticate(work, accounts, actor, password=PASSWORD)
    clock.advance(timedelta(seconds=1))
    async with accounts.database.work() as work:
        assert await reauthenticate(work, accounts, actor, password=PASSWORD)


async def test_one_activation_code_used_many_times_at_once_sets_one_password(
    accounts: Accounts, work: UnitOfWork, make: Factory
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.moi")
    code = await issue_code(work, timedelta(hours=72), None, person)
    await work.commit()

    async def attempt(number: int) -> SignedIn:
        async with accounts.database.work() as unit:
            return await activate(
                unit,
                accounts,
                code=code,
                new_password=f"{NEW} {number}",
                network=f"10.0.1.{number}",
            )

    answers = await asyncio.gather(*map(attempt, range(10)), return_exceptions=True)
    winners = [number for number, answer in enumerate(answers) if isinstance(answer, SignedIn)]
    assert len(winners) == 1
    assert (await enter(accounts, "bs.moi", f"{NEW} {winners[0]}")).is_full
    async with accounts.database.read() as reader:
        assert len((await reader.session.exec(select(LoginSession))).all()) == 2


async def test_an_activation_code_is_kept_as_a_hash_and_has_100_random_bits(
    work: UnitOfWork, make: Factory
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR)
    codes = [await issue_code(work, timedelta(hours=1), None, person) for _ in range(20)]

    kept = (await work.session.exec(select(ActivationCode))).all()
    assert len(set(codes)) == 20
    assert {len(code.replace("-", "")) for code in codes} == {20}
    assert [row.used_at is None for row in kept].count(True) == 1
    assert not any(code in row.code_hash for row in kept for code in codes)


async def test_an_account_that_is_disabled_meanwhile_stays_so(
    accounts: Accounts, work: UnitOfWork, make: Factory
) -> None:
    person = await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.moi")
    code = await issue_code(work, timedelta(hours=72), None, person)
    await work.commit()

    class Disabling(PasswordHasher):
        async def hash(self, password: str) -> str:
            async with accounts.database.work() as other:
                (await other.session.get_one(Person, person.id)).state = PersonState.DISABLED
            return await super().hash(password)

    slow = replace(accounts, hasher=Disabling(memory_kib=8, threads=1))
    with pytest.raises(Invalid):
        async with accounts.database.work() as unit:
            await activate(unit, slow, code=code, new_password=NEW, network=HERE)
    slow.hasher.close()
    async with accounts.database.read() as reader:
        assert (await reader.session.get_one(Person, person.id)).state is PersonState.DISABLED
