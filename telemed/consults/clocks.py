"""How long a station may wait for an answer, by the doctor's own urgency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Final

from sqlmodel import select

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.models import ResponseLimit, Urgency
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid

Limits = Mapping[Urgency, timedelta]

DEFAULT_LIMITS: Final[Limits] = {
    Urgency.EMERGENCY: timedelta(minutes=5),
    Urgency.URGENT: timedelta(minutes=30),
    Urgency.ROUTINE: timedelta(hours=24),
}
LONGEST: Final = timedelta(days=7)
# The order of the worklist: an emergency stands first.
RANKS: Mapping[Urgency, int] = {
    urgency: rank for rank, urgency in enumerate(DEFAULT_LIMITS, start=1)
}


async def response_limits(work: UnitOfWork) -> Limits:
    """Within which time somebody should take a request; coordinators may have set others."""
    rows = (await work.session.exec(select(ResponseLimit))).all()
    return {**DEFAULT_LIMITS, **{row.urgency: timedelta(minutes=row.minutes) for row in rows}}


async def set_limits(work: UnitOfWork, actor: Actor, minutes: Mapping[Urgency, int]) -> None:
    """Other limits from now on; requests that wait already keep theirs.

    Raises Invalid naming the urgency: more urgent never waits longer, nobody longer than a week.
    """
    require(actor, Action.DUTY_WRITE)
    longest = int(LONGEST.total_seconds() // 60)
    faults = [
        FieldError(urgency.value, "limit_odd", N_("Ghi từ 1 phút đến 7 ngày"))
        for urgency, given in minutes.items()
        if not 1 <= given <= longest
    ]
    for urgent, calm in pairwise(DEFAULT_LIMITS):
        if not faults and minutes[urgent] > minutes[calm]:
            text = N_("Mức khẩn hơn không được chờ lâu hơn")
            faults.append(FieldError(calm.value, "limits_reversed", text))
    if faults:
        raise Invalid.of(faults)
    for urgency, given in minutes.items():
        row = await work.session.get(ResponseLimit, urgency)
        row = row or ResponseLimit(urgency=urgency, minutes=given, changed_at=work.now())
        row.minutes, row.changed_at = given, work.now()
        work.session.add(row)
    work.audit(AuditTag.LIMITS_CHANGE, actor, "response:limits", **_named(minutes))


def _named(minutes: Mapping[Urgency, int]) -> dict[str, int]:
    return {urgency.value: given for urgency, given in minutes.items()}


def in_minutes(limits: Limits) -> dict[str, int]:
    """The whole waits in minutes, by the name of the urgency, for pages."""
    return {urgency.value: int(limit.total_seconds() // 60) for urgency, limit in limits.items()}
