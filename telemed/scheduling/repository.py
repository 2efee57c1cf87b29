"""Queries of bookings, each for the actor who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, still_open_to_specialist
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.facilities.models import Facility
from telemed.patients.models import Patient
from telemed.scheduling.models import Booking, BookingState


@dataclass(frozen=True)
class BookingRow:
    """A booking with the names that a list shows."""

    booking: Booking
    consult: Consult
    patient: Patient
    specialist: Person
    station: Facility


async def list_taken(
    work: UnitOfWork, consult: Consult, start: datetime, end: datetime
) -> Sequence[Booking]:
    """What takes time of the specialist, the patient or the station of a case, in a span."""
    query = select(Booking).where(
        _takes_time(work),
        or_(
            col(Booking.specialist_id) == consult.assigned_id,
            col(Booking.patient_id) == consult.patient_id,
            col(Booking.station_id) == consult.station_id,
        ),
        col(Booking.start_at) < end,
        col(Booking.end_at) > start,
    )
    return (await work.session.exec(query)).all()


def _takes_time(work: UnitOfWork) -> ColumnElement[bool]:
    return or_(col(Booking.state) == BookingState.BOOKED, col(Booking.held_until) > work.now())


async def list_bookings(
    work: UnitOfWork, actor: Actor, start: datetime, end: datetime
) -> list[BookingRow]:
    """Booked times of the actor as specialist, or of the actor's stations, in a span.

    A specialist reads of a case as long as they may open it.
    """
    specialist = aliased(Person)
    access = timedelta(days=work.settings.case_access_days_after_close)
    query = (
        select(Booking, Consult, Patient, specialist)
        .join(Consult, col(Consult.id) == col(Booking.consult_id))
        .join(Patient, col(Patient.id) == col(Booking.patient_id))
        .join(specialist, col(specialist.id) == col(Booking.specialist_id))
        .where(
            col(Booking.state) == BookingState.BOOKED,
            col(Booking.start_at) >= start,
            col(Booking.start_at) < end,
            or_(
                and_(
                    col(Booking.specialist_id) == actor.id,
                    col(Consult.assigned_id) == actor.id,
                    still_open_to_specialist(work.now() - access),
                ),
                col(Booking.station_id).in_(actor.station_ids),
            ),
        )
        .order_by(col(Booking.start_at))
    )
    rows = (await work.session.exec(query)).all()
    stations = await _stations(work, {booking.station_id for booking, *_ in rows})
    return [BookingRow(*row, stations[row[0].station_id]) for row in rows]


async def _stations(work: UnitOfWork, ids: set[int]) -> dict[int, Facility]:
    query = select(Facility).where(col(Facility.id).in_(ids))
    return {station.id or 0: station for station in (await work.session.exec(query)).all()}


async def find_current(work: UnitOfWork, consult: Consult) -> Booking | None:
    """The booked time that a consult waits for, None when it has none or met at it."""
    query = select(Booking).where(
        col(Booking.consult_id) == consult.id, col(Booking.state) == BookingState.BOOKED
    )
    if consult.state is not ConsultState.SCHEDULED:
        query = query.where(col(Booking.end_at) > work.now())
    return (await work.session.exec(query.order_by(col(Booking.start_at).desc()))).first()


async def find_hold(work: UnitOfWork, consult: Consult) -> Booking | None:
    """The time that is held for a case now."""
    query = select(Booking).where(
        col(Booking.consult_id) == consult.id, col(Booking.held_until) > work.now()
    )
    return (await work.session.exec(query)).first()


async def get_booking(work: UnitOfWork, uid: str) -> tuple[Booking, Consult]:
    """A booking and its consult. Raises Missing."""
    query = (
        select(Booking, Consult)
        .join(Consult, col(Consult.id) == col(Booking.consult_id))
        .where(col(Booking.uid) == uid)
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        raise Missing
    return row[0], row[1]
