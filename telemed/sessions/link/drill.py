"""The readiness drill: the server asks, an open page of the station makes a synthetic call.

A station where no page is open answers nothing, and that is a finding too: its last proof gets old.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import exists
from sqlmodel import col, or_, select

from telemed.accounts.models import Person, PersonState, Posting
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.events import stream_of
from telemed.core.jobs import Job, enqueue
from telemed.facilities.models import Facility, FacilityKind
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.link.service import next_drill_at
from telemed.sessions.models import LiveSession

ASK_JOB = "drill.ask"
PLAN_JOB = "drill.plan"
PLAN_EVERY = timedelta(hours=1)
ASK_AGAIN = timedelta(minutes=10)
# One station after another: the server has few ends for synthetic calls.
APART = timedelta(seconds=20)
HINT = "drill-asked"
_ONLY = "hourly"


async def plan_drills(work: UnitOfWork) -> None:
    """Begin to ask stations; a plan that exists stays."""
    query = select(Job.id).where(col(Job.kind) == PLAN_JOB, col(Job.key) == _ONLY)
    if (await work.session.exec(query)).first() is None:
        await enqueue(work, PLAN_JOB, _ONLY, work.now())


async def plan(work: UnitOfWork, _payload: dict[str, Any]) -> None:
    """Job `drill.plan`: every station that is not being asked by itself yet will be."""
    is_planned = exists().where(col(Job.kind) == ASK_JOB, col(Job.key) == col(Facility.uid))
    query = (
        select(Facility.uid)
        .where(col(Facility.kind) == FacilityKind.STATION, col(Facility.is_active), ~is_planned)
        .order_by(col(Facility.code))
    )
    for number, uid in enumerate((await work.session.exec(query)).all()):
        await enqueue(work, ASK_JOB, uid, work.now() + number * APART, {"station": uid})
    await enqueue(work, PLAN_JOB, _ONLY, work.now() + PLAN_EVERY)


async def ask(work: UnitOfWork, payload: dict[str, Any]) -> None:
    """Job `drill.ask`: ask one station when it is due, and plan the next time."""
    station = await _find_station(work, payload["station"])
    if station is None:
        return
    due_at = await next_drill_at(work, station.id or 0)
    if due_at <= work.now():
        # A call proves more than a drill, and shall not share its line with one.
        if not await _is_called(work, station):
            await _hint(work, station)
        due_at = work.now() + ASK_AGAIN
    await enqueue(work, ASK_JOB, station.uid, due_at, payload)


async def ask_now(work: UnitOfWork, actor: Actor, uid: str) -> None:
    """Ask a station that somebody wants to know of. Raises Denied, Missing."""
    require(actor, Action.QUALITY_READ)
    station = await _find_station(work, uid)
    if station is None:
        raise Missing
    await _hint(work, station)


async def _find_station(work: UnitOfWork, uid: str) -> Facility | None:
    query = select(Facility).where(
        col(Facility.uid) == uid,
        col(Facility.kind) == FacilityKind.STATION,
        col(Facility.is_active),
    )
    return (await work.session.exec(query)).one_or_none()


async def _is_called(work: UnitOfWork, station: Facility) -> bool:
    query = select(LiveSession.id).where(
        col(LiveSession.station_id) == station.id, col(LiveSession.state) == SessionState.LIVE
    )
    return (await work.session.exec(query.limit(1))).first() is not None


async def _hint(work: UnitOfWork, station: Facility) -> None:
    today = work.now().astimezone(LOCAL_ZONE).date()
    is_posted = exists().where(
        col(Posting.person_id) == col(Person.id),
        col(Posting.facility_id) == station.id,
        col(Posting.starts_on) <= today,
        col(Posting.ends_on) >= today,
    )
    query = select(Person.uid).where(
        col(Person.state) == PersonState.ACTIVE,
        or_(col(Person.facility_id) == station.id, is_posted),
    )
    for uid in (await work.session.exec(query)).all():
        work.announce(stream_of("person", uid), HINT)
