"""Booked times as an iCalendar (RFC 5545): when, with whom and where, and nothing of the patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from icalendar import Calendar, Event, vText

PRODUCT: Final = "-//Telemed//Telemed//VI"
# How often a phone or a desktop program looks again; most ask less often than they are told to.
REFRESH: Final = timedelta(minutes=30)


@dataclass(frozen=True)
class Entry:
    """One booked time; `words` are what the calendar shows, in the language of its owner.

    `changes` counts how often it has changed: programs keep what has the highest number.
    """

    uid: str
    url: str
    start: datetime
    end: datetime
    changed_at: datetime
    changes: int
    is_cancelled: bool
    words: str
    place: str


def to_ics(name: str, entries: Iterable[Entry], host: str) -> bytes:
    """The calendar of one person, as it goes over the wire."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    # The library escapes only what it knows the type of.
    calendar.add("x-wr-calname", vText(name))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for entry in entries:
        calendar.add_component(_event(entry, host))
    return bytes(calendar.to_ical())


def _event(entry: Entry, host: str) -> Event:
    event = Event()
    event.add("uid", f"{entry.uid}@{host}")
    event.add("dtstamp", entry.changed_at)
    event.add("dtstart", entry.start)
    event.add("dtend", entry.end)
    event.add("summary", entry.words)
    event.add("location", entry.place)
    event.add("url", entry.url)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    event.add("sequence", entry.changes)
    event.add("class", "PRIVATE")
    return event
