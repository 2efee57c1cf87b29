"""Packages are recorded, changed until they are used, ended, and found while they run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from telemed.accounts.permissions import GRANTS, Action, Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.records import SignedRecord
from telemed.facilities.models import Facility
from telemed.training import transfers
from telemed.training.models import TransferPlace, TransferType
from telemed.training.packages import service
from telemed.training.packages.models import PackageTechnique, TransferPackage
from telemed.training.packages.rules import PackageState, TypedTechnique
from telemed.training.packages.service import PackageInput
from telemed.training.techniques.rules import Entry
from telemed.training.techniques.service import import_entries
from telemed.training.transfer_input import TransferInput
from tests.factories import Factory
from tests.races import HANDS, attempt_all
from tests.unit.training.classroom import sign

TODAY = date(2026, 11, 23)
MONTH = timedelta(days=30)


@dataclass
class Office:
    """A coordinator, a station, and who teaches and learns there."""

    coordinator: Actor
    station: Facility
    teacher: Actor
    trainee: Actor
    given: PackageInput


@pytest.fixture
async def office(make: Factory) -> Office:
    hospital = await make.hospital()
    station = await make.facility()
    given = PackageInput(
        title="Siêu âm cơ bản 2026",
        number="09/HĐCG",
        signed_on=TODAY - 2 * MONTH,
        starts_on=TODAY - MONTH,
        ends_on=TODAY + MONTH,
        provider=hospital.code,
        provider_representative="BS Lò Văn A",
        receiver_representative="BS Cà Thị B",
        stations=frozenset({station.code}),
        techniques=[
            TypedTechnique("18.20", "Siêu âm tim", "5"),
            TypedTechnique("18.1", "Siêu âm ổ bụng", "5", "5", "5", "10"),
        ],
        survey="Có máy",
        outline="Mỗi tháng một tuần",
    )
    return Office(
        coordinator=await make.actor(Role.COORDINATOR),
        station=station,
        teacher=await make.actor(Role.ROTATED_DOCTOR, posted_to=station),
        trainee=await make.actor(Role.COMMUNE_DOCTOR, at=station),
        given=given,
    )


async def create(work: UnitOfWork, office: Office, **changes: Any) -> TransferPackage:
    return await service.create(work, office.coordinator, replace(office.given, **changes))


def lesson(
    work: UnitOfWork, office: Office, package: TransferPackage | None, days_ago: int = 1
) -> TransferInput:
    starts = work.now().astimezone(LOCAL_ZONE) - timedelta(days=days_ago)
    return TransferInput(
        station_id=office.station.id or 0,
        technique_name="Siêu âm tim",
        technique_code="18.20",
        type=TransferType.HANDS_ON,
        place=TransferPlace.ON_SITE,
        starts_at=starts,
        ends_at=starts + timedelta(hours=1),
        trainer_ids=[office.teacher.id],
        trainee_ids=[office.trainee.id],
        observed=1,
        package_id=package.id if package else None,
    )


async def test_a_package_keeps_what_was_agreed_in_its_order(
    work: UnitOfWork, office: Office
) -> None:
    await import_entries(work, [Entry("18.1", "Siêu âm ổ bụng"), Entry("1.57", "Thở oxy")])
    rows = [*office.given.techniques, TypedTechnique(), TypedTechnique("1.57", performed="3")]
    package = await create(work, office, techniques=rows)
    await import_entries(work, [Entry("1.57", "Thở oxy gọng kính")])
    row = await service.get_package(work, office.trainee, package.uid)
    assert [(each.code, each.name, each.performed) for each in row.techniques] == [
        ("18.20", "Siêu âm tim", 0),
        ("18.1", "Siêu âm ổ bụng", 10),
        ("1.57", "Thở oxy", 3),
    ]
    assert [each.id for each in row.stations] == [office.station.id]
    assert (row.state, row.sessions, row.may_change) == (PackageState.RUNNING, 0, True)


@pytest.mark.parametrize(
    ("starts", "ends", "state"),
    [
        (-MONTH, timedelta(), PackageState.RUNNING),
        (timedelta(), MONTH, PackageState.RUNNING),
        (timedelta(days=1), MONTH, PackageState.TO_COME),
        (-2 * MONTH, timedelta(days=-1), PackageState.OVER),
    ],
)
async def test_packages_are_listed_by_where_they_stand(
    work: UnitOfWork, office: Office, starts: timedelta, ends: timedelta, state: PackageState
) -> None:
    package = await create(work, office, starts_on=TODAY + starts, ends_on=TODAY + ends)
    for asked in PackageState:
        rows = await service.list_packages(work, office.teacher, asked)
        assert [row.package.uid for row in rows] == [package.uid] * (asked is state)
    running = await service.list_running(work, office.station.id or 0, TODAY)
    assert [each.uid for each in running] == [package.uid] * (state is PackageState.RUNNING)
    assert len(await service.list_packages(work, office.teacher)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"number": "\u200b"}, "number"),
        ({"provider": "nowhere"}, "provider"),
        ({"stations": frozenset({"nowhere"})}, "stations"),
        ({"ends_on": TODAY + 40 * MONTH}, "ends_on"),
        ({"techniques": []}, "code.0"),
        ({"techniques": [TypedTechnique("18.1", "a")]}, "observed.0"),
    ],
)
async def test_a_refused_package_names_the_field_and_leaves_nothing(
    work: UnitOfWork, office: Office, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await create(work, office, **changes)
    assert [error.field for error in refusal.value.fields] == [field]
    assert await service.list_packages(work, office.coordinator) == []


async def test_a_station_transfers_nothing(work: UnitOfWork, office: Office) -> None:
    with pytest.raises(Invalid):
        await create(work, office, provider=office.station.code)


async def test_one_number_may_stand_for_a_package_of_each_hospital(
    work: UnitOfWork, office: Office, make: Factory
) -> None:
    await create(work, office)
    other = await make.facility((await make.hospital()).kind)
    await create(work, office, provider=other.code)
    await work.commit()
    with pytest.raises(Conflict) as refusal:
        await create(work, office)
    await work.rollback()
    assert [error.field for error in refusal.value.fields] == ["number"]


async def test_fifty_who_register_one_number_register_it_once(
    database: Database, work: UnitOfWork, office: Office
) -> None:
    await work.commit()
    said = Counter(await attempt_all(database, [lambda other: create(other, office)] * HANDS))
    assert said == {"done": 1, "package_exists": HANDS - 1}
    async with database.read() as read:
        assert len((await read.session.exec(select(PackageTechnique))).all()) == 2


async def test_a_package_is_changed_as_a_whole_and_a_stale_change_is_told(
    work: UnitOfWork, office: Office
) -> None:
    package = await create(work, office)
    seen = package.revision
    other = replace(office.given, techniques=[TypedTechnique("1.57", "Thở oxy", "1")])
    await service.change(work, office.coordinator, package.uid, other, revision=seen)
    row = await service.get_package(work, office.coordinator, package.uid)
    assert [each.code for each in row.techniques] == ["1.57"]
    with pytest.raises(Invalid) as refusal:
        await service.change(work, office.coordinator, package.uid, office.given, revision=seen)
    assert [error.field for error in refusal.value.fields] == ["revision"]


async def test_fifty_who_change_one_package_do_it_once(
    database: Database, work: UnitOfWork, office: Office
) -> None:
    package = await create(work, office)
    await work.commit()
    uid, seen = package.uid, package.revision
    said = Counter(
        await attempt_all(
            database,
            [
                lambda other: service.change(
                    other, office.coordinator, uid, office.given, revision=seen
                )
            ]
            * HANDS,
        )
    )
    assert said == {"done": 1, "changed_meanwhile": HANDS - 1}


async def test_a_package_that_a_session_refers_to_is_only_ended(
    work: UnitOfWork, office: Office, clock: FakeClock
) -> None:
    package = await create(work, office)
    await transfers.start(work, office.teacher, lesson(work, office, package))
    revision = package.revision
    with pytest.raises(Conflict) as refusal:
        await service.change(work, office.coordinator, package.uid, office.given, revision=revision)
    assert refusal.value.code == "package_in_use"
    for day, reason, fields in (
        (TODAY - 2 * timedelta(days=1), "Máy hỏng", ["ended_on"]),
        (TODAY + 2 * MONTH, "", ["reason", "ended_on"]),
    ):
        with pytest.raises(Invalid) as wrong:
            await service.end(work, office.coordinator, package.uid, day, reason)
        assert [error.field for error in wrong.value.fields] == fields
    await service.end(work, office.coordinator, package.uid, TODAY, "Máy hỏng")
    assert (await service.get_package(work, office.teacher, package.uid)).state == "running"
    clock.advance(timedelta(days=1))
    row = await service.get_package(work, office.teacher, package.uid)
    assert (row.state, row.sessions, row.may_end) == (PackageState.OVER, 1, False)
    with pytest.raises(Conflict):
        await service.end(work, office.coordinator, package.uid, TODAY, "Lần nữa")


async def test_what_is_over_is_not_ended(work: UnitOfWork, office: Office) -> None:
    package = await create(work, office, ends_on=TODAY - timedelta(days=1))
    with pytest.raises(Conflict) as refusal:
        await service.end(work, office.coordinator, package.uid, TODAY - MONTH, "Muộn")
    assert refusal.value.code == "package_over"


async def test_what_was_ended_is_not_changed(work: UnitOfWork, office: Office) -> None:
    package = await create(work, office)
    await service.end(work, office.coordinator, package.uid, TODAY, "Máy hỏng")
    await work.session.flush()
    with pytest.raises(Conflict) as refusal:
        await service.change(
            work, office.coordinator, package.uid, office.given, revision=package.revision
        )
    assert refusal.value.code == "package_ended"


# --- sessions under a package ----------------------------------------------------------------


async def test_what_is_signed_names_the_package(work: UnitOfWork, office: Office) -> None:
    package = await create(work, office)
    log = await transfers.start(work, office.teacher, lesson(work, office, package))
    await sign(work, office.teacher, log)
    opened = await transfers.open_log(work, office.teacher, log.uid)
    assert opened.package
    assert opened.package.uid == package.uid
    (record,) = (await work.session.exec(select(SignedRecord))).all()
    assert record.content["package"] == {"number": "09/HĐCG", "title": "Siêu âm cơ bản 2026"}
    assert opened.is_intact


async def test_a_session_need_not_be_under_a_package(work: UnitOfWork, office: Office) -> None:
    log = await transfers.start(work, office.teacher, lesson(work, office, None))
    await sign(work, office.teacher, log)
    (record,) = (await work.session.exec(select(SignedRecord))).all()
    assert record.content["package"] is None


@pytest.mark.parametrize(
    ("changes", "days_ago"),
    [
        ({"ends_on": TODAY - timedelta(days=2)}, 1),
        ({"starts_on": TODAY}, 1),
        ({}, 40),
    ],
)
async def test_a_package_that_did_not_run_on_the_day_is_refused(
    work: UnitOfWork, office: Office, changes: dict[str, Any], days_ago: int
) -> None:
    package = await create(work, office, **changes)
    with pytest.raises(Invalid) as refusal:
        await transfers.start(work, office.teacher, lesson(work, office, package, days_ago))
    assert [error.field for error in refusal.value.fields] == ["package"]


async def test_the_package_of_another_station_is_refused_like_an_unknown_one(
    work: UnitOfWork, office: Office, make: Factory
) -> None:
    other = await make.facility()
    package = await create(work, office, stations=frozenset({other.code}))
    told = []
    for given in (
        lesson(work, office, package),
        replace(lesson(work, office, None), package_id=999_999),
    ):
        with pytest.raises(Invalid) as refusal:
            await transfers.start(work, office.teacher, given)
        told.append([(error.field, error.code) for error in refusal.value.fields])
    assert told == [[("package", "package_unknown")]] * 2


async def test_sessions_and_changes_at_once_leave_no_session_under_a_changed_package(
    database: Database, work: UnitOfWork, office: Office
) -> None:
    package = await create(work, office)
    await work.commit()
    uid, seen, teaching = package.uid, package.revision, lesson(work, office, package)
    other = replace(office.given, stations=frozenset({(await _other(work)).code}))
    await work.commit()
    said = await attempt_all(
        database,
        [
            lambda own: transfers.start(own, office.teacher, teaching),
            lambda own: service.change(own, office.coordinator, uid, other, revision=seen),
        ]
        * 10,
    )
    logged, changed = said[::2].count("done"), said[1::2].count("done")
    assert bool(logged) != bool(changed)


async def _other(work: UnitOfWork) -> Facility:
    return await Factory(work).facility(code="OTHER")


# --- who, and the record ---------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
async def test_each_role_has_its_functions(
    work: UnitOfWork, office: Office, make: Factory, role: Role
) -> None:
    actor = await make.actor(role)
    package = await create(work, office)
    if role in GRANTS[Action.PACKAGE_READ]:
        await service.get_package(work, actor, package.uid)
        with pytest.raises(Missing):
            await service.get_package(work, actor, "x" * 22)
    else:
        with pytest.raises(Denied):
            await service.get_package(work, actor, package.uid)
        with pytest.raises(Denied):
            await service.list_packages(work, actor)
    if role in GRANTS[Action.PACKAGE_WRITE]:
        await service.create(work, actor, replace(office.given, number="2"))
        return
    for attempt in (
        service.create(work, actor, office.given),
        service.change(work, actor, package.uid, office.given, revision=1),
        service.end(work, actor, package.uid, TODAY, "Thử"),
    ):
        with pytest.raises(Denied):
            await attempt


async def test_every_act_is_on_record(work: UnitOfWork, office: Office) -> None:
    package = await create(work, office)
    await service.change(
        work, office.coordinator, package.uid, office.given, revision=package.revision
    )
    await service.end(work, office.coordinator, package.uid, TODAY, "Máy hỏng")
    await work.commit()
    records = (await work.session.exec(select(AuditRecord))).all()
    acts = [each.detail["act"] for each in records if each.tag is AuditTag.PACKAGE_CHANGE]
    assert acts == ["create", "change", "end"]
