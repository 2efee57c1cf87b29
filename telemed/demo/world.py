"""What every story of the synthetic province shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from telemed.accounts.permissions import Actor
from telemed.consults.request.input import IcdChoice
from telemed.core.clock import LOCAL_ZONE
from telemed.demo.cast import Cast
from telemed.demo.ledger import Ledger
from telemed.demo.texts import Texts
from telemed.facilities.models import Facility, Specialty
from telemed.imaging.service import Arrival
from telemed.patients.models import Patient
from telemed.scheduling.availability import Hours, Span, slots_of_day

_MORNING, _NOON = 7 * 60 + 30, 11 * 60 + 30
_AFTERNOON, _EVENING = 13 * 60 + 30, 16 * 60 + 30
_LATE, _NIGHT = 19 * 60, 21 * 60
SLOT_MINUTES = 30
# Weekdays by day, two evenings, and the weekend mornings.
WEEK = (
    *(Hours(day, _MORNING, _NOON, SLOT_MINUTES) for day in range(7)),
    *(Hours(day, _AFTERNOON, _EVENING, SLOT_MINUTES) for day in range(5)),
    *(Hours(day, _LATE, _NIGHT, SLOT_MINUTES) for day in (1, 3)),
)


class Diary:
    """Who is booked when, so that nobody is booked twice."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, int, datetime]] = set()

    def take(self, specialist: Actor, station_id: int, after: datetime) -> Span:
        """The first slot after a moment at which both a specialist and a station are free."""
        for slot in _slots_from(after.astimezone(LOCAL_ZONE).date()):
            keys = {("person", specialist.id, slot.start), ("station", station_id, slot.start)}
            if slot.start > after and not keys & self._taken:
                self._taken |= keys
                return Span(slot.start.astimezone(UTC), slot.end.astimezone(UTC))
        raise LookupError("a week without a free slot")


def _slots_from(day: date) -> Iterator[Span]:
    for offset in range(60):
        yield from slots_of_day(WEEK, day + timedelta(days=offset))


@dataclass
class World:
    """The province at one moment, with a source of chance that is the same every time."""

    now: datetime
    chance: Random
    texts: Texts
    ledger: Ledger
    cast: Cast
    stations: Mapping[int, Facility]
    specialties: Mapping[str, Specialty]
    codes: Mapping[str, IcdChoice]
    pictures: Mapping[str, Sequence[Arrival]]
    expires_after: timedelta
    diary: Diary
    numbers: dict[str, int] = field(default_factory=dict)

    def next_number(self, kind: str, at: datetime) -> str:
        """The next number of a series of the year."""
        series = f"{kind}-{at.astimezone(LOCAL_ZONE).year}"
        self.numbers[series] = self.numbers.get(series, 0) + 1
        return f"{series}-{self.numbers[series]:06}"

    def minutes(self, low: float, high: float) -> timedelta:
        """A span of time by chance."""
        return timedelta(minutes=self.chance.uniform(low, high))

    def phrase(self, name: str) -> str:
        """One of the sentences for an occasion."""
        return str(self.chance.choice(self.texts.phrases[name]))

    def station_of(self, patient: Patient) -> Facility:
        """Where a patient is looked after."""
        return self.stations[patient.station_id]
