"""Leave, early return, weekly logs, end reports, and the paper of a decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from telemed.accounts.logins import make_actor
from telemed.accounts.models import Person, Posting
from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid, Missing
from telemed.facilities.models import Facility
from telemed.imaging.content import MediaType
from telemed.imaging.service import Arrival
from telemed.imaging.storage import Received
from telemed.training.rotations import board as boards
from telemed.training.rotations import reports, service
from telemed.training.rotations.models import Rotation, RotationKind, RotationWeek
from telemed.training.rotations.rules import Span
from telemed.training.rotations.service import RotationInput
from tests.factories import Factory
from tests.races import HANDS, Attempt, attempt_all
from tests.unit.rotations.conftest import FIRST, LAST

DAY = timedelta(days=1)
# FIRST is a Tuesday.
MONDAY = FIRST - DAY


def set_day(clock: FakeClock, day: date) -> None:
    """Morning of a day in the province."""
    clock.set(datetime(day.year, day.month, day.day, 2, tzinfo=UTC))


@pytest.fixture
async def rotation(work: UnitOfWork, coordinator: Actor, given: RotationInput) -> Rotation:
    return await service.save(work, coordinator, given)


@pytest.fixture
async def sent(work: UnitOfWork, rotation: Rotation, doctor: Person, clock: FakeClock) -> Actor:
    """Whoever was sent, on the ninth day."""
    set_day(clock, FIRST + 8 * DAY)
    return await make_actor(work, doctor)


async def field_of(refused: object) -> str:
    assert isinstance(refused, Invalid)
    return f"{refused.fields[0].field}:{refused.fields[0].code}"


# --- early return ----------------------------------------------------------------------------


async def test_rights_end_with_the_last_day_of_whoever_is_back_early(
    work: UnitOfWork,
    coordinator: Actor,
    rotation: Rotation,
    doctor: Person,
    station: Facility,
    clock: FakeClock,
) -> None:
    last = FIRST + 20 * DAY
    revision = rotation.revision
    await service.end_early(work, coordinator, rotation.uid, last, "Ốm", revision=revision)
    seen = []
    for day in (last, last + DAY):
        set_day(clock, day)
        seen.append((await make_actor(work, doctor)).station_ids)
    assert seen == [{station.id}, frozenset()]
    opened = await reports.open_rotation(work, coordinator, rotation.uid)
    assert (opened.served_days, opened.planned_days, opened.is_over) == (21, 90, True)


async def test_an_early_return_is_taken_back_by_the_planned_day(
    work: UnitOfWork, coordinator: Actor, rotation: Rotation
) -> None:
    for day, reason in ((FIRST, "Nhầm"), (LAST, "")):
        await service.end_early(
            work, coordinator, rotation.uid, day, reason, revision=rotation.revision
        )
    (posting,) = (await work.session.exec(select(Posting))).all()
    assert (rotation.ended_on, rotation.end_reason, posting.ends_on) == (None, "", LAST)


@pytest.mark.parametrize(
    ("day", "reason", "fault"),
    [
        (FIRST - DAY, "Ốm", "ended_on:day_outside"),
        (LAST + DAY, "Ốm", "ended_on:day_outside"),
        (FIRST, " ", "end_reason:reason_missing"),
        (FIRST, "a" * 301, "end_reason:text_long"),
    ],
)
async def test_a_day_that_cannot_be_and_a_missing_reason_are_refused(
    work: UnitOfWork, coordinator: Actor, rotation: Rotation, day: date, reason: str, fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await service.end_early(
            work, coordinator, rotation.uid, day, reason, revision=rotation.revision
        )
    assert await field_of(refused.value) == fault
    assert rotation.ended_on is None


async def test_who_is_back_early_may_be_sent_elsewhere_and_then_not_stay_longer(
    work: UnitOfWork, make: Factory, coordinator: Actor, rotation: Rotation, given: RotationInput
) -> None:
    last = FIRST + 5 * DAY
    await service.end_early(
        work, coordinator, rotation.uid, last, "Đổi trạm", revision=rotation.revision
    )
    other = await make.facility()
    await service.save(
        work, coordinator, replace(given, station_id=other.id or 0, starts_on=last + DAY)
    )
    with pytest.raises(Invalid) as refused:
        await service.end_early(
            work, coordinator, rotation.uid, LAST, "", revision=rotation.revision
        )
    assert await field_of(refused.value) == "ended_on:rotation_overlaps"


# --- leave -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "fault"),
    [
        (FIRST - DAY, FIRST, "leave_from:day_outside"),
        (LAST, LAST + DAY, "leave_from:day_outside"),
        (FIRST + DAY, FIRST, "leave_to:days_reversed"),
        (FIRST + 3 * DAY, FIRST + 9 * DAY, "leave_from:leave_overlaps"),
    ],
)
async def test_leave_lies_within_the_rotation_and_is_written_once(
    work: UnitOfWork, coordinator: Actor, rotation: Rotation, first: date, last: date, fault: str
) -> None:
    days = Span(FIRST + 2 * DAY, FIRST + 4 * DAY)
    await service.add_leave(work, coordinator, rotation.uid, days, "Việc nhà")
    with pytest.raises(Invalid) as refused:
        await service.add_leave(work, coordinator, rotation.uid, Span(first, last), "")
    assert await field_of(refused.value) == fault
    opened = await reports.open_rotation(work, coordinator, rotation.uid)
    assert [(leave.starts_on, leave.ends_on) for leave in opened.leaves] == [
        (days.first, days.last)
    ]


async def test_of_fifty_who_write_the_same_leave_one_does(
    database: Database, work: UnitOfWork, coordinator: Actor, rotation: Rotation
) -> None:
    await work.commit()
    days = Span(FIRST, FIRST + DAY)

    def add(number: int) -> Attempt:
        return lambda other: service.add_leave(
            other, coordinator, rotation.uid, days, f"Lần {number}"
        )

    said = Counter(await attempt_all(database, map(add, range(HANDS))))
    assert said["done"] == 1
    assert set(said) <= {"done", "leave_overlaps", "fields_invalid", "changed_meanwhile"}


async def test_who_is_on_leave_is_away_and_still_looks_after_the_station(
    work: UnitOfWork,
    coordinator: Actor,
    rotation: Rotation,
    doctor: Person,
    clock: FakeClock,
) -> None:
    leave = await service.add_leave(
        work, coordinator, rotation.uid, Span(FIRST, FIRST + 6 * DAY), "Nghỉ phép"
    )
    set_day(clock, FIRST + DAY)
    board = await boards.board(work, coordinator)
    assert board.away == frozenset([rotation.id or 0])
    assert board.present[RotationKind.CLINICAL] == 1
    assert (await make_actor(work, doctor)).station_ids
    await service.remove_leave(work, coordinator, rotation.uid, leave.uid)
    assert (await boards.board(work, coordinator)).away == frozenset()
    with pytest.raises(Missing):
        await service.remove_leave(work, coordinator, rotation.uid, leave.uid)


# --- preventive staff ------------------------------------------------------------------------


async def test_preventive_staff_are_on_the_board_without_any_right(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    given: RotationInput,
    station: Facility,
    clock: FakeClock,
) -> None:
    nurse = await make.person(Role.COMMUNE_DOCTOR)
    own = nurse.facility_id
    preventive = replace(given, person_id=nurse.id or 0, kind=RotationKind.PREVENTIVE)
    rotation = await service.save(work, coordinator, preventive)
    set_day(clock, FIRST)
    assert (await make_actor(work, nurse)).station_ids == {own}
    board = await boards.board(work, coordinator)
    assert board.present == {RotationKind.CLINICAL: 0, RotationKind.PREVENTIVE: 1}
    assert station.id in {place.station.id for place in board.vacant}
    assert rotation.posting_id is None


async def test_who_was_sent_to_treat_by_mistake_loses_the_right(
    work: UnitOfWork,
    coordinator: Actor,
    rotation: Rotation,
    given: RotationInput,
    doctor: Person,
    clock: FakeClock,
) -> None:
    set_day(clock, FIRST)
    assert (await make_actor(work, doctor)).station_ids
    corrected = replace(given, kind=RotationKind.PREVENTIVE)
    await service.save(work, coordinator, corrected, uid=rotation.uid, revision=rotation.revision)
    assert (await make_actor(work, doctor)).station_ids == frozenset()
    assert (await work.session.exec(select(Posting))).all() == []


# --- weekly log ------------------------------------------------------------------------------


async def test_a_week_is_written_changed_and_read_by_those_concerned(
    work: UnitOfWork, make: Factory, rotation: Rotation, sent: Actor, coordinator: Actor
) -> None:
    for text in ("Khám 40 ca", "Khám 41 ca,\n\n\nsiêu âm 3 ca"):
        await reports.write_week(work, sent, rotation.uid, MONDAY, text)
    opened = await reports.open_rotation(work, coordinator, rotation.uid)
    assert [(week.monday, week.text) for week in opened.weeks] == [
        (MONDAY + 7 * DAY, ""),
        (MONDAY, "Khám 41 ca,\n\nsiêu âm 3 ca"),
    ]
    assert opened.reads_reports
    colleague = await make.actor(Role.COMMUNE_DOCTOR)
    assert not (await reports.open_rotation(work, colleague, rotation.uid)).reads_reports
    mine = await reports.open_rotation(work, sent, rotation.uid)
    assert mine.week_to_write
    assert mine.week_to_write.monday == MONDAY + 7 * DAY


@pytest.mark.parametrize(
    ("monday", "text", "fault"),
    [
        (MONDAY + DAY, "x", "week:week_unknown"),
        (MONDAY - 7 * DAY, "x", "week:week_unknown"),
        (MONDAY + 14 * DAY, "x", "week:week_unknown"),
        (MONDAY, " \n ", "text:text_missing"),
        (MONDAY, "a" * 4001, "text:text_long"),
    ],
)
async def test_a_week_that_cannot_be_written_is_refused(
    work: UnitOfWork, rotation: Rotation, sent: Actor, monday: date, text: str, fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await reports.write_week(work, sent, rotation.uid, monday, text)
    assert await field_of(refused.value) == fault
    assert (await work.session.exec(select(RotationWeek))).all() == []


async def test_a_week_is_closed_a_fortnight_after_it(
    work: UnitOfWork, rotation: Rotation, sent: Actor, clock: FakeClock
) -> None:
    set_day(clock, MONDAY + 20 * DAY)
    await reports.write_week(work, sent, rotation.uid, MONDAY, "Muộn")
    set_day(clock, MONDAY + 21 * DAY)
    with pytest.raises(Invalid):
        await reports.write_week(work, sent, rotation.uid, MONDAY, "Quá muộn")


@pytest.mark.parametrize("role", [Role.ROTATED_DOCTOR, Role.COORDINATOR, Role.TRAINER])
async def test_nobody_reports_for_somebody_else(
    work: UnitOfWork, make: Factory, rotation: Rotation, sent: Actor, role: Role
) -> None:
    other = await make.actor(role)
    with pytest.raises(Missing):
        await reports.write_week(work, other, rotation.uid, MONDAY, "x")
    with pytest.raises(Missing):
        await reports.write_report(work, other, rotation.uid, "x", send=False)


async def test_fifty_saves_of_one_week_are_one_week(
    database: Database, work: UnitOfWork, rotation: Rotation, sent: Actor
) -> None:
    await work.commit()

    def write(number: int) -> Attempt:
        return lambda other: reports.write_week(other, sent, rotation.uid, MONDAY, f"Lần {number}")

    said = await attempt_all(database, map(write, range(HANDS)))
    assert set(said) == {"done"}
    async with database.read() as read:
        assert len((await read.session.exec(select(RotationWeek))).all()) == 1


# --- end report ------------------------------------------------------------------------------


async def test_the_report_is_kept_sent_in_the_last_week_and_then_fixed(
    work: UnitOfWork, rotation: Rotation, sent: Actor, clock: FakeClock
) -> None:
    await reports.write_report(work, sent, rotation.uid, "Bản nháp", send=False)
    with pytest.raises(Invalid) as early:
        await reports.write_report(work, sent, rotation.uid, "Bản nháp", send=True)
    assert await field_of(early.value) == "report:report_early"
    set_day(clock, LAST)
    with pytest.raises(Invalid) as empty:
        await reports.write_report(work, sent, rotation.uid, "  ", send=True)
    assert await field_of(empty.value) == "report:text_missing"
    await reports.write_report(work, sent, rotation.uid, "Đã dạy siêu âm", send=True)
    assert (rotation.report, rotation.report_sent_at) == ("Đã dạy siêu âm", work.now())
    with pytest.raises(Conflict) as fixed:
        await reports.write_report(work, sent, rotation.uid, "Khác", send=False)
    assert fixed.value.code == "report_sent"


# --- the decision ----------------------------------------------------------------------------


async def test_one_decision_sends_several_and_has_one_day(
    work: UnitOfWork, make: Factory, coordinator: Actor, rotation: Rotation, given: RotationInput
) -> None:
    other = await make.person(Role.ROTATED_DOCTOR)
    also = replace(given, person_id=other.id or 0)
    assert (await service.save(work, coordinator, also)).decision_id == rotation.decision_id
    third = await make.person(Role.ROTATED_DOCTOR)
    wrong = replace(also, person_id=third.id or 0, decision_date=date(2026, 11, 19))
    with pytest.raises(Invalid) as refused:
        await service.save(work, coordinator, wrong)
    assert await field_of(refused.value) == "decision_date:decision_differs"
    elsewhere = replace(wrong, issuing_body="UBND tỉnh")
    assert (await service.save(work, coordinator, elsewhere)).decision_id != rotation.decision_id


async def test_the_paper_is_read_by_the_office_and_by_whom_it_sends(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    rotation: Rotation,
    sent: Actor,
    tmp_path: object,
) -> None:
    opened = await reports.open_rotation(work, coordinator, rotation.uid)
    decision = opened.row.decision
    with pytest.raises(Missing):
        await reports.open_paper(work, coordinator, decision.uid)
    received = Received(path=tmp_path, sha256="a" * 64, size_bytes=9, head=b"%PDF-1.7")  # type: ignore[arg-type] # not looked at
    arrival = Arrival(received, MediaType.PDF, "quyet-dinh.pdf", None)
    await reports.attach_paper(work, coordinator, decision.uid, arrival)
    for reader in (coordinator, sent, await make.actor(Role.TRAINER)):
        found = await reports.open_paper(work, reader, decision.uid)
        assert (found.file_name, found.file_type) == ("quyet-dinh.pdf", "application/pdf")
    with pytest.raises(Missing):
        await reports.open_paper(work, await make.actor(Role.COMMUNE_DOCTOR), decision.uid)


# --- months ----------------------------------------------------------------------------------


async def test_the_months_tell_days_without_a_doctor_and_two_of_one_specialty(
    work: UnitOfWork, make: Factory, coordinator: Actor, given: RotationInput, station: Facility
) -> None:
    specialty = await make.specialty()
    first = replace(given, specialty_id=specialty.id)
    other = await make.person(Role.ROTATED_DOCTOR)
    second = replace(first, person_id=other.id or 0, starts_on=LAST - DAY, ends_on=LAST + DAY)
    for each in (first, second):
        await service.save(work, coordinator, each)
    timeline = await boards.timeline(work, coordinator, date(2026, 11, 1))
    (lane,) = (lane for lane in timeline.lanes if lane.station.id == station.id)
    assert timeline.span == Span(date(2026, 11, 1), date(2027, 10, 31))
    assert lane.gaps == [
        Span(date(2026, 11, 1), FIRST - DAY),
        Span(LAST + 2 * DAY, date(2027, 10, 31)),
    ]
    assert lane.doubled == [Span(LAST - DAY, LAST)]
