"""The rules of signing in, below any page."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlmodel import col, select

from telemed.accounts.logins import resolve_login
from telemed.accounts.models import Credential, LoginSession, Person, SecondFactor
from telemed.accounts.own.service import renew_second_factor
from telemed.accounts.passwords import PasswordHasher, Verdict
from telemed.accounts.permissions import SECOND_FACTOR_ROLES, Role
from telemed.accounts.service import (
    Accounts,
    Pending,
    SignedIn,
    find_pending,
    finish_sign_in,
    needs_second_factor,
    sign_in,
)
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Invalid, TelemedError, Throttled
from tests.conftest import make_settings
from tests.factories import Factory
from tests.people import HERE, PASSWORD, acting, code_at, enter, give_password

ELSEWHERE = "10.0.0.2"


class CountingHasher(PasswordHasher):
    """Remembers whether each hash it was asked to verify existed."""

    def __init__(self) -> None:
        super().__init__(memory_kib=8, threads=2)
        self.verified: list[bool] = []

    async def verify(self, stored: str | None, password: str) -> Verdict:
        self.verified.append(stored is not None)
        return await super().verify(stored, password)


async def begin(accounts: Accounts, name: str) -> Pending:
    """The first step of somebody with a second factor."""
    signed = await enter(accounts, name)
    async with accounts.database.read() as work:
        pending = await find_pending(work, signed.token)
    assert pending
    return pending


async def finish(accounts: Accounts, pending: Pending, code: str, network: str = HERE) -> SignedIn:
    """The second step in a transaction of its own."""
    async with accounts.database.work() as work:
        return await finish_sign_in(work, accounts, pending, code=code, network=network)


async def records(database: Database, tag: AuditTag) -> list[AuditRecord]:
    """What is on record of one sort."""
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == tag)
        return list((await work.session.exec(query)).all())


async def refusal(accounts: Accounts, name: str, password: str, network: str = HERE) -> str:
    """The code of a refused first step."""
    with pytest.raises(TelemedError) as refused:
        await enter(accounts, name, password, network)
    return refused.value.code


@pytest.mark.usefixtures("doctor")
async def test_a_right_password_from_another_network_works_whatever_a_stranger_does(
    accounts: Accounts,
) -> None:
    codes = [await refusal(accounts, "bs.ngan", "sai mật khẩu", ELSEWHERE) for _ in range(100)]

    assert codes == ["sign_in_refused"] * 5 + ["too_many_attempts"] * 95
    assert (await enter(accounts, "bs.ngan", network=HERE)).is_full


@pytest.mark.usefixtures("doctor")
async def test_a_thousand_guesses_at_once_get_no_more_than_the_allowance(
    accounts: Accounts,
) -> None:
    guesses = [enter(accounts, "bs.ngan", f"sai {number}") for number in range(200)]
    answers = await asyncio.gather(*guesses, return_exceptions=True)

    kinds = [type(answer) for answer in answers]
    assert kinds.count(Throttled) == 195
    assert kinds.count(Invalid) == 5


@pytest.mark.usefixtures("doctor")
async def test_a_network_that_tries_many_names_is_slowed_down(accounts: Accounts) -> None:
    codes = [await refusal(accounts, f"bs.{number}", "sai mật khẩu") for number in range(45)]

    assert codes == ["sign_in_refused"] * 40 + ["too_many_attempts"] * 5
    assert (await enter(accounts, "bs.ngan", network=ELSEWHERE)).is_full


@pytest.mark.usefixtures("doctor")
async def test_unknown_names_cost_a_hash_as_known_ones_do(
    accounts: Accounts,
) -> None:
    hasher = CountingHasher()
    counted = replace(accounts, hasher=hasher)
    await refusal(counted, "bs.ngan", "sai mật khẩu")
    await refusal(counted, "nobody", "sai mật khẩu")
    hasher.close()

    assert hasher.verified == [True, False]


async def test_a_refusal_is_on_record_without_what_was_typed(
    accounts: Accounts, doctor: Person
) -> None:
    await refusal(accounts, "bs.ngan", "sai mật khẩu")
    await refusal(accounts, "mật khẩu gõ nhầm ô", "x")

    kept = await records(accounts.database, AuditTag.SIGN_IN_REFUSED)
    assert [record.subject for record in kept] == [f"person:{doctor.uid}", "person:unknown"]
    assert [record.person_id for record in kept] == [None, None]
    assert "gõ nhầm" not in str([record.model_dump() for record in kept])


async def test_a_stronger_setting_renews_the_hash_at_the_next_sign_in(
    accounts: Accounts, doctor: Person
) -> None:
    hasher = PasswordHasher(memory_kib=16, threads=1)
    await enter(replace(accounts, hasher=hasher), "bs.ngan")
    hasher.close()

    async with accounts.database.read() as work:
        assert doctor.id
        stored = await work.session.get_one(Credential, doctor.id)
    assert "m=16," in stored.password_hash
    assert (await enter(accounts, "bs.ngan")).is_full


@pytest.mark.parametrize("role", list(Role))
def test_who_needs_a_second_factor(role: Role) -> None:
    required = make_settings(second_factor_required=True)
    optional = make_settings(second_factor_required=False)

    assert needs_second_factor(required, frozenset({role})) is (role in SECOND_FACTOR_ROLES)
    assert needs_second_factor(required, frozenset({role, Role.TRAINER}))
    assert not needs_second_factor(optional, frozenset({role}))


async def test_one_code_used_many_times_at_once_opens_once(
    accounts: Accounts, specialist: tuple[Person, str], clock: FakeClock
) -> None:
    person, secret = specialist
    pending = [await begin(accounts, person.sign_in_name) for _ in range(10)]
    code = code_at(secret, clock.now())
    answers = await asyncio.gather(
        *(
            finish(accounts, one, code, network=f"10.0.1.{number}")
            for number, one in enumerate(pending)
        ),
        return_exceptions=True,
    )

    opened = [answer for answer in answers if isinstance(answer, SignedIn)]
    assert len(opened) == 1
    assert {answer.code for answer in answers if isinstance(answer, Invalid)} == {"code_used"}


async def test_a_set_up_that_is_confirmed_ends_the_other_logins(
    accounts: Accounts, doctor: Person, clock: FakeClock
) -> None:
    first, second = await enter(accounts, "bs.ngan"), await enter(accounts, "bs.ngan")
    actor = await acting(accounts, doctor)
    async with accounts.database.read() as work:
        living = await resolve_login(work, second.token)
    assert living
    async with accounts.database.work() as work:
        token = await renew_second_factor(work, accounts, living, password=PASSWORD, code="")
    async with accounts.database.read() as work:
        pending = await find_pending(work, token)
        assert await resolve_login(work, first.token) is None
    assert pending
    assert pending.is_setup
    again = await enter(accounts, "bs.ngan")
    assert not again.is_full

    assert actor.id
    async with accounts.database.read() as work:
        factor = await work.session.get_one(SecondFactor, actor.id)
        secret = accounts.box.open(actor.id, factor.secret_encrypted)
    done = await finish(accounts, pending, code_at(secret, clock.now()))
    async with accounts.database.read() as work:
        assert await resolve_login(work, done.token)
        assert await find_pending(work, again.token) is None
    assert len(await records(accounts.database, AuditTag.SECOND_FACTOR_SET)) == 1


async def test_every_sign_in_before_the_set_up_makes_a_fresh_secret(
    accounts: Accounts, work: UnitOfWork, make: Factory
) -> None:
    person = await make.person(Role.TRAINER, sign_in_name="bs.tuan")
    await give_password(work, accounts, person)
    await work.commit()
    secrets = []
    for _ in range(2):
        await enter(accounts, "bs.tuan")
        async with accounts.database.read() as reader:
            factor = await reader.session.get_one(SecondFactor, person.id)
            secrets.append(accounts.box.open(factor.person_id, factor.secret_encrypted))

    assert secrets[0] != secrets[1]


async def test_an_undone_sign_in_leaves_no_login(accounts: Accounts, doctor: Person) -> None:
    async with accounts.database.open() as work:
        await sign_in(work, accounts, name="bs.ngan", password=PASSWORD, network=HERE)
        await work.rollback()

    async with accounts.database.read() as work:
        query = select(LoginSession).where(col(LoginSession.person_id) == doctor.id)
        assert (await work.session.exec(query)).all() == []
    assert await records(accounts.database, AuditTag.SIGN_IN) == []
