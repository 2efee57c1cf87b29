"""Two people who can sign in: one with a password, one with both factors."""

from __future__ import annotations

import pytest

from telemed.accounts.models import Person
from telemed.accounts.permissions import Role
from telemed.accounts.service import Accounts
from telemed.core.db import UnitOfWork
from tests.factories import Factory
from tests.people import give_password, give_second_factor


@pytest.fixture
async def doctor(work: UnitOfWork, make: Factory, accounts: Accounts) -> Person:
    """A commune doctor with a password."""
    person = await make.person(Role.COMMUNE_DOCTOR, sign_in_name="bs.ngan")
    await give_password(work, accounts, person)
    await work.commit()
    return person


@pytest.fixture
async def specialist(work: UnitOfWork, make: Factory, accounts: Accounts) -> tuple[Person, str]:
    """A specialist with both factors, and the secret of the second."""
    person = await make.person(Role.SPECIALIST, sign_in_name="bs.ha")
    await give_password(work, accounts, person)
    secret = await give_second_factor(work, accounts, person)
    await work.commit()
    return person, secret
