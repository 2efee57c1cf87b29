"""Weekly hours and bookings; the database itself refuses two bookings at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import delete
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, PersonFacts, require
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.patients.models import Patient
from telemed.scheduling.availability import Hours, Span, check_hours, free_slots
from telemed.scheduling.models import REASON_LENGTH, Booking, BookingState, WeeklyHours
from telemed.scheduling.repository import (
    BookingRow,
    find_current,
    get_booking,
    list_bookings,
    list_hours,
    list_taken,
)

DAYS_AHEAD = 14
BOOKABLE = frozenset({ConsultState.ACCEPTED, ConsultState.PAUSED})


@dataclass(frozen=True)
class CaseSchedule:
    """What the case page shows: the booked time, or the slots that are free."""

    booking: Booking | None
    slots: Sequence[Span]


def today_of(now: datetime) -> date:
    """The local day of a moment."""
    return now.astimezone(LOCAL_ZONE).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL_ZONE)


async def weekly_hours(work: UnitOfWork, specialist_id: int) -> list[Hours]:
    """When a specialist can be booked."""
    rows = await list_hours(work, specialist_id)
    return [Hours(r.weekday, r.start_minute, r.end_minute, r.slot_minutes) for r in rows]


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
    work.audit(AuditTag.HOURS_CHANGE, actor, f"person:{actor.uid}")


async def schedule_of(work: UnitOfWork, actor: Actor, consult: Consult) -> CaseSchedule:
    """The booked time of a case that the actor may read, or what is free in two weeks."""
    require(actor, Action.SCHEDULE_READ, consults.facts_of(consult, work))
    booking = await find_current(work, consult)
    if booking is not None or consult.state not in BOOKABLE:
        return CaseSchedule(booking, ())
    return CaseSchedule(None, await _free(work, consult))


async def _free(work: UnitOfWork, consult: Consult) -> list[Span]:
    specialist_id = consult.assigned_id or 0
    first = today_of(work.now())
    start, end = _midnight(first), _midnight(first + timedelta(days=DAYS_AHEAD))
    taken = await list_taken(work, specialist_id, consult.patient_id, start, end)
    spans = [Span(booking.start_at, booking.end_at) for booking in taken]
    hours = await weekly_hours(work, specialist_id)
    return free_slots(hours, spans, first=first, days=DAYS_AHEAD, now=work.now())


def by_day(slots: Sequence[Span]) -> dict[date, list[datetime]]:
    """Starts of slots by local day, for a page that offers them."""
    days: dict[date, list[datetime]] = {}
    for slot in slots:
        days.setdefault(today_of(slot.start), []).append(slot.start)
    return days


async def book(work: UnitOfWork, actor: Actor, consult_uid: str, start: datetime) -> Booking:
    """Book a free slot of the consult's specialist; exactly one of many attempts wins.

    Raises Missing, Invalid (no such slot), Conflict (taken meanwhile, or the case moved on).
    """
    consult = await consults.get_case(work, actor, consult_uid, Action.BOOKING_WRITE, lock=True)
    if consult.state not in BOOKABLE or await find_current(work, consult):
        raise Conflict("not_bookable", N_("Ca này hiện không đặt lịch được. Tải lại để xem."))
    await _take_turns(work, consult)
    slot = await _slot_at(work, consult, start)
    booking = Booking(
        consult_id=consult.id or 0,
        specialist_id=consult.assigned_id or 0,
        patient_id=consult.patient_id,
        station_id=consult.station_id,
        start_at=slot.start,
        end_at=slot.end,
        booked_by_id=actor.id,
        created_at=work.now(),
    )
    work.session.add(booking)
    await work.session.flush()
    work.audit(
        AuditTag.BOOKING_MAKE,
        actor,
        f"consult:{consult.uid}",
        patient_id=consult.patient_id,
        booking=booking.uid,
    )
    await consults.schedule(work, actor, consult, start_at=slot.start.isoformat())
    return booking


async def _take_turns(work: UnitOfWork, consult: Consult) -> None:
    """Whoever books the same specialist or patient waits here, not for each other in the index."""
    specialist = select(Person.id).where(col(Person.id) == consult.assigned_id)
    patient = select(Patient.id).where(col(Patient.id) == consult.patient_id)
    for row in (specialist, patient):
        await work.session.exec(row.with_for_update(key_share=True))


async def _slot_at(work: UnitOfWork, consult: Consult, start: datetime) -> Span:
    now = work.now()
    hours = await weekly_hours(work, consult.assigned_id or 0)
    ahead = free_slots(hours, (), first=today_of(now), days=DAYS_AHEAD, now=now)
    slot = next((slot for slot in ahead if slot.start == start), None)
    if slot is None:
        text = N_("Chọn một giờ còn trống trong lịch của bác sĩ")
        raise Invalid("no_such_slot", text, field="start")
    touching = await list_taken(
        work, consult.assigned_id or 0, consult.patient_id, slot.start, slot.end
    )
    if touching:
        raise Conflict("slot_taken", N_("Giờ này vừa có người đặt. Chọn giờ khác."))
    return slot


async def cancel(work: UnitOfWork, actor: Actor, booking_uid: str, reason: str) -> Consult:
    """Free a booked time; either side may. Raises Missing, Conflict."""
    booking, consult = await get_booking(work, booking_uid)
    consult = await consults.get_case(work, actor, consult.uid, Action.BOOKING_WRITE, lock=True)
    await work.session.refresh(booking)
    if booking.state is not BookingState.BOOKED:
        raise Conflict("booking_cancelled", N_("Lịch này đã hủy"))
    booking.state = BookingState.CANCELLED
    booking.cancelled_by_id = actor.id
    booking.reason = reason
    work.session.add(booking)
    work.audit(
        AuditTag.BOOKING_CANCEL,
        actor,
        f"consult:{consult.uid}",
        patient_id=consult.patient_id,
        booking=booking.uid,
    )
    if consult.state is ConsultState.SCHEDULED:
        await consults.unschedule(work, actor, consult, reason=reason)
    return consult


async def release_bookings(work: UnitOfWork, consult: Consult, reason: str) -> None:
    """Free the time of a case that needs it no more, or left its specialist.

    The case keeps the reason whole; the booking as much of it as it holds.
    """
    booking = await find_current(work, consult)
    if booking is not None:
        booking.state = BookingState.CANCELLED
        booking.reason = reason[:REASON_LENGTH]
        work.session.add(booking)


async def list_days(
    work: UnitOfWork, actor: Actor, first: date, days: int
) -> dict[date, list[BookingRow]]:
    """Booked times of the actor by local day; every day of the span is there."""
    rows = await list_bookings(work, actor, _midnight(first), _midnight(first + timedelta(days)))
    by_day: dict[date, list[BookingRow]] = {first + timedelta(n): [] for n in range(days)}
    for row in rows:
        by_day[today_of(row.booking.start_at)].append(row)
    if rows:
        cases = [row.consult.uid for row in rows]
        work.audit(AuditTag.CONSULT_LIST, actor, "schedule", cases=cases)
    return by_day


async def list_today(work: UnitOfWork, actor: Actor) -> list[BookingRow]:
    """Today's appointments for the actor's home page."""
    today = today_of(work.now())
    return (await list_days(work, actor, today, 1))[today]
