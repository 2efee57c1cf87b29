"""Reminding a station that a request about data is due, the day before and the day after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlmodel import col, select

from telemed.accounts.models import Person, PersonRole, PersonState
from telemed.accounts.permissions import Role
from telemed.consults.rights.models import RightsRequest
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.jobs import cancel, enqueue
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify

REMIND_JOB: Final = "rights.remind"
_MORNING: Final = time(8)
_DAY: Final = timedelta(days=1)


async def plan(work: UnitOfWork, request: RightsRequest, due_on: date) -> None:
    """Remind of the day that counts now; an earlier plan of the same request is moved."""
    await _plan(work, request, due_on - _DAY, "before")


async def forget(work: UnitOfWork, request: RightsRequest) -> None:
    """Nothing is due any more."""
    await cancel(work, REMIND_JOB, request.uid)


async def remind(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """Job `rights.remind`: tell the station's doctors, and once more when the day has passed."""
    query = select(RightsRequest).where(col(RightsRequest.uid) == str(payload["uid"]))
    request = (await work.session.exec(query)).one_or_none()
    if request is None or request.due_on is None:
        return
    when = str(payload["when"])
    key = f"rights:{request.uid}:{request.state.value}:{when}"
    people = await _doctors(work, request.station_id)
    if people:
        about = f"rights:{request.uid}"
        await notify(work, News(NoticeKind.RIGHTS_DUE, people, key=key, about=about))
    if when == "before":
        await _plan(work, request, request.due_on + _DAY, "after")


async def _plan(work: UnitOfWork, request: RightsRequest, day: date, when: str) -> None:
    at = datetime.combine(day, _MORNING, LOCAL_ZONE)
    await enqueue(work, REMIND_JOB, request.uid, at, {"uid": request.uid, "when": when})


async def _doctors(work: UnitOfWork, station_id: int) -> set[int]:
    query = (
        select(Person.id)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(
            col(PersonRole.role) == Role.COMMUNE_DOCTOR,
            col(Person.state) == PersonState.ACTIVE,
            col(Person.facility_id) == station_id,
        )
    )
    return {key for key in (await work.session.exec(query)).all() if key is not None}
