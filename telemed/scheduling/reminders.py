"""Both sides are told shortly before an appointment, once for each time that it was put to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlmodel import col, select

from telemed.consults.models import Consult
from telemed.consults.telling import tell_soon
from telemed.core.db import UnitOfWork
from telemed.core.jobs import cancel, enqueue
from telemed.scheduling.models import Booking, BookingState

REMIND_JOB: Final = "booking.remind"
AHEAD: Final = timedelta(minutes=15)


async def plan_reminder(work: UnitOfWork, booking: Booking) -> None:
    """Remind of it in time; whoever books for the next minutes needs no reminder."""
    at = booking.start_at - AHEAD
    if at <= work.now():
        await cancel(work, REMIND_JOB, booking.uid)
        return
    await enqueue(work, REMIND_JOB, booking.uid, at, {"uid": booking.uid})


async def cancel_reminder(work: UnitOfWork, booking: Booking) -> None:
    """It does not take place."""
    await cancel(work, REMIND_JOB, booking.uid)


async def remind(work: UnitOfWork, payload: dict[str, Any]) -> None:
    """Job `booking.remind`: tell both sides, unless it was cancelled or is over."""
    query = (
        select(Booking, Consult)
        .join(Consult, col(Consult.id) == col(Booking.consult_id))
        .where(col(Booking.uid) == str(payload["uid"]), Booking.state == BookingState.BOOKED)
    )
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        return
    booking, consult = found
    if booking.start_at > work.now():
        await tell_soon(work, consult, booking.start_at.isoformat(timespec="minutes"))
