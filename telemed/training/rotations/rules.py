"""Days of rotations: counted, compared, and missing. No database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True, order=True)
class Span:
    """From a day to a day, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def within(self, other: Span) -> Span | None:
        """The days that both have."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Span(first, last) if first <= last else None


def union(spans: Iterable[Span]) -> list[Span]:
    """The same days in as few spans as possible, in order."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.first <= joined[-1].last + DAY:
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return joined


def gaps(spans: Iterable[Span], within: Span) -> list[Span]:
    """The days of a span that none of the others has."""
    free, first = [], within.first
    for span in union(spans):
        if span.first > first:
            free += [part for part in [Span(first, span.first - DAY).within(within)] if part]
        first = max(first, span.last + DAY)
    return [*free, *([Span(first, within.last)] if first <= within.last else [])]


def overlaps(spans: Sequence[Span]) -> list[Span]:
    """The days that at least two of the spans have."""
    ordered = sorted(spans)
    shared: list[Span] = []
    reached: Span | None = None
    for span in ordered:
        if reached is not None:
            both = span.within(Span(reached.first, reached.last))
            shared += [both] if both else []
        if reached is None or span.last > reached.last:
            reached = span
    return union(shared)


def served_days(planned: Span, leaves: Iterable[Span], today: date) -> int:
    """Days at the station until today, without those on leave."""
    until = planned.within(Span(planned.first, max(today, planned.first)))
    if today < planned.first or until is None:
        return 0
    away = union(part for leave in leaves if (part := leave.within(until)))
    return until.days - sum(span.days for span in away)


def monday_of(day: date) -> date:
    """The Monday of the week of a day."""
    return day - timedelta(days=day.weekday())


def mondays(span: Span) -> Iterator[date]:
    """The Mondays of all weeks that have a day of a span."""
    monday = monday_of(span.first)
    while monday <= span.last:
        yield monday
        monday += WEEK


def is_excused(monday: date, span: Span, leaves: Iterable[Span]) -> bool:
    """Whether every day of a week within the span was leave: nothing is to be reported."""
    week = Span(monday, monday + WEEK - DAY).within(span)
    return week is not None and not gaps(leaves, week)
