"""Giving made-up people what they sign in with."""

from __future__ import annotations

from datetime import datetime

import pyotp
from aiohttp import web
from aiohttp.test_utils import TestClient

from telemed.accounts.logins import make_actor
from telemed.accounts.models import Credential, Person, SecondFactor
from telemed.accounts.permissions import Actor
from telemed.accounts.service import Accounts, SignedIn, sign_in
from telemed.core.db import UnitOfWork

Client = TestClient[web.Request, web.Application]

HERE = "10.0.0.1"
PASSWORD = "ba con vịt xanh bơi qua suối"


async def give_password(
    work: UnitOfWork, accounts: Accounts, person: Person, password: str = PASSWORD
) -> None:
    """A password that is right for a person from now on."""
    assert person.id
    work.session.add(
        Credential(
            person_id=person.id,
            password_hash=await accounts.hasher.hash(password),
            changed_at=work.now(),
        )
    )
    await work.session.flush()


async def give_second_factor(work: UnitOfWork, accounts: Accounts, person: Person) -> str:
    """A confirmed authenticator; returns its secret."""
    assert person.id
    secret = pyotp.random_base32()
    work.session.add(
        SecondFactor(
            person_id=person.id,
            secret_encrypted=accounts.box.seal(person.id, secret),
            confirmed_at=work.now(),
        )
    )
    await work.session.flush()
    return secret


def code_at(secret: str, at: datetime) -> str:
    """What the authenticator shows at a moment."""
    return pyotp.TOTP(secret).at(at)


def hold(client: Client, token: str) -> None:
    """Put a login into a browser in place of the one it holds."""
    client.session.cookie_jar.clear()
    client.session.cookie_jar.update_cookies({"telemed": token}, client.make_url("/"))


async def acting(accounts: Accounts, person: Person) -> Actor:
    """A person as the rules see them."""
    async with accounts.database.read() as work:
        return await make_actor(work, person)


async def enter(
    accounts: Accounts, name: str, password: str = PASSWORD, network: str = HERE
) -> SignedIn:
    """The first step in a transaction of its own."""
    async with accounts.database.work() as work:
        return await sign_in(work, accounts, name=name, password=password, network=network)
