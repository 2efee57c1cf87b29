"""To whom a request climbs next, and when. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Rung(StrEnum):
    """Who is told, in this order; without a roster it is everybody of the specialty."""

    NAMED = "named"
    FIRST = "first"
    SECOND = "second"
    SPECIALTY = "specialty"
    COORDINATOR = "coordinator"


@dataclass(frozen=True)
class Place:
    """Somebody on the ladder; nobody in person is everybody of that rung."""

    rung: Rung
    person_id: int | None = None


def ladder(
    *, named: int | None, first: int | None, second: int | None, coordinator: int | None
) -> list[Place]:
    """The whole way up for a request as people are on duty now."""
    people = ((Rung.NAMED, named), (Rung.FIRST, first), (Rung.SECOND, second))
    places = [Place(rung, person) for rung, person in people if person is not None]
    if first is None and second is None:
        places.append(Place(Rung.SPECIALTY))
    return [*places, Place(Rung.COORDINATOR, coordinator)]


def next_place(places: Sequence[Place], told: Collection[Place]) -> Place | None:
    """The lowest rung above those that were told, with somebody who does not know yet.

    None when the coordinators know. People change with the shifts; a rung is never told twice.
    """
    order = list(Rung)
    reached = max((order.index(place.rung) for place in told), default=-1)
    known = {place.person_id for place in told if place.person_id is not None}
    above = [place for place in places if order.index(place.rung) > reached]
    return next((place for place in above if _is_news(place, known)), None)


def _is_news(place: Place, known: Collection[int]) -> bool:
    return place.rung is Rung.COORDINATOR or place.person_id not in known


def climbs_at(
    told_at: datetime, seen_at: datetime | None, waiting_since: datetime, limit: timedelta
) -> datetime:
    """When a step that nobody took is climbed from.

    Whoever has seen it has the time once more; while the station was asked the clock stood still.
    """
    return max(told_at, waiting_since, seen_at or told_at) + limit
