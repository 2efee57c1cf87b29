"""The table of months is what adding up every page by hand would give, on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import UnitOfWork
from telemed.core.errors import Denied
from telemed.sessions import opening, service
from telemed.sessions.models import LiveSession, ParticipantRole
from telemed.sessions.quality.models import CallQuality
from telemed.sessions.quality.months import list_months
from telemed.sessions.quality.service import record
from tests.factories import Case, Factory
from tests.unit.test_call_quality import summary


@pytest.fixture
async def coordinator(make: Factory) -> Actor:
    return await make.actor(Role.COORDINATOR, at=await make.hospital())


async def call_of(work: UnitOfWork, case: Case) -> LiveSession:
    """One call of a case, with both sides in it."""
    live = await opening.open_for_consult(work, case.specialist, case.consult.uid)
    for actor in (case.specialist, case.doctor):
        await service.enter(work, actor, live.uid, resumes=False)
    return live


def at(day: int, month: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=LOCAL_ZONE)


async def test_pages_are_added_up_by_station_and_month(
    work: UnitOfWork, make: Factory, clock: FakeClock, coordinator: Actor
) -> None:
    clock.set(at(20, 10))
    near, far = await make.case(ConsultState.ACCEPTED), await make.case(ConsultState.ACCEPTED)
    first, other = await call_of(work, near), await call_of(work, far)
    for number, setup_ms in enumerate((400, 1200, None, 800, 2000)):
        told = summary(page=f"a-page-of-somebody{number}", setup_ms=setup_ms)
        await record(work, near.doctor, first.uid, told)
    await record(work, near.specialist, first.uid, summary(packets_lost=5970, setup_ms=1600))
    await record(work, far.doctor, other.uid, summary(setup_ms=None, packets_lost=0))
    found = {each.station: each for each in await list_months(work, coordinator)}
    assert {each.month for each in found.values()} == {"2026-10"}
    one, two = found[near.station.name], found[far.station.name]
    assert (one.calls, one.minutes, one.freezes, one.bytes) == (1, 6, 6, 54_000_000)
    # 5 × 30 and 5,970 lost, 6 × 2,970 received.
    assert (one.loss_permille, one.concealed_permille, one.setup_ms) == (256, 10, 1200)
    assert (two.calls, two.loss_permille, two.setup_ms) == (1, 0, None)


async def test_of_an_even_number_of_set_ups_the_later_middle_counts(
    work: UnitOfWork, make: Factory, coordinator: Actor
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    live = await call_of(work, case)
    for number, setup_ms in enumerate((100, 200, 300, 400)):
        told = summary(page=f"a-page-of-somebody{number}", setup_ms=setup_ms)
        await record(work, case.doctor, live.uid, told)
    (one,) = await list_months(work, coordinator)
    assert one.setup_ms == 300


async def test_a_month_begins_and_ends_at_midnight_in_viet_nam_and_three_are_shown(
    work: UnitOfWork, make: Factory, clock: FakeClock, coordinator: Actor
) -> None:
    for moment in (at(31, 7, 23, 59), at(1, 8), at(31, 8, 23, 59), at(1, 9), at(15, 10)):
        # A page tells a minute after it began.
        clock.set(moment + timedelta(minutes=1))
        case = await make.case(ConsultState.ACCEPTED)
        live = await call_of(work, case)
        await record(work, case.doctor, live.uid, summary())
    shown = [each.month for each in await list_months(work, coordinator)]
    assert shown == ["2026-10", "2026-09", "2026-08", "2026-08"]


async def test_a_transfer_counts_for_the_station_it_was_for(
    work: UnitOfWork, make: Factory, coordinator: Actor
) -> None:
    station = await make.facility()
    trainer = await make.actor(Role.TRAINER)
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=station)
    members = [(trainee.id, ParticipantRole.TRAINEE)]
    live = await opening.open_for_transfer(
        work, trainer, title="x", station_id=station.id or 0, members=members
    )
    await service.enter(work, trainee, live.uid, resumes=False)
    await record(work, trainee, live.uid, summary())
    (one,) = await list_months(work, coordinator)
    assert (one.station, one.calls) == (station.name, 1)


async def test_no_page_is_left_out_however_many_there_are(
    work: UnitOfWork, make: Factory, coordinator: Actor
) -> None:
    case = await make.case(ConsultState.ACCEPTED)
    live = await call_of(work, case)
    await record(work, case.doctor, live.uid, summary(media_ms=60_000))
    (page,) = (await work.session.exec(select(CallQuality))).all()
    told = page.model_dump(exclude={"id", "page"})
    work.session.add_all([CallQuality(page=f"page-{number}", **told) for number in range(5_999)])
    await work.session.flush()
    (one,) = await list_months(work, coordinator)
    assert (one.calls, one.minutes) == (1, 6000)


@pytest.mark.parametrize("role", [Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.ADMINISTRATOR])
async def test_others_read_no_table(work: UnitOfWork, make: Factory, role: Role) -> None:
    with pytest.raises(Denied):
        await list_months(work, await make.actor(role))
