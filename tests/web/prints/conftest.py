"""Fixtures of minutes over HTTP."""

from __future__ import annotations

import pytest

from telemed.accounts.models import Person
from telemed.accounts.service import Accounts
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from tests.factories import Factory
from tests.people import give_password, give_second_factor
from tests.web.minutes.desk import Room, SignIn


@pytest.fixture
async def room(
    work: UnitOfWork,
    make: Factory,
    accounts: Accounts,
    signed_in: SignIn,
    clock: FakeClock,
) -> Room:
    case = await make.case(ConsultState.ACCEPTED)
    people = [
        await work.session.get_one(Person, actor.id) for actor in (case.specialist, case.doctor)
    ]
    for person in people:
        await give_password(work, accounts, person)
    secret = await give_second_factor(work, accounts, people[0])
    return Room(case, await signed_in(case.doctor), await signed_in(case.specialist), secret, clock)
