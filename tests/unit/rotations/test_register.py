"""The rotation register: who is sent where, and what somebody may do there on which day."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from telemed.accounts.logins import make_actor
from telemed.accounts.models import Person, PersonState, Posting
from telemed.accounts.permissions import Actor, Role
from telemed.accounts.postings import post
from telemed.consults import service as consults
from telemed.consults.lifecycle import ConsultState
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Invalid, Missing
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.rotations import board as boards
from telemed.training.rotations import service as rotations
from telemed.training.rotations.models import RotationKind
from telemed.training.rotations.repository import get_row
from telemed.training.rotations.service import RotationInput
from tests.factories import Factory
from tests.races import HANDS, Attempt, attempt_all
from tests.unit.rotations.conftest import FIRST, LAST


async def refused(work: UnitOfWork, coordinator: Actor, given: RotationInput) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        await rotations.save(work, coordinator, given)
    return [f"{fault.field}:{fault.code}" for fault in refusal.value.fields]


# --- the register ----------------------------------------------------------------------------


async def test_a_rotation_is_registered_with_its_home_unit_and_on_record(
    work: UnitOfWork, coordinator: Actor, given: RotationInput, doctor: Person
) -> None:
    rotation = await rotations.save(work, coordinator, given)
    await work.commit()
    assert (rotation.home_unit_id, rotation.tasks) == (doctor.facility_id, "Siêu âm tim cấp cứu")
    (record,) = (await work.session.exec(select(AuditRecord))).all()
    assert (record.tag, record.person_id) == (AuditTag.ROTATION_CHANGE, coordinator.id)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"ends_on": FIRST - timedelta(days=1)}, ["ends_on:days_reversed"]),
        ({"ends_on": FIRST + timedelta(days=1099)}, ["ends_on:too_long"]),
        ({"decision_date": FIRST + timedelta(days=1)}, ["decision_date:decision_late"]),
        (
            {"decision_date": LAST, "ends_on": date(2026, 1, 1)},
            ["ends_on:days_reversed", "decision_date:decision_late"],
        ),
        ({"person_id": 999_999}, ["person:person_unknown"]),
        ({"station_id": 999_999}, ["station:station_unknown"]),
        ({"specialty_id": 999_999}, ["specialty:specialty_unknown"]),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    work: UnitOfWork,
    coordinator: Actor,
    given: RotationInput,
    changes: dict[str, object],
    faults: list[str],
) -> None:
    assert await refused(work, coordinator, replace(given, **changes)) == faults  # type: ignore[arg-type] # each of its own type


@pytest.mark.parametrize("days", [0, 1098])
async def test_one_day_and_three_years_can_be(
    work: UnitOfWork, coordinator: Actor, given: RotationInput, days: int
) -> None:
    whole = replace(given, decision_date=FIRST, ends_on=FIRST + timedelta(days=days))
    rotation = await rotations.save(work, coordinator, whole)
    assert rotation.ends_on - rotation.starts_on == timedelta(days=days)


async def test_only_who_may_rotate_is_sent_and_only_to_a_station(
    work: UnitOfWork, make: Factory, coordinator: Actor, given: RotationInput
) -> None:
    specialist = await make.person(Role.SPECIALIST)
    gone = await make.person(Role.ROTATED_DOCTOR, state=PersonState.DISABLED)
    hospital = await make.facility(FacilityKind.HOSPITAL)
    for person in (specialist, gone):
        wrong = replace(given, person_id=person.id or 0)
        assert await refused(work, coordinator, wrong) == ["person:person_unknown"]
    wrong = replace(given, station_id=hospital.id or 0)
    assert await refused(work, coordinator, wrong) == ["station:station_unknown"]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COORDINATOR])
async def test_only_coordinators_keep_the_register(
    work: UnitOfWork, make: Factory, given: RotationInput, role: Role
) -> None:
    actor = await make.actor(role)
    with pytest.raises(Denied):
        await rotations.save(work, actor, given)


def elsewhere(given: RotationInput, other: Facility, starts: date, ends: date) -> RotationInput:
    place = replace(
        given,
        station_id=other.id or 0,
        decision_number="7/QĐ-SYT",
        decision_date=date(2026, 1, 1),
    )
    return replace(place, starts_on=starts, ends_on=ends)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (FIRST, LAST),
        (LAST, LAST + timedelta(days=9)),
        (FIRST - timedelta(days=9), FIRST),
        (FIRST - timedelta(days=9), LAST + timedelta(days=9)),
        (FIRST + timedelta(days=1), FIRST + timedelta(days=1)),
    ],
)
async def test_nobody_is_in_two_places_on_one_day(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    given: RotationInput,
    starts: date,
    ends: date,
) -> None:
    await rotations.save(work, coordinator, given)
    second = elsewhere(given, await make.facility(), starts, ends)
    assert await refused(work, coordinator, second) == ["starts_on:rotation_overlaps"]
    assert len((await work.session.exec(select(Posting))).all()) == 1


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (LAST + timedelta(days=1), LAST + timedelta(days=9)),
        (FIRST - timedelta(days=9), FIRST - timedelta(days=1)),
    ],
)
async def test_one_rotation_may_follow_another_the_next_day(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    given: RotationInput,
    starts: date,
    ends: date,
) -> None:
    await rotations.save(work, coordinator, given)
    await rotations.save(work, coordinator, elsewhere(given, await make.facility(), starts, ends))
    assert len((await work.session.exec(select(Posting))).all()) == 2


async def test_of_fifty_rotations_of_one_person_at_once_one_is_registered(
    database: Database,
    work: UnitOfWork,
    coordinator: Actor,
    given: RotationInput,
) -> None:
    await work.commit()

    def register(number: int) -> Attempt:
        days = timedelta(days=number)
        shifted = replace(given, starts_on=FIRST + days, ends_on=LAST + days)
        return lambda other: rotations.save(other, coordinator, shifted)

    outcomes = Counter(await attempt_all(database, map(register, range(HANDS))))
    assert outcomes == {"done": 1, "rotation_overlaps": HANDS - 1}
    async with database.read() as read:
        assert len((await read.session.exec(select(Posting))).all()) == 1


async def test_a_correction_moves_the_rights_with_it(
    work: UnitOfWork, make: Factory, coordinator: Actor, given: RotationInput
) -> None:
    rotation = await rotations.save(work, coordinator, given)
    other = await make.facility()
    changed = replace(given, station_id=other.id or 0, ends_on=LAST + timedelta(days=7))
    again = await rotations.save(
        work, coordinator, changed, uid=rotation.uid, revision=rotation.revision
    )
    (posting,) = (await work.session.exec(select(Posting))).all()
    assert again.uid == rotation.uid
    assert (posting.facility_id, posting.ends_on) == (other.id, LAST + timedelta(days=7))


async def test_a_correction_over_a_newer_one_is_told_first(
    work: UnitOfWork, coordinator: Actor, given: RotationInput
) -> None:
    rotation = await rotations.save(work, coordinator, given)
    seen = rotation.revision
    newer = replace(given, decision_number="124/QĐ-SYT")
    await rotations.save(work, coordinator, newer, uid=rotation.uid, revision=seen)
    with pytest.raises(Invalid) as refusal:
        await rotations.save(work, coordinator, given, uid=rotation.uid, revision=seen)
    assert [fault.field for fault in refusal.value.fields] == ["revision"]
    row = await get_row(work, rotation.uid)
    assert row.decision.number == "124/QĐ-SYT"
    with pytest.raises(Missing):
        await rotations.save(work, coordinator, given, uid="x" * 22)


async def test_an_old_rotation_can_be_corrected_after_its_person_left(
    work: UnitOfWork, coordinator: Actor, given: RotationInput, doctor: Person
) -> None:
    rotation = await rotations.save(work, coordinator, given)
    doctor.state = PersonState.DISABLED
    work.session.add(doctor)
    shorter = replace(given, ends_on=FIRST)
    changed = await rotations.save(
        work, coordinator, shorter, uid=rotation.uid, revision=rotation.revision
    )
    assert changed.ends_on == FIRST


async def test_the_board_tells_who_is_where_today(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    given: RotationInput,
    station: Facility,
    clock: FakeClock,
) -> None:
    vacant = await make.facility(name="Trạm trống")
    await make.facility(name="Trạm đã đóng", is_active=False)
    await rotations.save(work, coordinator, given)
    groups = []
    for day in (FIRST - timedelta(days=1), FIRST, LAST - timedelta(days=30), LAST):
        clock.set(datetime(day.year, day.month, day.day, 2, tzinfo=UTC))
        board = await boards.board(work, coordinator)
        groups.append(
            (
                station.id in {place.station.id for place in board.vacant},
                [place.station.id for place in board.staffed],
                [place.station.id for place in board.ending],
                board.present[RotationKind.CLINICAL],
            )
        )
    here = [station.id]
    assert groups == [(True, [], [], 0), (False, here, [], 1), *[(False, [], here, 1)] * 2]
    empty = {place.station.name for place in board.vacant}
    assert (vacant.name in empty, "Trạm đã đóng" in empty) == (True, False)


# --- rights by day ---------------------------------------------------------------------------


async def test_a_rotated_doctor_looks_after_the_station_from_the_first_day_to_the_last(
    work: UnitOfWork,
    make: Factory,
    coordinator: Actor,
    given: RotationInput,
    station: Facility,
    doctor: Person,
    clock: FakeClock,
) -> None:
    case = await make.case(
        ConsultState.ACCEPTED, doctor=await make.actor(Role.COMMUNE_DOCTOR, at=station)
    )
    await rotations.save(work, coordinator, given)

    async def reads(at: datetime) -> bool:
        clock.set(at)
        actor = await make_actor(work, doctor)
        try:
            await consults.get_case(work, actor, case.consult.uid)
        except Missing:
            return False
        return actor.station_ids == {station.id}

    # Days begin at midnight in Điện Biên, seven hours before they do in Greenwich.
    first = datetime(2026, 11, 30, 17, tzinfo=UTC)
    after = datetime(2027, 2, 28, 17, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert [await reads(at) for at in (first - second, first, after - second, after)] == [
        False,
        True,
        True,
        False,
    ]


async def test_a_rotation_gives_no_rights_to_whoever_lost_the_role(
    work: UnitOfWork, make: Factory, station: Facility
) -> None:
    person = await make.person(Role.SPECIALIST)
    today = work.now().date()
    await post(
        work,
        person_id=person.id or 0,
        facility_id=station.id or 0,
        starts_on=today,
        ends_on=today,
    )
    assert (await make_actor(work, person)).station_ids == frozenset()


async def test_a_posting_is_made_once_and_then_moved(
    work: UnitOfWork, make: Factory, doctor: Person, station: Facility
) -> None:
    other = await make.facility()
    whom, where = doctor.id or 0, station.id or 0
    first = await post(work, person_id=whom, facility_id=where, starts_on=FIRST, ends_on=LAST)
    moved = await post(
        work,
        person_id=whom,
        facility_id=other.id or 0,
        starts_on=FIRST,
        ends_on=LAST,
        posting_id=first.id,
    )
    rows = (await work.session.exec(select(Posting).order_by(col(Posting.id)))).all()
    assert [(row.id, row.facility_id) for row in rows] == [(moved.id, other.id)]
