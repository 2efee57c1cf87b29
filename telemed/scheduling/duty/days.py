"""Which day a moment belongs to where shifts are concerned. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from telemed.core.clock import LOCAL_ZONE

# A shift lasts round the clock and is handed over in the morning, local time.
HANDED_OVER_AT: Final = time(7)
WEEK: Final = 7


def duty_day(moment: datetime) -> date:
    """The day whose shift is on at a moment: until the hand-over it is still that of yesterday."""
    here = moment.astimezone(LOCAL_ZONE)
    return here.date() if here.time() >= HANDED_OVER_AT else here.date() - timedelta(days=1)


def handed_over_at(day: date) -> datetime:
    """When the shift of a day begins."""
    return datetime.combine(day, HANDED_OVER_AT, LOCAL_ZONE)


def week_of(day: date) -> Sequence[date]:
    """Monday to Sunday around a day."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=number) for number in range(WEEK)]
