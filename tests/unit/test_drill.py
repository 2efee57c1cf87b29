"""Who is asked to drill, when, and when not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import FakeClock
from telemed.core.columns import new_uid
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Missing
from telemed.core.jobs import Job, JobRunner
from telemed.facilities.models import Facility
from telemed.sessions import opening
from telemed.sessions import service as sessions
from telemed.sessions.jobs import JOBS
from telemed.sessions.link import drill, service
from telemed.sessions.link.models import LinkSource
from telemed.sessions.link.service import DRILL_EVERY, Measured
from tests.factories import Factory
from tests.fakes import FakeAnnouncer

WELL = Measured(loss_permille=0)


@pytest.fixture
async def station(make: Factory) -> Facility:
    return await make.facility()


@pytest.fixture
async def doctor(make: Factory, station: Facility) -> Actor:
    return await make.actor(Role.COMMUNE_DOCTOR, at=station)


def asked(announcer: FakeAnnouncer, actor: Actor) -> int:
    """How often the pages of somebody were asked."""
    return announcer.events(f"person:{actor.uid}").count(drill.HINT)


async def due_of(work: UnitOfWork, station: Facility) -> Job:
    """When a station is asked next."""
    query = select(Job).where(col(Job.kind) == drill.ASK_JOB, col(Job.key) == station.uid)
    return (await work.session.exec(query.execution_options(populate_existing=True))).one()


async def test_every_station_is_asked_one_after_another_and_again_while_it_is_silent(
    work: UnitOfWork,
    database: Database,
    make: Factory,
    clock: FakeClock,
    announcer: FakeAnnouncer,
    station: Facility,
    doctor: Actor,
) -> None:
    other = await make.actor(Role.COMMUNE_DOCTOR)
    await drill.plan_drills(work)
    await work.commit()
    runner = JobRunner(database, JOBS)
    await runner.run_due()
    assert [asked(announcer, each) for each in (doctor, other)] in ([1, 0], [0, 1])
    clock.advance(drill.APART)
    await runner.run_due()
    assert [asked(announcer, each) for each in (doctor, other)] == [1, 1]
    clock.advance(drill.ASK_AGAIN)
    await runner.run_due()
    assert [asked(announcer, each) for each in (doctor, other)] == [2, 2]


async def test_a_station_that_has_shown_it_is_left_alone_for_some_hours(
    work: UnitOfWork, clock: FakeClock, announcer: FakeAnnouncer, station: Facility, doctor: Actor
) -> None:
    await service.save_check(work, doctor, LinkSource.DRILL, "drill", WELL)
    await drill.ask(work, {"station": station.uid})
    assert (await due_of(work, station)).due_at == work.now() + DRILL_EVERY
    await work.commit()
    assert asked(announcer, doctor) == 0
    clock.advance(DRILL_EVERY)
    await drill.ask(work, {"station": station.uid})
    assert (await due_of(work, station)).due_at == work.now() + drill.ASK_AGAIN
    await work.commit()
    assert asked(announcer, doctor) == 1


async def test_a_station_in_a_call_is_asked_when_it_is_over(
    work: UnitOfWork, make: Factory, announcer: FakeAnnouncer
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    live = await opening.open_for_consult(work, case.specialist, case.consult.uid)
    for actor in (case.specialist, case.doctor):
        await sessions.enter(work, actor, live.uid, resumes=False)
    await sessions.settle(work, live.uid)
    await drill.ask(work, {"station": case.station.uid})
    await work.commit()
    assert asked(announcer, case.doctor) == 0
    await sessions.leave(work, case.doctor, live.uid)
    await drill.ask(work, {"station": case.station.uid})
    await work.commit()
    assert asked(announcer, case.doctor) == 1


async def test_the_one_who_is_posted_there_is_asked_as_well_and_nobody_else(
    work: UnitOfWork, make: Factory, announcer: FakeAnnouncer, station: Facility, doctor: Actor
) -> None:
    posted = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
    elsewhere = await make.actor(Role.COMMUNE_DOCTOR)
    coordinator = await make.actor(Role.COORDINATOR)
    await drill.ask_now(work, coordinator, station.uid)
    await work.commit()
    counts = [asked(announcer, each) for each in (doctor, posted, elsewhere, coordinator)]
    assert counts == [1, 1, 0, 0]


async def test_a_station_that_is_closed_is_not_asked_any_more(
    work: UnitOfWork, make: Factory, announcer: FakeAnnouncer, station: Facility, doctor: Actor
) -> None:
    station.is_active = False
    work.session.add(station)
    await drill.ask(work, {"station": station.uid})
    await work.commit()
    assert asked(announcer, doctor) == 0
    coordinator = await make.actor(Role.COORDINATOR)
    for uid in (station.uid, new_uid()):
        with pytest.raises(Missing):
            await drill.ask_now(work, coordinator, uid)


async def test_a_plan_is_made_once_and_takes_in_new_stations(
    work: UnitOfWork, make: Factory, clock: FakeClock, station: Facility
) -> None:
    for _ in range(2):
        await drill.plan_drills(work)
    await drill.plan(work, {})
    first = (await due_of(work, station)).due_at
    clock.advance(timedelta(hours=1))
    fresh = await make.facility()
    await drill.plan(work, {})
    assert (await due_of(work, fresh)).due_at == work.now()
    assert (await due_of(work, station)).due_at == first


@pytest.mark.parametrize("role", [Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.ADMINISTRATOR])
async def test_others_ask_nobody(
    work: UnitOfWork, make: Factory, station: Facility, role: Role
) -> None:
    with pytest.raises(Denied):
        await drill.ask_now(work, await make.actor(role), station.uid)
