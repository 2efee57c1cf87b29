"""The roster: who may stand on it, who may write it, and two who write it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pytest
from sqlmodel import select

from telemed.accounts.models import PersonState
from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.scheduling import working_hours
from telemed.scheduling.duty.board import open_board
from telemed.scheduling.duty.days import week_of
from telemed.scheduling.duty.models import DutyRank, DutyShift
from telemed.scheduling.duty.roster import (
    FOR_ALL,
    Line,
    field_of,
    find_line,
    list_candidates,
    on_duty,
    read_roster,
    set_line,
)
from tests.factories import Factory

WEEK: Sequence[date] = week_of(date(2026, 11, 23))
AT_ONCE = 50


@dataclass
class Hospital:
    """A line of the roster, two who may stand on it, and who writes it."""

    line: Line
    one: Actor
    two: Actor
    coordinator: Actor

    async def mark(self, work: UnitOfWork, line: Line | None = None) -> str:
        found = await read_roster(work, self.coordinator, WEEK)
        return found.of(line or self.line).mark

    async def put(self, work: UnitOfWork, **chosen: str) -> None:
        seen = await self.mark(work)
        await set_line(work, self.coordinator, self.line, WEEK, {"seen": seen} | chosen)


@pytest.fixture
async def hospital(work: UnitOfWork, make: Factory) -> Hospital:
    specialty = await make.specialty("chest")
    one, two = [await make.actor(Role.SPECIALIST, specialty=specialty) for _ in range(2)]
    coordinator = await make.actor(Role.COORDINATOR)
    return Hospital(await find_line(work, "chest"), one, two, coordinator)


async def test_a_week_is_written_and_read(work: UnitOfWork, hospital: Hospital) -> None:
    await hospital.put(work, first_0=hospital.one.uid, second_0=hospital.two.uid)
    await work.commit()
    found = await read_roster(work, hospital.one, WEEK)
    first = found.who(WEEK[0], hospital.line, DutyRank.FIRST)
    second = found.who(WEEK[0], hospital.line, DutyRank.SECOND)
    assert first
    assert second
    assert (first.id, second.id) == (hospital.one.id, hospital.two.id)
    assert found.who(WEEK[1], hospital.line, DutyRank.FIRST) is None
    (record,) = (
        await work.session.exec(select(AuditRecord).where(AuditRecord.tag == AuditTag.DUTY_CHANGE))
    ).all()
    assert (record.subject, record.person_id) == ("duty:chest", hospital.coordinator.id)


async def test_what_is_left_empty_is_nobodys_any_more(work: UnitOfWork, hospital: Hospital) -> None:
    await hospital.put(work, first_0=hospital.one.uid, first_3=hospital.two.uid)
    await hospital.put(work, first_3=hospital.one.uid)
    shifts = (await work.session.exec(select(DutyShift))).all()
    assert [(shift.day, shift.person_id) for shift in shifts] == [(WEEK[3], hospital.one.id)]


async def test_nobody_is_on_duty_twice_a_day(work: UnitOfWork, hospital: Hospital) -> None:
    with pytest.raises(Invalid) as refused:
        await hospital.put(work, first_2=hospital.one.uid, second_2=hospital.one.uid)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [
        (field_of(DutyRank.SECOND, 2), "twice_a_day")
    ]
    assert (await work.session.exec(select(DutyShift))).all() == []


async def test_only_who_answers_for_a_specialty_stands_on_its_line(
    work: UnitOfWork, make: Factory, hospital: Hospital
) -> None:
    elsewhere = await make.actor(Role.SPECIALIST, specialty=await make.specialty("skin"))
    gone = await make.person(Role.SPECIALIST, specialty=hospital.line.specialty)
    gone.state = PersonState.DISABLED
    work.session.add(gone)
    await work.session.flush()
    assert {each.uid for each in await list_candidates(work, hospital.line)} == {
        hospital.one.uid,
        hospital.two.uid,
    }
    for stranger in (elsewhere.uid, gone.uid, hospital.coordinator.uid, "nobody"):
        with pytest.raises(Invalid) as refused:
            await hospital.put(work, first_0=stranger)
        assert refused.value.fields[0].code == "not_of_this_line"


async def test_coordinators_stand_on_a_line_for_all(work: UnitOfWork, hospital: Hospital) -> None:
    line = await find_line(work, FOR_ALL)
    chosen = {"seen": await hospital.mark(work, line), "coordinator_0": hospital.coordinator.uid}
    await set_line(work, hospital.coordinator, line, WEEK, chosen)
    board = await open_board(work)
    assert board.coordinator
    assert board.coordinator.id == hospital.coordinator.id
    with pytest.raises(Missing):
        await find_line(work, "unknown")


async def test_before_seven_those_of_yesterday_are_on_duty(
    work: UnitOfWork, hospital: Hospital, clock: FakeClock
) -> None:
    await hospital.put(work, first_0=hospital.one.uid, first_1=hospital.two.uid)
    told = []
    for hour in (5, 9):
        clock.set(clock.now().astimezone(LOCAL_ZONE).replace(day=24, hour=hour))
        board = await open_board(work)
        told += [desk.first.id for desk in board.desks if desk.first]
    assert told == [hospital.one.id, hospital.two.id]


async def test_who_has_left_is_on_duty_no_more(
    work: UnitOfWork, make: Factory, hospital: Hospital
) -> None:
    person = await make.person(Role.SPECIALIST, specialty=hospital.line.specialty)
    await hospital.put(work, first_0=person.uid)
    person.state = PersonState.DISABLED
    work.session.add(person)
    await work.session.flush()
    assert (await on_duty(work)).shifts == {}


@pytest.mark.parametrize(
    "role", [role for role in Role if role is not Role.COORDINATOR], ids=lambda role: role.value
)
async def test_only_coordinators_write_it(
    work: UnitOfWork, make: Factory, hospital: Hospital, role: Role
) -> None:
    with pytest.raises(Denied):
        await set_line(work, await make.actor(role), hospital.line, WEEK, {})


async def test_of_fifty_who_saw_the_same_week_one_writes_it(
    database: Database, work: UnitOfWork, hospital: Hospital
) -> None:
    seen = await hospital.mark(work)
    await work.commit()

    async def write(number: int) -> bool:
        who = (hospital.one, hospital.two)[number % 2]
        chosen = {"seen": seen} | {f"first_{day}": who.uid for day in range(7)}
        try:
            async with database.work() as mine:
                await set_line(mine, hospital.coordinator, hospital.line, WEEK, chosen)
        except Conflict:
            return False
        return True

    won = await asyncio.gather(*(write(number) for number in range(AT_ONCE)))
    assert won.count(True) == 1
    async with database.work() as after:
        shifts = (await after.session.exec(select(DutyShift))).all()
    assert len(shifts) == 7
    assert len({shift.person_id for shift in shifts}) == 1


async def test_who_goes_on_leave_is_on_duty_no_more_and_is_not_put_there(
    work: UnitOfWork, hospital: Hospital
) -> None:
    await hospital.put(work, first_0=hospital.one.uid, second_0=hospital.two.uid)
    await working_hours.add_leave(work, hospital.one, WEEK[0], WEEK[1])
    found = await read_roster(work, hospital.coordinator, WEEK)
    assert found.who(WEEK[0], hospital.line, DutyRank.FIRST) is None
    assert found.planned(WEEK[0], hospital.line, DutyRank.FIRST) is not None
    desk = next(desk for desk in (await open_board(work)).desks if desk.specialty.code == "chest")
    assert desk.answers
    assert desk.answers.id == hospital.two.id
    with pytest.raises(Invalid) as refused:
        await hospital.put(work, first_1=hospital.one.uid, first_2=hospital.one.uid)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [
        ("first_1", "on_leave")
    ]
