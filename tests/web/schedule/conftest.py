"""One case for every test of the schedule."""

from __future__ import annotations

import pytest

from telemed.consults.lifecycle import ConsultState
from telemed.core.db import UnitOfWork
from telemed.scheduling import working_hours
from tests.factories import Factory
from tests.web.schedule.room import MORNINGS, Room, SignIn


@pytest.fixture
async def room(work: UnitOfWork, make: Factory, signed_in: SignIn) -> Room:
    case = await make.case(ConsultState.ACCEPTED)
    await working_hours.set_hours(work, case.specialist, MORNINGS)
    return Room(case, await signed_in(case.doctor), await signed_in(case.specialist))
