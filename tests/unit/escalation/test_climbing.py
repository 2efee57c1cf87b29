"""A request climbs until somebody takes it; nothing is told twice, nothing is left out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults import handling
from telemed.consults.clocks import DEFAULT_LIMITS, response_limits, set_limits
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult, Urgency
from telemed.consults.service import WATCH_JOB, transition
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.events import list_events
from telemed.core.jobs import Job, JobRunner, Together
from telemed.facilities.models import Specialty
from telemed.scheduling import working_hours
from telemed.scheduling.duty.days import duty_day, week_of
from telemed.scheduling.duty.roster import FOR_ALL, find_line, read_roster, set_line
from telemed.scheduling.escalation.models import EscalationStep
from telemed.scheduling.escalation.rungs import Rung
from telemed.scheduling.escalation.service import plan_watches, read_ladder, see, watch
from tests.factories import Case, Factory

LIMIT = DEFAULT_LIMITS[Urgency.EMERGENCY]
AT_ONCE = 50


@dataclass
class Hospital:
    """A case that is about to be sent, and everybody who may be told of it."""

    case: Case
    first: Actor
    second: Actor
    coordinator: Actor
    database: Database
    clock: FakeClock

    @property
    def uid(self) -> str:
        return self.case.consult.uid

    def runner(self) -> JobRunner:
        return JobRunner(self.database, {WATCH_JOB: Together(watch)})

    async def send(self, *, named: Actor | None = None, urgency: Urgency | None = None) -> None:
        async with self.database.work() as work:
            consult = await work.session.get_one(Consult, self.case.consult.id)
            consult.named_id = named.id if named else None
            consult.urgency = urgency or Urgency.EMERGENCY
            await transition(work, self.case.doctor, consult, ConsultEvent.SUBMIT)

    async def wait(self, by: timedelta = timedelta()) -> None:
        """Time passes, and what is due is done."""
        self.clock.advance(by)
        await self.runner().run_due()

    async def steps(self) -> list[tuple[int, str, int | None]]:
        async with self.database.read() as work:
            query = select(EscalationStep).order_by(col(EscalationStep.id))
            rows = (await work.session.exec(query)).all()
        return [(row.round, row.rung.value, row.person_id) for row in rows]

    async def rungs(self) -> list[str]:
        return [rung for _, rung, _ in await self.steps()]

    async def jobs(self) -> int:
        async with self.database.read() as work:
            query = select(Job).where(Job.kind == WATCH_JOB)
            return len((await work.session.exec(query)).all())


@pytest.fixture
async def hospital(
    work: UnitOfWork, make: Factory, database: Database, clock: FakeClock
) -> Hospital:
    case = await make.case(ConsultState.DRAFT)
    specialty = await work.session.get_one(Specialty, case.consult.specialty_id)
    first, second = [await make.actor(Role.SPECIALIST, specialty=specialty) for _ in range(2)]
    coordinator = await make.actor(Role.COORDINATOR)
    days = week_of(duty_day(clock.now()))
    for code, chosen in (
        (specialty.code, {"first_0": first.uid, "second_0": second.uid}),
        (FOR_ALL, {"coordinator_0": coordinator.uid}),
    ):
        line = await find_line(work, code)
        seen = (await read_roster(work, coordinator, days)).of(line).mark
        await set_line(work, coordinator, line, days, {"seen": seen} | chosen)
    await work.commit()
    return Hospital(case, first, second, coordinator, database, clock)


async def test_the_whole_way_up(hospital: Hospital) -> None:
    await hospital.send(named=hospital.case.specialist)
    await hospital.wait()
    assert await hospital.steps() == [(1, "named", hospital.case.specialist.id)]
    await hospital.wait(LIMIT - timedelta(seconds=1))
    assert await hospital.rungs() == ["named"]
    await hospital.wait(timedelta(seconds=1))
    assert await hospital.steps() == [
        (1, "named", hospital.case.specialist.id),
        (1, "first", hospital.first.id),
    ]
    for _ in range(5):
        await hospital.wait(LIMIT)
    assert await hospital.steps() == [
        (1, "named", hospital.case.specialist.id),
        (1, "first", hospital.first.id),
        (1, "second", hospital.second.id),
        (1, "coordinator", hospital.coordinator.id),
    ]
    assert await hospital.jobs() == 0


async def test_the_log_of_the_case_tells_it_all(hospital: Hospital) -> None:
    await hospital.send()
    for _ in range(4):
        await hospital.wait(LIMIT)
    async with hospital.database.read() as work:
        events = await list_events(work, f"consult:{hospital.uid}")
    assert [event.kind for event in events] == [
        "consult_requested",
        "escalated_first",
        "escalated_second",
        "escalated_coordinator",
    ]
    assert events[1].data == {"person": f"Bác sĩ {hospital.first.name}"}


async def test_whoever_has_seen_it_has_the_time_once_more(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    hospital.clock.advance(LIMIT - timedelta(minutes=1))
    async with hospital.database.work() as work:
        await see(work, hospital.first, hospital.uid)
        await see(work, hospital.first, hospital.uid)
    await hospital.wait(timedelta(minutes=2))
    assert await hospital.rungs() == ["first"]
    await hospital.wait(LIMIT)
    assert await hospital.rungs() == ["first", "second"]
    async with hospital.database.read() as work:
        events = await list_events(work, f"consult:{hospital.uid}")
    assert [event.kind for event in events].count("escalation_seen") == 1


async def test_only_whom_it_was_told_last_can_say_so(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    for other in (hospital.second, hospital.coordinator, hospital.case.doctor):
        with pytest.raises((Missing, Denied)):
            async with hospital.database.work() as work:
                await see(work, other, hospital.uid)
    await hospital.wait(LIMIT)
    with pytest.raises(Missing):
        async with hospital.database.work() as work:
            await see(work, hospital.first, hospital.uid)


async def test_a_case_that_is_taken_climbs_no_more(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    async with hospital.database.work() as work:
        await handling.claim(work, hospital.first, hospital.uid)
    assert await hospital.jobs() == 0
    await hospital.wait(LIMIT * 4)
    assert await hospital.rungs() == ["first"]
    with pytest.raises((Conflict, Missing)):
        async with hospital.database.work() as work:
            await see(work, hospital.first, hospital.uid)


async def test_a_case_that_comes_back_climbs_anew(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    async with hospital.database.work() as work:
        await handling.claim(work, hospital.first, hospital.uid)
    async with hospital.database.work() as work:
        await handling.release(work, hospital.first, hospital.uid, "Phải vào mổ")
    await hospital.wait()
    assert [(number, rung) for number, rung, _ in await hospital.steps()] == [
        (1, "first"),
        (2, "first"),
    ]


async def test_the_clock_stands_still_while_the_station_is_asked(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    async with hospital.database.work() as work:
        await handling.ask_info(work, hospital.second, hospital.uid, "Mạch bao nhiêu?")
    await hospital.wait(LIMIT * 10)
    assert await hospital.rungs() == ["first"]
    async with hospital.database.work() as work:
        await handling.answer_info(work, hospital.case.doctor, hospital.uid, "98")
    await hospital.wait(LIMIT - timedelta(seconds=1))
    assert await hospital.rungs() == ["first"]
    await hospital.wait(timedelta(seconds=1))
    assert await hospital.rungs() == ["first", "second"]


async def test_who_is_on_leave_is_passed_over(hospital: Hospital) -> None:
    today = duty_day(hospital.clock.now())
    async with hospital.database.work() as work:
        await working_hours.add_leave(work, hospital.first, today, today)
    await hospital.send()
    await hospital.wait()
    assert await hospital.rungs() == ["second"]


async def test_without_a_roster_everybody_of_the_specialty_is_told_then_all_coordinators(
    hospital: Hospital,
) -> None:
    hospital.clock.advance(timedelta(days=7))
    await hospital.send()
    await hospital.wait()
    await hospital.wait(LIMIT)
    assert await hospital.steps() == [(1, "specialty", None), (1, "coordinator", None)]
    async with hospital.database.work() as work:
        await see(work, hospital.coordinator, hospital.uid)
    async with hospital.database.read() as work:
        ladder = await read_ladder(work, hospital.coordinator, hospital.uid)
    assert ladder
    assert ladder.steps[-1].seen_by == hospital.coordinator.name


@pytest.mark.parametrize("urgency", list(Urgency))
async def test_each_urgency_has_its_own_clock(hospital: Hospital, urgency: Urgency) -> None:
    async with hospital.database.work() as work:
        minutes = {Urgency.EMERGENCY: 2, Urgency.URGENT: 20, Urgency.ROUTINE: 200}
        await set_limits(work, hospital.coordinator, minutes)
    await hospital.send(urgency=urgency)
    await hospital.wait()
    own = timedelta(minutes=minutes[urgency])
    async with hospital.database.read() as work:
        consult = await work.session.get_one(Consult, hospital.case.consult.id)
        assert consult.due_at == hospital.clock.now() + own
    await hospital.wait(own - timedelta(seconds=1))
    assert await hospital.rungs() == ["first"]
    await hospital.wait(timedelta(seconds=1))
    assert await hospital.rungs() == ["first", "second"]


# --- restarts, several servers, races --------------------------------------------------------


async def test_after_a_standstill_nothing_is_left_out(hospital: Hospital) -> None:
    await hospital.send(named=hospital.case.specialist)
    # No server ran for a day; then one does, and time goes on.
    hospital.clock.advance(timedelta(days=1))
    async with hospital.database.work() as work:
        await plan_watches(work)
    for _ in range(5):
        await hospital.wait(LIMIT)
    assert (await hospital.rungs())[0] == "named"
    assert (await hospital.rungs())[-1] == "coordinator"


async def test_requests_that_nothing_watches_over_are_found_at_the_start(
    hospital: Hospital,
) -> None:
    await hospital.send()
    async with hospital.database.work() as work:
        for job in (await work.session.exec(select(Job).where(Job.kind == WATCH_JOB))).all():
            await work.session.delete(job)
    await hospital.wait(LIMIT)
    assert await hospital.rungs() == []
    for _ in range(2):
        async with hospital.database.work() as work:
            await plan_watches(work)
    await hospital.wait()
    assert await hospital.rungs() == ["first"]


async def test_fifty_servers_tell_every_rung_once(hospital: Hospital) -> None:
    await hospital.send(named=hospital.case.specialist)
    for _ in range(6):
        await asyncio.gather(*(hospital.runner().run_due() for _ in range(AT_ONCE)))
        hospital.clock.advance(LIMIT)
    assert await hospital.rungs() == ["named", "first", "second", "coordinator"]


async def test_fifty_looks_at_the_same_moment_climb_one_rung(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    hospital.clock.advance(LIMIT)

    async def look() -> None:
        async with hospital.database.work() as work:
            await watch(work, [{"uid": hospital.uid, "anew": False}])

    await asyncio.gather(*(look() for _ in range(AT_ONCE)))
    assert await hospital.rungs() == ["first", "second"]


async def test_whoever_takes_it_while_it_climbs_ends_the_climb(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    hospital.clock.advance(LIMIT)

    async def claim() -> None:
        async with hospital.database.work() as work:
            await handling.claim(work, hospital.first, hospital.uid)

    await asyncio.gather(claim(), *(hospital.runner().run_due() for _ in range(10)))
    before = await hospital.rungs()
    await hospital.wait(LIMIT * 3)
    assert await hospital.rungs() == before
    assert await hospital.jobs() == 0


# --- who reads it, and the limits ------------------------------------------------------------


async def test_it_is_told_to_whom_it_is_theirs(hospital: Hospital) -> None:
    await hospital.send()
    await hospital.wait()
    async with hospital.database.read() as work:
        mine = await read_ladder(work, hospital.first, hospital.uid)
        others = await read_ladder(work, hospital.second, hospital.uid)
        station = await read_ladder(work, hospital.case.doctor, hospital.uid)
    assert mine
    assert others
    assert station
    assert [ladder.is_mine for ladder in (mine, others, station)] == [True, False, False]
    (step,) = station.steps
    assert (step.rung, step.climbs_at) == (Rung.FIRST, hospital.clock.now() + LIMIT)
    assert station.coordinator
    assert station.coordinator.id == hospital.coordinator.id


@pytest.mark.parametrize(
    ("minutes", "field"),
    [
        ((0, 30, 1440), "emergency"),
        ((5, 30, 7 * 24 * 60 + 1), "routine"),
        ((31, 30, 1440), "urgent"),
        ((5, 30, 29), "routine"),
    ],
)
async def test_limits_that_cannot_be_leave_the_old_ones(
    hospital: Hospital, minutes: tuple[int, int, int], field: str
) -> None:
    given = dict(zip(DEFAULT_LIMITS, minutes, strict=True))
    with pytest.raises(Invalid) as refused:
        async with hospital.database.work() as work:
            await set_limits(work, hospital.coordinator, given)
    assert [fault.field for fault in refused.value.fields] == [field]
    async with hospital.database.read() as work:
        assert await response_limits(work) == DEFAULT_LIMITS


async def test_only_coordinators_set_limits(work: UnitOfWork, make: Factory) -> None:
    for role in Role:
        if role is not Role.COORDINATOR:
            with pytest.raises(Denied):
                await set_limits(work, await make.actor(role), {})
