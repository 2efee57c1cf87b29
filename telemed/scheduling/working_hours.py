"""When specialists can be booked: hours of the week, of single days, and leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import delete
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, PersonFacts, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid, Missing
from telemed.scheduling.availability import Availability, Hours, check_hours
from telemed.scheduling.models import DayHours, Leave, WeeklyHours

LONGEST_LEAVE: Final = timedelta(days=366)
# Further ahead nobody plans, and a mistyped year is found.
FURTHEST: Final = timedelta(days=400)
MOST_SPANS_A_DAY: Final = 6


@dataclass(frozen=True)
class Exceptions:
    """What lies ahead of somebody beside the week: single days, and leave."""

    days: Sequence[DayHours]
    leave: Sequence[Leave]


async def read_availability(
    work: UnitOfWork, person_id: int, first: date, last: date
) -> Availability:
    """What holds for somebody on some days."""
    days = defaultdict[date, list[Hours]](list)
    for row in await _days(work, person_id, first, last):
        days[row.day].append(_hours_of(row))
    leave = await _leave(work, [person_id], first, last)
    return Availability(
        await weekly_hours(work, person_id),
        dict(days),
        [(row.first_day, row.last_day) for row in leave],
    )


async def weekly_hours(work: UnitOfWork, person_id: int) -> list[Hours]:
    """The hours of a week, in its order."""
    query = select(WeeklyHours).where(col(WeeklyHours.person_id) == person_id)
    order = query.order_by(col(WeeklyHours.weekday), col(WeeklyHours.start_minute))
    rows = (await work.session.exec(order)).all()
    return [Hours(r.weekday, r.start_minute, r.end_minute, r.slot_minutes) for r in rows]


async def list_exceptions(work: UnitOfWork, actor: Actor) -> Exceptions:
    """The actor's own, from today on."""
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    today = _today(work)
    last = today + FURTHEST + LONGEST_LEAVE
    return Exceptions(
        await _days(work, actor.id, today, last), await _leave(work, [actor.id], today, last)
    )


async def who_is_away(
    work: UnitOfWork, people: Collection[int], days: Sequence[date]
) -> set[tuple[int, date]]:
    """(person, day) of those who are on leave."""
    rows = await _leave(work, people, min(days), max(days))
    return {
        (row.person_id, day) for row in rows for day in days if row.first_day <= day <= row.last_day
    }


async def set_hours(work: UnitOfWork, actor: Actor, hours: Sequence[Hours]) -> None:
    """Replace the actor's weekly hours; bookings already made stay. Raises Invalid."""
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    check_hours(hours)
    await work.session.exec(delete(WeeklyHours).where(col(WeeklyHours.person_id) == actor.id))
    for span in sorted(hours):
        work.session.add(
            WeeklyHours(
                person_id=actor.id,
                weekday=span.weekday,
                start_minute=span.start_minute,
                end_minute=span.end_minute,
                slot_minutes=span.slot_minutes,
            )
        )
    _note(work, actor)


async def add_day(work: UnitOfWork, actor: Actor, day: date, hours: Hours) -> DayHours:
    """A span of one day; with the first one the weekly hours do not count on that day any more.

    Raises Invalid naming `day`, `day_start`, `day_end` or `day_slot`.
    """
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    _refuse_far(work, day, "day")
    known = [_hours_of(row) for row in await _days(work, actor.id, day, day)]
    if len(known) >= MOST_SPANS_A_DAY:
        text = N_("Một ngày ghi nhiều nhất {limit} khung giờ")
        raise Invalid("too_many_spans", text, field="day", limit=MOST_SPANS_A_DAY)
    check_hours([hours, *known], field_of=lambda name, _row: f"day_{name}")
    row = DayHours(
        person_id=actor.id,
        day=day,
        start_minute=hours.start_minute,
        end_minute=hours.end_minute,
        slot_minutes=hours.slot_minutes,
    )
    work.session.add(row)
    _note(work, actor)
    return row


async def remove_day(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Without its last span a day has the hours of its weekday again. Raises Missing."""
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    await _remove(work, actor, DayHours, uid)


async def add_leave(work: UnitOfWork, actor: Actor, first: date, last: date) -> Leave:
    """Days on which the actor is not there; appointments stay until somebody moves them.

    Raises Invalid naming `first_day` or `last_day`.
    """
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    _refuse_far(work, first, "first_day")
    if not first <= last <= first + LONGEST_LEAVE:
        text = N_("Ngày cuối phải từ ngày đầu trở đi, nhiều nhất một năm")
        raise Invalid("leave_reversed", text, field="last_day")
    if await _leave(work, [actor.id], first, last):
        text = N_("Đã ghi nghỉ trong những ngày này. Bỏ dòng cũ trước.")
        raise Invalid("leave_overlaps", text, field="first_day")
    row = Leave(person_id=actor.id, first_day=first, last_day=last, created_at=work.now())
    work.session.add(row)
    _note(work, actor)
    return row


async def remove_leave(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """The actor is there after all. Raises Missing."""
    require(actor, Action.HOURS_WRITE, PersonFacts(actor.id))
    await _remove(work, actor, Leave, uid)


async def _remove(work: UnitOfWork, actor: Actor, model: type[DayHours | Leave], uid: str) -> None:
    mine = (col(model.uid) == uid, col(model.person_id) == actor.id)
    removed = await work.session.exec(delete(model).where(*mine).returning(col(model.id)))
    if removed.first() is None:
        raise Missing
    _note(work, actor)


def _note(work: UnitOfWork, actor: Actor) -> None:
    work.audit(AuditTag.HOURS_CHANGE, actor, f"person:{actor.uid}")


def _refuse_far(work: UnitOfWork, day: date, field: str) -> None:
    today = _today(work)
    if day < today:
        raise Invalid("day_past", N_("Ngày này đã qua"), field=field)
    if day > today + FURTHEST:
        raise Invalid("day_far", N_("Ngày này còn xa quá"), field=field)


def _today(work: UnitOfWork) -> date:
    return work.now().astimezone(LOCAL_ZONE).date()


def _hours_of(row: DayHours) -> Hours:
    return Hours(row.day.weekday(), row.start_minute, row.end_minute, row.slot_minutes)


async def _days(work: UnitOfWork, person_id: int, first: date, last: date) -> list[DayHours]:
    query = select(DayHours).where(
        col(DayHours.person_id) == person_id,
        col(DayHours.day) >= first,
        col(DayHours.day) <= last,
    )
    order = query.order_by(col(DayHours.day), col(DayHours.start_minute))
    return list((await work.session.exec(order)).all())


async def _leave(work: UnitOfWork, people: Collection[int], first: date, last: date) -> list[Leave]:
    query = select(Leave).where(
        col(Leave.person_id).in_(people),
        col(Leave.first_day) <= last,
        col(Leave.last_day) >= first,
    )
    return list((await work.session.exec(query.order_by(col(Leave.first_day)))).all())
