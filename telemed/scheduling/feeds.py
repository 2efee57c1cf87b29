"""The secret address of a person's calendar: made, replaced, taken back, read by programs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from telemed.accounts.logins import hash_token, make_actor
from telemed.accounts.models import Person, PersonState
from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.facilities.models import Facility
from telemed.scheduling.models import Booking, BookingState, CalendarFeed

TOKEN_BYTES = 24
DAYS_BACK = 30
DAYS_AHEAD = 90
MOST_BOOKINGS = 1000
# Programs ask all day long: when they did last is kept by the hour.
SEEN_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class FeedRow:
    """A booked time with both its ends; who the patient is stays out of it."""

    booking: Booking
    consult_uid: str
    specialist: str
    station: str


@dataclass(frozen=True)
class Feed:
    """What a program reads under a secret address."""

    owner: Actor
    rows: list[FeedRow]


async def find_feed(work: UnitOfWork, actor: Actor) -> CalendarFeed | None:
    """The actor's own address, of which only the hash is known."""
    query = select(CalendarFeed).where(col(CalendarFeed.person_id) == actor.id)
    return (await work.session.exec(query)).one_or_none()


async def renew_feed(work: UnitOfWork, actor: Actor) -> str:
    """A new address, to be shown once; the one before is dead."""
    require(actor, Action.SCHEDULE_READ)
    await _drop(work, actor)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    work.session.add(
        CalendarFeed(person_id=actor.id, token_hash=hash_token(token), created_at=work.now())
    )
    await work.session.flush()
    work.audit(AuditTag.CALENDAR_ISSUE, actor, f"person:{actor.uid}")
    return token


async def revoke_feed(work: UnitOfWork, actor: Actor) -> None:
    """Whoever has the address reads nothing any more; revoking twice is no mistake."""
    if await _drop(work, actor):
        work.audit(AuditTag.CALENDAR_REVOKE, actor, f"person:{actor.uid}")


async def _drop(work: UnitOfWork, actor: Actor) -> bool:
    found = await find_feed(work, actor)
    await work.session.exec(delete(CalendarFeed).where(col(CalendarFeed.person_id) == actor.id))
    return found is not None


async def read_feed(work: UnitOfWork, token: str) -> Feed:
    """Booked and cancelled times around today, by today's rights. Raises Missing."""
    query = (
        select(CalendarFeed, Person, Facility.name)
        .join(Person, col(Person.id) == col(CalendarFeed.person_id))
        .outerjoin(Facility, col(Facility.id) == col(Person.facility_id))
        .where(
            col(CalendarFeed.token_hash) == hash_token(token),
            col(Person.state) == PersonState.ACTIVE,
        )
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise Missing
    feed, person, place = found
    owner = await make_actor(work, person, place=place or "")
    require(owner, Action.SCHEDULE_READ)
    rows, now = await _rows(work, owner), work.now()
    if feed.seen_at is None or now - feed.seen_at >= SEEN_EVERY:
        feed.seen_at = now
        work.session.add(feed)
    return Feed(owner, rows)


async def _rows(work: UnitOfWork, owner: Actor) -> list[FeedRow]:
    now, specialist = work.now(), aliased(Person)
    query = (
        select(Booking, Consult.uid, specialist.full_name, Facility.name)
        .join(Consult, col(Consult.id) == col(Booking.consult_id))
        .join(specialist, col(specialist.id) == col(Booking.specialist_id))
        .join(Facility, col(Facility.id) == col(Booking.station_id))
        .where(
            col(Booking.state) != BookingState.HELD,
            col(Booking.start_at) >= now - timedelta(days=DAYS_BACK),
            col(Booking.start_at) < now + timedelta(days=DAYS_AHEAD),
            or_(
                col(Booking.specialist_id) == owner.id,
                col(Booking.station_id).in_(owner.station_ids),
            ),
        )
        .order_by(col(Booking.start_at), col(Booking.id))
        .limit(MOST_BOOKINGS)
    )
    return [FeedRow(*row) for row in (await work.session.exec(query)).all()]
