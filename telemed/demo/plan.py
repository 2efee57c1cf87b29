"""Which cases there are: how many of each ending, how long ago, for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import Enum, auto
from random import Random

from telemed.consults.models import Urgency
from telemed.core.clock import LOCAL_ZONE
from telemed.demo.texts import CaseText, Texts

HOUR, DAY = 60, 24 * 60
HALF_A_YEAR = 182 * DAY
FIRST_HOUR, LAST_HOUR = 7, 15
# How strongly the past thins out.
_THINNING = 1.25


class Ending(Enum):
    """Where a story has come to by now."""

    DRAFT = auto()
    WAITING = auto()
    ASKED = auto()
    TAKEN = auto()
    BOOKED = auto()
    TALKING = auto()
    PAUSED = auto()
    ANSWERED = auto()
    DECLINED = auto()
    CANCELLED = auto()
    EXPIRED = auto()
    CLOSED = auto()


COUNTS: Mapping[Ending, int] = {
    Ending.DRAFT: 12,
    Ending.WAITING: 26,
    Ending.ASKED: 8,
    Ending.TAKEN: 12,
    Ending.BOOKED: 12,
    Ending.TALKING: 2,
    Ending.PAUSED: 6,
    Ending.ANSWERED: 16,
    Ending.DECLINED: 8,
    Ending.CANCELLED: 14,
    Ending.EXPIRED: 8,
    Ending.CLOSED: 376,
}
# Minutes since the request was sent; a story must have had the time to come this far.
AGES: Mapping[Ending, tuple[int, int]] = {
    Ending.DRAFT: (30, 3 * DAY),
    Ending.ASKED: (40, 10 * HOUR),
    Ending.TAKEN: (4 * HOUR, 2 * DAY),
    Ending.BOOKED: (5 * HOUR, 3 * DAY),
    Ending.TALKING: (70, 80),
    Ending.PAUSED: (6 * HOUR, DAY),
    Ending.ANSWERED: (7 * HOUR, 3 * DAY),
    Ending.DECLINED: (4 * HOUR, 5 * DAY),
    Ending.CANCELLED: (DAY, HALF_A_YEAR),
    Ending.EXPIRED: (15 * DAY, HALF_A_YEAR),
    Ending.CLOSED: (16 * HOUR, HALF_A_YEAR),
}
WAITING_AGES: Mapping[Urgency, tuple[float, float]] = {
    Urgency.EMERGENCY: (2, 7),
    Urgency.URGENT: (4, 36),
    Urgency.ROUTINE: (15, 20 * HOUR),
}


@dataclass(frozen=True)
class Slot:
    """One case to be told. What is left open is chosen by chance."""

    ending: Ending
    at: datetime | None = None
    case: CaseText | None = None
    urgency: Urgency | None = None
    specialty: str = ""
    at_first_station: bool = False
    by_first_specialist: bool = False


_E, _U = Ending, Urgency
# What whoever tries a role finds: work of every kind, the most pressing a few minutes old.
SHOWN = (
    Slot(_E.WAITING, urgency=_U.EMERGENCY, specialty="respiratory", at_first_station=True),
    Slot(_E.WAITING, urgency=_U.EMERGENCY, specialty="internal"),
    Slot(_E.WAITING, urgency=_U.URGENT, specialty="respiratory"),
    Slot(_E.WAITING, urgency=_U.URGENT, specialty="internal"),
    Slot(_E.WAITING, urgency=_U.ROUTINE, specialty="endocrinology"),
    Slot(_E.WAITING, urgency=_U.ROUTINE, specialty="respiratory"),
    Slot(_E.WAITING, urgency=_U.ROUTINE, specialty="dermatology", at_first_station=True),
    Slot(_E.WAITING, urgency=_U.EMERGENCY, specialty="critical_care"),
    Slot(_E.WAITING, urgency=_U.URGENT, specialty="paediatrics"),
    Slot(_E.ASKED, specialty="paediatrics", urgency=_U.URGENT, at_first_station=True),
    Slot(_E.ASKED, specialty="internal", by_first_specialist=True),
    Slot(_E.TAKEN, specialty="respiratory", by_first_specialist=True, at_first_station=True),
    Slot(_E.TAKEN, specialty="endocrinology", by_first_specialist=True),
    Slot(_E.BOOKED, specialty="endocrinology", by_first_specialist=True, at_first_station=True),
    Slot(_E.BOOKED, specialty="respiratory", by_first_specialist=True),
    Slot(_E.BOOKED, specialty="cardiology", at_first_station=True),
    Slot(_E.PAUSED, specialty="internal", by_first_specialist=True),
    Slot(_E.PAUSED, specialty="surgery", at_first_station=True),
    Slot(_E.ANSWERED, specialty="internal", by_first_specialist=True, at_first_station=True),
    Slot(_E.ANSWERED, specialty="obstetrics", at_first_station=True),
    Slot(_E.ANSWERED, specialty="endocrinology", by_first_specialist=True),
    Slot(_E.DECLINED, specialty="dermatology", at_first_station=True),
    Slot(_E.DRAFT, specialty="paediatrics", at_first_station=True),
    Slot(_E.DRAFT, specialty="internal", at_first_station=True),
    Slot(_E.TALKING, urgency=_U.URGENT, specialty="paediatrics"),
    Slot(_E.TALKING, urgency=_U.URGENT, specialty="surgery"),
    *(Slot(_E.CLOSED, at_first_station=True) for _ in range(16)),
    *(Slot(_E.CLOSED, specialty="respiratory", by_first_specialist=True) for _ in range(12)),
)


def make_plan(now: datetime, texts: Texts, chance: Random) -> list[Slot]:
    """Every case of the province, in the order in which it was sent."""
    left = dict(COUNTS)
    for slot in SHOWN:
        left[slot.ending] -= 1
    rest = [Slot(ending) for ending, count in left.items() for _ in range(count)]
    slots = [_filled(slot, now, texts, chance) for slot in (*SHOWN, *rest)]
    return sorted(slots, key=lambda slot: slot.at or now)


def _filled(slot: Slot, now: datetime, texts: Texts, chance: Random) -> Slot:
    cases = texts.by_specialty[slot.specialty] if slot.specialty else texts.cases
    fitting = [case for case in cases if _urgencies(slot, case)]
    case = chance.choices(fitting, [each.weight for each in fitting])[0]
    urgency = chance.choice(_urgencies(slot, case))
    at = _moment(slot.ending, urgency, now, chance)
    return replace(slot, case=case, urgency=urgency, at=at, specialty=case.specialty)


def _urgencies(slot: Slot, case: CaseText) -> list[Urgency]:
    """How urgent a case of this kind may be here; nobody leaves an emergency lying about."""
    may_be_emergency = slot.ending in {Ending.WAITING, Ending.CLOSED}
    return [
        urgency
        for urgency in case.urgencies
        if slot.urgency in {None, urgency} and (may_be_emergency or urgency is not _U.EMERGENCY)
    ]


def _moment(ending: Ending, urgency: Urgency, now: datetime, chance: Random) -> datetime:
    if ending is Ending.WAITING:
        return now - timedelta(minutes=chance.uniform(*WAITING_AGES[urgency]))
    low, high = AGES[ending]
    age = low + (high - low) * chance.random() ** _THINNING
    at = now - timedelta(minutes=age)
    if high <= DAY or urgency is Urgency.EMERGENCY:
        return at
    return min(_in_the_day(at, chance), now - timedelta(minutes=low))


def _in_the_day(at: datetime, chance: Random) -> datetime:
    """What can wait is written while the station is open."""
    day = at.astimezone(LOCAL_ZONE).date()
    minute = chance.randint(FIRST_HOUR * 60 + 10, LAST_HOUR * 60 + 20)
    opened = datetime.combine(day, time(), LOCAL_ZONE) + timedelta(minutes=minute)
    return opened.astimezone(at.tzinfo)
