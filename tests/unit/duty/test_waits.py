"""How long requests waited of late, from the cases themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Urgency
from telemed.core.clock import FakeClock
from telemed.core.db import UnitOfWork
from telemed.scheduling.duty.board import minutes_of
from telemed.scheduling.duty.waits import middle_waits, usual_waits
from tests.conftest import MONDAY_MORNING
from tests.factories import Factory

CHEST = 7


def taken(*minutes: float) -> list[tuple[int, Urgency, datetime, datetime]]:
    at = MONDAY_MORNING
    return [(CHEST, Urgency.URGENT, at, at + timedelta(minutes=each)) for each in minutes]


def test_one_that_waited_all_night_does_not_speak_for_the_others() -> None:
    waits = middle_waits(taken(4, 6, 600))
    assert waits == {(CHEST, Urgency.URGENT): timedelta(minutes=6)}


def test_two_cases_say_nothing_of_the_next() -> None:
    assert middle_waits(taken(4, 6)) == {}
    assert minutes_of({}, CHEST, Urgency.URGENT) is None


def test_less_than_a_minute_is_told_as_one() -> None:
    waits = middle_waits(taken(0, 0.2, 0.3))
    assert minutes_of(waits, CHEST, Urgency.URGENT) == 1


async def test_only_the_last_month_counts(
    work: UnitOfWork, make: Factory, clock: FakeClock
) -> None:
    first = await make.case(ConsultState.ACCEPTED)
    specialty_id = first.consult.specialty_id or 0
    now = clock.now()
    for number in range(7):
        consult = first.consult if number == 0 else (await make.case(ConsultState.ACCEPTED)).consult
        consult.specialty_id, consult.urgency = specialty_id, Urgency.URGENT
        is_old = number >= 3
        consult.accepted_at = now - timedelta(days=31 if is_old else number)
        consult.requested_at = consult.accepted_at - timedelta(minutes=90 if is_old else 10)
        work.session.add(consult)
    await work.session.flush()
    assert (await usual_waits(work))[specialty_id, Urgency.URGENT] == timedelta(minutes=10)
