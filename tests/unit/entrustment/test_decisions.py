"""Decisions: who may sign one about whom, what it rests on, what replaces or withdraws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Role
from telemed.core import records
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.records import SignatureMethod
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import RowState
from telemed.training.entrustment import service
from telemed.training.entrustment.levels import Basis, Entrusted, Standing
from telemed.training.entrustment.matrix import MatrixFilter, read_matrix
from telemed.training.entrustment.models import Entrustment
from tests.factories import Factory
from tests.races import HANDS, attempt_all
from tests.unit.entrustment.conftest import TODAY, School

DAY = timedelta(days=1)
PASSWORD = SignatureMethod.PASSWORD


async def test_a_decision_is_a_signed_record_with_its_evidence(
    work: UnitOfWork, school: School
) -> None:
    made = await service.decide(work, school.sent, school.given, PASSWORD)
    opened = await service.open_decision(work, school.trainee, made.uid)
    assert opened.is_intact
    assert opened.decided.standing is Standing.HOLDS
    assert [row.uid for row in opened.rows] == [row.uid for row in reversed(school.rows)]
    content = opened.record.content
    assert (content["level"], content["limits"]) == (4, "Chỉ người lớn")
    assert len(content["evidence"]) == 4
    assert not opened.may_withdraw


@pytest.mark.parametrize(
    ("role", "place", "may"),
    [
        (Role.TRAINER, "", True),
        (Role.ROTATED_DOCTOR, "here", True),
        (Role.ROTATED_DOCTOR, "elsewhere", False),
        (Role.ROTATED_DOCTOR, "", False),
        (Role.COMMUNE_DOCTOR, "colleague", False),
        (Role.SPECIALIST, "", False),
        (Role.COORDINATOR, "", False),
        (Role.ADMINISTRATOR, "", False),
    ],
)
async def test_who_decides(
    work: UnitOfWork, make: Factory, school: School, role: Role, place: str, may: bool
) -> None:
    where: dict[str, Any] = {
        "here": {"posted_to": school.station},
        "elsewhere": {"posted_to": await make.facility()},
        "colleague": {"at": school.station},
    }.get(place, {})
    actor = await make.actor(role, **where)
    if may:
        assert (await service.decide(work, actor, school.given, PASSWORD)).decided_by_id == actor.id
        return
    with pytest.raises((Missing, Denied)):
        await service.decide(work, actor, school.given, PASSWORD)


async def test_nobody_decides_about_themselves(
    work: UnitOfWork, make: Factory, school: School
) -> None:
    both = await make.actor(Role.COMMUNE_DOCTOR, Role.TRAINER, at=school.station)
    given = replace(school.given, person_uid=both.uid)
    with pytest.raises(Missing):
        await service.decide(work, both, given, PASSWORD)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"limits": " "}, "limits:limits_missing"),
        ({"limits": "a" * 501}, "limits:text_long"),
        ({"reason": "a" * 1001}, "reason:text_long"),
        ({"expires_on": TODAY - DAY}, "expires_on:in_past"),
        ({"expires_on": TODAY + 732 * DAY}, "expires_on:term_long"),
        ({"basis": Basis.AD_HOC}, "expires_on:term_long"),
        ({"evidence": []}, "evidence:evidence_missing"),
        ({"evidence": ["x" * 22]}, "evidence:evidence_unknown"),
    ],
)
async def test_what_cannot_be_signed_is_refused_by_its_field(
    work: UnitOfWork, school: School, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await service.decide(work, school.sent, replace(school.given, **changes), PASSWORD)
    assert fault in {f"{each.field}:{each.code}" for each in refused.value.fields}
    assert (await work.session.exec(select(Entrustment))).all() == []


async def test_cases_of_somebody_else_or_unconfirmed_are_no_evidence(
    work: UnitOfWork, make: Factory, school: School
) -> None:
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=school.station)
    school.rows[0].trainee_id = colleague.id
    school.rows[1].state = RowState.WRITTEN
    await work.session.flush()
    for row in school.rows[:2]:
        with pytest.raises(Invalid):
            await service.decide(
                work, school.sent, replace(school.given, evidence=[row.uid]), PASSWORD
            )


async def test_the_next_decision_replaces_the_one_of_its_basis_alone(
    work: UnitOfWork, school: School, clock: FakeClock
) -> None:
    at_hand = replace(school.given, basis=Basis.AD_HOC, expires_on=TODAY + DAY)
    await service.decide(work, school.trainer, at_hand, PASSWORD)
    await service.decide(work, school.sent, school.given, PASSWORD)
    lower = replace(school.given, level=Entrusted.HELP_AT_HAND)
    await service.decide(work, school.trainer, lower, PASSWORD)
    (line,) = (await service.open_sheet(work, school.trainee, school.trainee.uid)).lines
    assert [(each.made.level, each.standing) for each in line.summative] == [
        (3, Standing.HOLDS),
        (4, Standing.REPLACED),
    ]
    assert [each.standing for each in line.ad_hoc] == [Standing.HOLDS]
    assert list(line.counts.values()) == [1, 1, 1, 1]
    clock.advance(2 * DAY)
    (line,) = (await service.open_sheet(work, school.trainee, school.trainee.uid)).lines
    assert [each.standing for each in line.ad_hoc] == [Standing.EXPIRED]


async def test_a_decision_is_withdrawn_once_and_says_why(
    work: UnitOfWork, make: Factory, school: School
) -> None:
    made = await service.decide(work, school.sent, school.given, PASSWORD)
    with pytest.raises(Invalid):
        await service.withdraw(work, school.sent, made.uid, " ", PASSWORD)
    other = await make.actor(Role.ROTATED_DOCTOR, posted_to=school.station)
    with pytest.raises(Conflict):
        await service.withdraw(work, other, made.uid, "Không rõ", PASSWORD)
    await service.withdraw(work, school.trainer, made.uid, "Máy hỏng", PASSWORD)
    with pytest.raises(Conflict):
        await service.withdraw(work, school.trainer, made.uid, "Máy hỏng", PASSWORD)
    opened = await service.open_decision(work, school.coordinator, made.uid)
    assert opened.decided.standing is Standing.WITHDRAWN
    assert opened.is_intact
    addenda = await records.list_addenda(work, opened.record)
    assert [each.content["reason"] for each in addenda] == ["Máy hỏng"]


async def test_of_fifty_decisions_at_once_exactly_one_is_current(
    database: Database, work: UnitOfWork, school: School
) -> None:
    await work.commit()

    def decide(other: UnitOfWork) -> Awaitable[object]:
        return service.decide(other, school.trainer, school.given, PASSWORD)

    assert Counter(await attempt_all(database, [decide] * HANDS)) == {"done": HANDS}
    async with database.read() as reading:
        made = (await reading.session.exec(select(Entrustment))).all()
    assert Counter(each.is_current for each in made) == {True: 1, False: HANDS - 1}


async def test_the_matrix_shows_what_holds_where_it_was_given(
    work: UnitOfWork, make: Factory, school: School, clock: FakeClock
) -> None:
    await service.decide(work, school.sent, school.given, PASSWORD)
    matrix = await read_matrix(work, school.coordinator, MatrixFilter())
    assert [each.key for each in matrix.techniques] == ["18.1"]
    ((cell,),) = [line.cells for line in matrix.stations[0].people]
    assert cell
    assert (cell.level, cell.is_expired) == (4, False)
    assert matrix.expiring == []
    clock.advance(320 * DAY)
    assert (await read_matrix(work, school.coordinator, MatrixFilter())).expiring[0].level == 4
    clock.advance(60 * DAY)
    matrix = await read_matrix(work, school.coordinator, MatrixFilter())
    assert matrix.stations[0].people[0].cells[0] == cell._replace(is_expired=True)
    assert matrix.expiring[0].is_over
    nothing = MatrixFilter(chapter=2), MatrixFilter(words=("noi",)), MatrixFilter(station_id=99)
    for wanted in nothing:
        assert (await read_matrix(work, school.coordinator, wanted)).techniques == []
    found = await read_matrix(work, school.coordinator, MatrixFilter(words=("sieu", "18.1")))
    assert len(found.techniques) == 1
    elsewhere = await make.actor(Role.COMMUNE_DOCTOR)
    assert (await read_matrix(work, elsewhere, MatrixFilter())).stations == []
    with pytest.raises(Missing):
        await service.open_sheet(work, elsewhere, school.trainee.uid)


async def test_whoever_moves_takes_no_level_along(
    work: UnitOfWork, make: Factory, school: School
) -> None:
    await service.decide(work, school.sent, school.given, PASSWORD)
    person = (await service.open_sheet(work, school.trainer, school.trainee.uid)).person
    person.facility_id = (await make.facility()).id
    work.session.add(person)
    await work.session.flush()
    matrix = await read_matrix(work, school.coordinator, MatrixFilter())
    assert [block.people for block in matrix.stations] == []


async def test_evidence_stays_when_a_decision_rests_on_it(work: UnitOfWork, school: School) -> None:
    await service.decide(work, school.sent, school.given, PASSWORD)
    kept = (await work.session.exec(select(CaseRow))).all()
    assert {row.state for row in kept} == {RowState.CONFIRMED}
