"""What a station wants to know before it asks: who is on duty now, and how soon they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from telemed.consults.models import Urgency
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Specialty
from telemed.scheduling.duty.models import DutyRank
from telemed.scheduling.duty.roster import Colleague, on_duty
from telemed.scheduling.duty.waits import Waits, usual_waits


@dataclass(frozen=True)
class Desk:
    """A specialty now; `wait_minutes` is what an urgent request of late has waited."""

    specialty: Specialty
    first: Colleague | None
    second: Colleague | None
    wait_minutes: int | None

    @property
    def answers(self) -> Colleague | None:
        """Whom a request reaches first now."""
        return self.first or self.second


@dataclass(frozen=True)
class Board:
    """All specialties, those that are asked most before the others, and who coordinates."""

    desks: Sequence[Desk]
    coordinator: Colleague | None

    @property
    def manned(self) -> Sequence[Desk]:
        """Where somebody is on duty."""
        return [desk for desk in self.desks if desk.answers]


async def open_board(work: UnitOfWork) -> Board:
    """Who is on duty now."""
    found, waits = await on_duty(work), await usual_waits(work)
    (day,) = found.days
    *lines, for_all = found.lines
    desks = [
        Desk(
            line.specialty,
            found.who(day, line, DutyRank.FIRST),
            found.who(day, line, DutyRank.SECOND),
            minutes_of(waits, line.specialty.id or 0, Urgency.URGENT),
        )
        for line in lines
        if line.specialty
    ]
    # What is known to be asked is more likely to be asked next.
    desks.sort(key=lambda desk: desk.wait_minutes is None)
    return Board(desks, found.who(day, for_all, DutyRank.COORDINATOR))


def minutes_of(waits: Waits, specialty_id: int, urgency: Urgency) -> int | None:
    """A usual wait in whole minutes, at least one; None where too few have waited."""
    wait = waits.get((specialty_id, urgency))
    return max(1, ceil(wait.total_seconds() / 60)) if wait is not None else None
