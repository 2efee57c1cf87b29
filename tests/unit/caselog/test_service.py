"""Rows of the case log: written by trainees, decided on by who taught."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import openpyxl
import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing, TelemedError
from telemed.training.caselog import service
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import BY_TRAINEE, MOVES, Level, RowEvent, RowState
from telemed.training.caselog.summary import look
from telemed.training.caselog.summary_sheet import make_sheet
from telemed.training.packages.models import PackageStation, PackageTechnique, TransferPackage
from tests.factories import Factory
from tests.races import HANDS, attempt_all
from tests.unit.caselog.conftest import TODAY, Practice

DAY = timedelta(days=1)


async def in_state(work: UnitOfWork, practice: Practice, state: RowState) -> CaseRow:
    """A row that has come to a state in the ordinary way."""
    row = await service.write(work, practice.trainee, practice.given)
    event = {RowState.CONFIRMED: RowEvent.CONFIRM, RowState.REFUSED: RowEvent.REFUSE}.get(state)
    if event:
        await service.decide(work, practice.sent, [row.uid], event, "Chưa đúng mức")
    assert row.state is state
    return row


async def do(work: UnitOfWork, actor: Actor, row: CaseRow, event: RowEvent, given: Any) -> None:
    if event is RowEvent.CHANGE:
        await service.change(work, actor, row.uid, given, revision=row.revision)
    elif event is RowEvent.REMOVE:
        await service.remove(work, actor, row.uid)
    else:
        await service.decide(work, actor, [row.uid], event, "Chưa đúng mức")


WHO = ("trainee", "sent", "other_trainee", "other_trainer", "coordinator", "specialist")


@pytest.mark.parametrize(("state", "event", "who"), list(product(RowState, RowEvent, WHO)))
async def test_every_event_in_every_state_by_everybody(
    work: UnitOfWork,
    make: Factory,
    practice: Practice,
    state: RowState,
    event: RowEvent,
    who: str,
) -> None:
    row = await in_state(work, practice, state)
    actors = {
        "trainee": practice.trainee,
        "sent": practice.sent,
        "other_trainee": await make.actor(Role.COMMUNE_DOCTOR, at=practice.station),
        "other_trainer": practice.trainer,
        "coordinator": await make.actor(Role.COORDINATOR),
        "specialist": await make.actor(Role.SPECIALIST),
    }
    is_theirs = who == ("trainee" if event in BY_TRAINEE else "sent")
    given = replace(practice.given, note="Sửa")
    if is_theirs and (state, event) in MOVES:
        await do(work, actors[who], row, event, given)
        left = (await work.session.exec(select(CaseRow.state))).all()
        becomes = MOVES[state, event]
        assert left == ([] if becomes is None else [becomes])
        return
    with pytest.raises(TelemedError) as refused:
        await do(work, actors[who], row, event, given)
    expected = (Conflict,) if is_theirs else (Missing, Denied)
    assert isinstance(refused.value, expected)
    assert (await work.session.exec(select(CaseRow.state))).all() == [state]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"reference": "Lò Văn A"}, "reference:reference_personal"),
        ({"reference": ""}, "reference:reference_missing"),
        ({"performed_on": TODAY + DAY}, "performed_on:in_future"),
        ({"performed_on": TODAY - 181 * DAY}, "performed_on:too_old"),
        ({"technique_name": " "}, "technique_name:technique_missing"),
        ({"technique_name": "a" * 301}, "technique_name:text_long"),
        ({"technique_code": "99.1"}, "technique_code:code_malformed"),
        ({"trainer_id": 999_999}, "trainer:trainer_unknown"),
        ({"performed_on": TODAY - 61 * DAY}, "trainer:trainer_elsewhere"),
        ({"package_id": 999_999}, "package:package_unknown"),
        ({"icd_code": "J18.9-12"}, "icd_code:text_long"),
        ({"note": "a" * 301}, "note:text_long"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    work: UnitOfWork, practice: Practice, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await service.write(work, practice.trainee, replace(practice.given, **changes))
    assert fault in {f"{each.field}:{each.code}" for each in refused.value.fields}
    assert (await work.session.exec(select(CaseRow))).all() == []


async def test_nobody_confirms_their_own_case(
    work: UnitOfWork, make: Factory, practice: Practice
) -> None:
    both = await make.actor(Role.COMMUNE_DOCTOR, Role.TRAINER, at=practice.station)
    with pytest.raises(Invalid) as refused:
        await service.write(work, both, replace(practice.given, trainer_id=both.id))
    assert [each.field for each in refused.value.fields] == ["trainer"]


async def test_a_case_is_written_once(work: UnitOfWork, practice: Practice) -> None:
    await service.write(work, practice.trainee, practice.given)
    with pytest.raises(Invalid) as refused:
        await service.write(work, practice.trainee, practice.given)
    assert [each.code for each in refused.value.fields] == ["row_doubled"]
    other = replace(practice.given, reference="HC-1205")
    assert (await service.write(work, practice.trainee, other)).id


async def test_of_fifty_who_write_the_same_case_one_does(
    database: Database, work: UnitOfWork, practice: Practice
) -> None:
    await work.commit()

    def write(other: UnitOfWork) -> Awaitable[object]:
        return service.write(other, practice.trainee, practice.given)

    said = Counter(await attempt_all(database, [write] * HANDS))
    assert said["done"] == 1
    assert set(said) <= {"done", "row_doubled", "fields_invalid"}


async def test_of_fifty_who_confirm_the_same_case_one_does(
    database: Database, work: UnitOfWork, practice: Practice
) -> None:
    row = await service.write(work, practice.trainee, practice.given)
    uid = row.uid
    await work.commit()

    def confirm(other: UnitOfWork) -> Awaitable[object]:
        return service.decide(other, practice.sent, [uid], RowEvent.CONFIRM)

    said = Counter(await attempt_all(database, [confirm] * HANDS))
    assert said == {"done": 1, "row_decided": HANDS - 1}


async def test_who_was_sent_confirms_until_a_month_after_going_home(
    work: UnitOfWork, make: Factory, practice: Practice, clock: FakeClock
) -> None:
    first = await service.write(work, practice.trainee, practice.given)
    later = replace(practice.given, reference="HC-1205")
    second = await service.write(work, practice.trainee, later)
    # The rotation ends in ten days.
    clock.advance(40 * DAY)
    await service.decide(work, practice.sent, [first.uid], RowEvent.CONFIRM)
    clock.advance(DAY)
    with pytest.raises(Invalid) as late:
        await service.decide(work, practice.sent, [second.uid], RowEvent.CONFIRM)
    assert [each.code for each in late.value.fields] == ["confirmed_late"]
    assert second.state is RowState.WRITTEN


async def test_several_are_decided_on_together_or_none(
    work: UnitOfWork, practice: Practice
) -> None:
    rows = [
        await service.write(
            work, practice.trainee, replace(practice.given, reference=f"HC-{number}")
        )
        for number in range(3)
    ]
    foreign = await service.write(
        work, practice.trainee, replace(practice.given, trainer_id=practice.trainer.id)
    )
    uids = [row.uid for row in rows]
    with pytest.raises(Missing):
        await service.decide(work, practice.sent, [*uids, foreign.uid], RowEvent.CONFIRM)
    assert {row.state for row in rows} == {RowState.WRITTEN}
    assert await service.decide(work, practice.sent, [*uids, uids[0]], RowEvent.CONFIRM) == 3
    assert {row.state for row in rows} == {RowState.CONFIRMED}


@pytest.mark.parametrize(
    ("count", "event", "reason", "field"),
    [
        (0, RowEvent.CONFIRM, "", "rows"),
        (101, RowEvent.CONFIRM, "", "rows"),
        (1, RowEvent.REFUSE, " ", "reason"),
        (1, RowEvent.REFUSE, "a" * 301, "reason"),
    ],
)
async def test_a_decision_that_says_too_little_or_too_much_is_refused(
    work: UnitOfWork, practice: Practice, count: int, event: RowEvent, reason: str, field: str
) -> None:
    uids = [f"{number:022}" for number in range(count)]
    with pytest.raises(Invalid) as refused:
        await service.decide(work, practice.sent, uids, event, reason)
    assert [each.field for each in refused.value.fields] == [field]


async def test_a_refused_case_that_is_changed_waits_again(
    work: UnitOfWork, practice: Practice
) -> None:
    row = await in_state(work, practice, RowState.REFUSED)
    assert row.refusal == "Chưa đúng mức"
    given = replace(practice.given, level=Level.OBSERVED)
    await service.change(work, practice.trainee, row.uid, given, revision=row.revision)
    assert (row.state, row.refusal, row.decided_at) == (RowState.WRITTEN, "", None)
    with pytest.raises(Invalid) as stale:
        await service.change(work, practice.trainee, row.uid, given, revision=0)
    assert [each.field for each in stale.value.fields] == ["revision"]


async def test_lists_are_for_those_concerned_and_go_on_page_by_page(
    work: UnitOfWork, make: Factory, practice: Practice
) -> None:
    for number in range(service.PAGE + 5):
        await service.write(
            work, practice.trainee, replace(practice.given, reference=f"HC-{number}")
        )
    waiting, older = await service.list_rows(work, practice.sent, waiting=True)
    assert (len(waiting), older is not None) == (service.PAGE, True)
    rest, end = await service.list_rows(work, practice.sent, before=older)
    assert (len(rest), end) == (5, None)
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=practice.station)
    counts = {
        who: len((await service.list_rows(work, actor))[0])
        for who, actor in {
            "trainee": practice.trainee,
            "colleague": colleague,
            "office": practice.trainer,
        }.items()
    }
    assert counts == {"trainee": service.PAGE, "colleague": 0, "office": service.PAGE}


# --- targets ---------------------------------------------------------------------------------


@pytest.fixture
async def package(work: UnitOfWork, make: Factory, practice: Practice) -> TransferPackage:
    hospital = await make.hospital()
    package = TransferPackage(
        title="Siêu âm cơ bản",
        number="=1+1",
        signed_on=TODAY - 90 * DAY,
        provider_id=hospital.id or 0,
        provider_representative="A",
        receiver_representative="B",
        starts_on=TODAY - 80 * DAY,
        ends_on=date(2027, 11, 1),
        created_by_id=practice.trainer.id,
        created_at=work.now(),
    )
    work.session.add(package)
    await work.session.flush()
    key = package.id or 0
    work.session.add(PackageStation(package_id=key, station_id=practice.station.id or 0))
    technique = PackageTechnique(
        package_id=key, position=1, code="18.1", name="=cmd|'/c calc'!A1", observed=1, assisted=2
    )
    work.session.add(technique)
    await work.session.flush()
    return package


async def test_targets_are_reached_by_confirmed_cases_alone(
    work: UnitOfWork, make: Factory, practice: Practice, package: TransferPackage
) -> None:
    under = replace(practice.given, package_id=package.id)
    wanted = [(Level.OBSERVED, "A1"), (Level.ASSISTED, "A2"), (Level.ASSISTED, "A3")]
    rows = [
        await service.write(
            work, practice.trainee, replace(under, level=level, reference=reference)
        )
        for level, reference in wanted
    ]
    await service.decide(work, practice.sent, [row.uid for row in rows[:2]], RowEvent.CONFIRM)

    async def line() -> Any:
        choice = await look(work, practice.trainee, package.uid)
        assert choice.summary
        return choice.summary.lines[0]

    first = await line()
    assert (first.confirmed[Level.ASSISTED], first.waiting[Level.ASSISTED]) == (1, 1)
    assert not first.is_met
    await service.decide(work, practice.sent, [rows[2].uid], RowEvent.CONFIRM)
    assert (await line()).is_met
    colleague = await make.actor(Role.COMMUNE_DOCTOR, at=practice.station)
    with pytest.raises(Missing):
        await look(work, colleague, package.uid, practice.trainee.uid)


async def test_nothing_in_the_sheet_is_a_formula(
    work: UnitOfWork, practice: Practice, package: TransferPackage
) -> None:
    await service.write(work, practice.trainee, replace(practice.given, package_id=package.id))
    choice = await look(work, practice.trainer, package.uid, practice.trainee.uid)
    assert choice.summary
    book = openpyxl.load_workbook(io.BytesIO(make_sheet(choice.summary)))
    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert "=cmd|'/c calc'!A1" in {cell.value for cell in cells}
