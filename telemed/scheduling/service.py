"""Appointments: made, held, moved, given up; the database itself refuses two at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy import delete
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, require
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.scheduling.availability import Rooms, Span, free_slots
from telemed.scheduling.models import REASON_LENGTH, Booking, BookingState
from telemed.scheduling.reminders import cancel_reminder, plan_reminder
from telemed.scheduling.repository import (
    BookingRow,
    find_current,
    find_hold,
    get_booking,
    list_bookings,
    list_taken,
)
from telemed.scheduling.working_hours import read_availability

DAYS_AHEAD: Final = 14
# Long enough to ask the patient or a colleague whether the time suits.
HOLD: Final = timedelta(minutes=10)
BOOKABLE = frozenset({ConsultState.ACCEPTED, ConsultState.PAUSED})


@dataclass(frozen=True)
class CaseSchedule:
    """What the case page shows: the booked or held time, and the slots that are free."""

    booking: Booking | None
    hold: Booking | None
    slots: Sequence[Span]


@dataclass(frozen=True)
class _Place:
    """A free slot, and the room of the station for it."""

    slot: Span
    room: int


def today_of(now: datetime) -> date:
    """The local day of a moment."""
    return now.astimezone(LOCAL_ZONE).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL_ZONE)


async def schedule_of(work: UnitOfWork, actor: Actor, consult: Consult) -> CaseSchedule:
    """The time of a case that the actor may read, and what is free in two weeks."""
    require(actor, Action.SCHEDULE_READ, consults.facts_of(consult, work))
    booking, held = await find_current(work, consult), await find_hold(work, consult)
    may_book = booking is None and consult.state in BOOKABLE
    may_move = consult.state is ConsultState.SCHEDULED
    slots = await _free(work, consult) if may_book or may_move else ()
    return CaseSchedule(booking, held, slots)


async def _free(work: UnitOfWork, consult: Consult) -> list[Span]:
    now = work.now()
    first, last = today_of(now), today_of(now) + timedelta(days=DAYS_AHEAD)
    taken = await list_taken(work, consult, _midnight(first), _midnight(last))
    return free_slots(
        await read_availability(work, consult.assigned_id or 0, first, last),
        [_span(each) for each in taken if _is_of_people(each, consult)],
        await _rooms(work, consult, taken),
        first=first,
        days=DAYS_AHEAD,
        now=now,
    )


def _span(booking: Booking) -> Span:
    return Span(booking.start_at, booking.end_at)


def _is_of_people(booking: Booking, consult: Consult) -> bool:
    of_specialist = booking.specialist_id == consult.assigned_id
    return of_specialist or booking.patient_id == consult.patient_id


async def _rooms(work: UnitOfWork, consult: Consult, taken: Sequence[Booking]) -> Rooms:
    station = await work.session.get_one(Facility, consult.station_id)
    mine = [each for each in taken if each.station_id == station.id]
    return Rooms(station.rooms, [(each.room, _span(each)) for each in mine])


def by_day(slots: Sequence[Span]) -> dict[date, list[datetime]]:
    """Starts of slots by local day, for a page that offers them."""
    days: dict[date, list[datetime]] = {}
    for slot in slots:
        days.setdefault(today_of(slot.start), []).append(slot.start)
    return days


async def book(work: UnitOfWork, actor: Actor, consult_uid: str, start: datetime) -> Booking:
    """Book a free slot of the consult's specialist; exactly one of many attempts wins.

    What the case held before is free again.
    Raises Missing, Invalid (no such slot), Conflict (taken meanwhile, or the case moved on).
    """
    consult = await _bookable(work, actor, consult_uid)
    booking = await _take(work, actor, consult, start)
    return await _make(work, actor, consult, booking)


async def hold(work: UnitOfWork, actor: Actor, consult_uid: str, start: datetime) -> Booking:
    """Keep a free slot for a few minutes; a case holds one at a time. Raises as `book` does."""
    consult = await _bookable(work, actor, consult_uid)
    booking = await _take(work, actor, consult, start)
    booking.state, booking.held_until = BookingState.HELD, work.now() + HOLD
    work.session.add(booking)
    await work.session.flush()
    return booking


async def confirm(work: UnitOfWork, actor: Actor, booking_uid: str) -> Consult:
    """Book what is held. Raises Missing, Conflict when it is held no more."""
    held, consult = await _held(work, actor, booking_uid)
    await _make(work, actor, consult, held)
    return consult


async def let_go(work: UnitOfWork, actor: Actor, booking_uid: str) -> Consult:
    """Give a held time back. Raises Missing, Conflict when it is held no more."""
    held, consult = await _held(work, actor, booking_uid)
    await work.session.delete(held)
    return consult


async def move(work: UnitOfWork, actor: Actor, booking_uid: str, start: datetime) -> Consult:
    """Another time for an appointment; either side may. Raises as `book` does."""
    booking, consult = await get_booking(work, booking_uid)
    consult = await consults.get_case(work, actor, consult.uid, Action.BOOKING_WRITE, lock=True)
    await work.session.refresh(booking)
    if booking.state is not BookingState.BOOKED:
        raise Conflict("booking_cancelled", N_("Lịch này đã hủy"))
    if consult.state is not ConsultState.SCHEDULED:
        raise _not_bookable()
    place = await _find_place(work, consult, start, own=booking)
    was = booking.start_at
    booking.start_at, booking.end_at = place.slot.start, place.slot.end
    booking.room, booking.moves, booking.changed_at = place.room, booking.moves + 1, work.now()
    work.session.add(booking)
    await work.session.flush()
    _note(work, actor, AuditTag.BOOKING_MOVE, consult, booking)
    await plan_reminder(work, booking)
    await consults.note_moved(
        work, actor, consult, start_at=booking.start_at.isoformat(), was=was.isoformat()
    )
    return consult


async def cancel(work: UnitOfWork, actor: Actor, booking_uid: str, reason: str) -> Consult:
    """Free a booked time; either side may. Raises Missing, Conflict."""
    booking, consult = await get_booking(work, booking_uid)
    consult = await consults.get_case(work, actor, consult.uid, Action.BOOKING_WRITE, lock=True)
    await work.session.refresh(booking)
    if booking.state is not BookingState.BOOKED:
        raise Conflict("booking_cancelled", N_("Lịch này đã hủy"))
    await _end(work, booking, reason)
    booking.cancelled_by_id = actor.id
    _note(work, actor, AuditTag.BOOKING_CANCEL, consult, booking)
    if consult.state is ConsultState.SCHEDULED:
        await consults.unschedule(work, actor, consult, reason=reason)
    return consult


async def release_bookings(work: UnitOfWork, consult: Consult, reason: str) -> None:
    """Free the time of a case that needs it no more, or left its specialist.

    The case keeps the reason whole; the booking as much of it as it holds.
    """
    await _drop_holds(work, consult)
    booking = await find_current(work, consult)
    if booking is not None:
        await _end(work, booking, reason)


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


async def _end(work: UnitOfWork, booking: Booking, reason: str) -> None:
    booking.state, booking.changed_at = BookingState.CANCELLED, work.now()
    booking.reason = reason[:REASON_LENGTH]
    work.session.add(booking)
    await cancel_reminder(work, booking)


def _not_bookable() -> Conflict:
    return Conflict("not_bookable", N_("Ca này hiện không đặt lịch được. Tải lại để xem."))


async def _bookable(work: UnitOfWork, actor: Actor, consult_uid: str) -> Consult:
    consult = await consults.get_case(work, actor, consult_uid, Action.BOOKING_WRITE, lock=True)
    if consult.state not in BOOKABLE or await find_current(work, consult):
        raise _not_bookable()
    return consult


async def _held(work: UnitOfWork, actor: Actor, booking_uid: str) -> tuple[Booking, Consult]:
    held, consult = await get_booking(work, booking_uid)
    consult = await _bookable(work, actor, consult.uid)
    current = await find_hold(work, consult)
    if current is None or current.id != held.id:
        raise Conflict("hold_over", N_("Giờ này không còn được giữ. Chọn lại."))
    return current, consult


async def _make(work: UnitOfWork, actor: Actor, consult: Consult, booking: Booking) -> Booking:
    booking.state, booking.held_until = BookingState.BOOKED, None
    booking.booked_by_id, booking.created_at = actor.id, work.now()
    work.session.add(booking)
    await work.session.flush()
    _note(work, actor, AuditTag.BOOKING_MAKE, consult, booking)
    await plan_reminder(work, booking)
    await consults.schedule(work, actor, consult, start_at=booking.start_at.isoformat())
    return booking


def _note(
    work: UnitOfWork, actor: Actor, tag: AuditTag, consult: Consult, booking: Booking
) -> None:
    subject, patient_id = f"consult:{consult.uid}", consult.patient_id
    work.audit(tag, actor, subject, patient_id=patient_id, booking=booking.uid)


async def _take(work: UnitOfWork, actor: Actor, consult: Consult, start: datetime) -> Booking:
    """A slot for a case, not stored yet; what the case held is given up for it."""
    await _drop_holds(work, consult)
    place = await _find_place(work, consult, start)
    return Booking(
        consult_id=consult.id or 0,
        specialist_id=consult.assigned_id or 0,
        patient_id=consult.patient_id,
        station_id=consult.station_id,
        room=place.room,
        start_at=place.slot.start,
        end_at=place.slot.end,
        booked_by_id=actor.id,
        created_at=work.now(),
    )


async def _drop_holds(work: UnitOfWork, consult: Consult) -> None:
    held = col(Booking.state) == BookingState.HELD
    await work.session.exec(delete(Booking).where(held, col(Booking.consult_id) == consult.id))


async def _take_turns(work: UnitOfWork, consult: Consult) -> None:
    """Whoever books the same specialist, patient or station waits here, not in the index."""
    specialist = select(Person.id).where(col(Person.id) == consult.assigned_id)
    patient = select(Patient.id).where(col(Patient.id) == consult.patient_id)
    station = select(Facility.id).where(col(Facility.id) == consult.station_id)
    for row in (specialist, patient, station):
        await work.session.exec(row.with_for_update(key_share=True))
    # To the rule of the table a hold that is over takes its time still.
    now = work.now()
    await work.session.exec(delete(Booking).where(col(Booking.held_until) <= now))


async def _find_place(
    work: UnitOfWork, consult: Consult, start: datetime, *, own: Booking | None = None
) -> _Place:
    """The slot that begins at a moment, with a room for it; `own` is in nobody's way."""
    await _take_turns(work, consult)
    now = work.now()
    first, last = today_of(now), today_of(now) + timedelta(days=DAYS_AHEAD)
    hours = await read_availability(work, consult.assigned_id or 0, first, last)
    ahead = free_slots(hours, (), Rooms(1), first=first, days=DAYS_AHEAD, now=now)
    slot = next((slot for slot in ahead if slot.start == start), None)
    if slot is None:
        text = N_("Chọn một giờ còn trống trong lịch của bác sĩ")
        raise Invalid("no_such_slot", text, field="start")
    touching = await list_taken(work, consult, slot.start, slot.end)
    others = [each for each in touching if own is None or each.id != own.id]
    room = (await _rooms(work, consult, others)).free(slot)
    if any(_is_of_people(each, consult) for each in others):
        raise Conflict("slot_taken", N_("Giờ này vừa có người đặt. Chọn giờ khác."))
    if room is None:
        raise Conflict("room_taken", N_("Phòng của trạm đã có ca khác giờ này. Chọn giờ khác."))
    return _Place(slot, room)
