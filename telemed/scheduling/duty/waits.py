"""How long stations have lately waited until somebody took their request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from sqlmodel import col, select

from telemed.consults.models import Consult, Urgency
from telemed.core.db import UnitOfWork

LATELY: Final = timedelta(days=30)
MOST: Final = 2000
# Fewer say nothing of the next one.
ENOUGH: Final = 3

Taken = tuple[int, Urgency, datetime, datetime]
Waits = Mapping[tuple[int, Urgency], timedelta]


async def usual_waits(work: UnitOfWork) -> Waits:
    """The middle wait of the last month by specialty and urgency, where there were enough."""
    query = (
        select(
            col(Consult.specialty_id),
            col(Consult.urgency),
            col(Consult.requested_at),
            col(Consult.accepted_at),
        )
        .where(col(Consult.accepted_at) >= work.now() - LATELY)
        .order_by(col(Consult.accepted_at).desc())
        .limit(MOST)
    )
    found = (await work.session.exec(query)).all()
    return middle_waits(
        (specialty_id, urgency, requested_at, accepted_at)
        for specialty_id, urgency, requested_at, accepted_at in found
        if specialty_id and urgency and requested_at and accepted_at
    )


def middle_waits(taken: Iterable[Taken]) -> Waits:
    """The middle of (accepted - requested) for each specialty and urgency. Pure."""
    seconds = defaultdict[tuple[int, Urgency], list[float]](list)
    for specialty_id, urgency, requested_at, accepted_at in taken:
        seconds[specialty_id, urgency].append((accepted_at - requested_at).total_seconds())
    return {
        key: timedelta(seconds=median(found))
        for key, found in seconds.items()
        if len(found) >= ENOUGH
    }
