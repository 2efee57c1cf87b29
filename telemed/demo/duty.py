"""Who is on duty in the synthetic province, from the week before until two weeks ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import cycle

from telemed.accounts.permissions import Actor
from telemed.demo.world import World
from telemed.scheduling.duty.days import WEEK, duty_day, week_of
from telemed.scheduling.duty.models import OF_SPECIALTY, DutyRank, DutyShift

WEEKS_AHEAD = 2


def make_shifts(world: World) -> list[DutyShift]:
    """Those who answer for a specialty take turns; the coordinator is always on duty."""
    monday = week_of(duty_day(world.now))[0] - timedelta(days=WEEK)
    days = [monday + timedelta(days=number) for number in range((2 + WEEKS_AHEAD) * WEEK)]
    shifts = [
        DutyShift(
            day=day,
            rank=DutyRank.COORDINATOR,
            person_id=world.cast.coordinator.id,
            changed_at=world.now,
        )
        for day in days
    ]
    for specialty in world.specialties.values():
        turns = cycle(_in_turn(world.cast.answering(specialty)))
        for day in days:
            shifts += [
                DutyShift(
                    day=day,
                    specialty_id=specialty.id,
                    rank=rank,
                    person_id=person.id,
                    changed_at=world.now,
                )
                for rank, person in zip(OF_SPECIALTY, next(turns), strict=False)
            ]
    return shifts


def _in_turn(people: Sequence[Actor]) -> list[Sequence[Actor]]:
    """First and second of a day; whoever is alone is first every day."""
    return [[*people[number:], *people[:number]] for number in range(len(people))] or [()]
