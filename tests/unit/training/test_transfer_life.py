"""The life of a transfer log: written by who taught, signed first by a trainer, then by all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from telemed.accounts.models import PersonState
from telemed.accounts.permissions import Actor, Role
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing
from telemed.core.records import SignedRecord
from telemed.training import transfers
from telemed.training.models import TransferState
from telemed.training.repository import LogFilter
from tests.factories import Factory
from tests.fakes import FakeAnnouncer
from tests.unit.training.classroom import METHOD, STARTS, Class, sign


async def refused(work: UnitOfWork, lesson: Class, **changes: Any) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        await transfers.start(work, lesson.author, replace(lesson.given, **changes))
    return [f"{fault.field}:{fault.code}" for fault in refusal.value.fields]


async def found(work: UnitOfWork, actor: Actor, **wanted: Any) -> list[str]:
    rows, _ = await transfers.search(work, actor, LogFilter(**wanted))
    return [log.uid for log, _ in rows]


# --- the draft -------------------------------------------------------------------------------


async def test_a_draft_is_seen_by_who_taught_and_nobody_else(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    for actor in (lesson.author, lesson.trainer):
        opened = await transfers.open_log(work, actor, log.uid)
        assert (opened.may_edit, opened.may_sign, opened.record) == (True, True, None)
        assert await found(work, actor) == [log.uid]
        assert [each.uid for each, _ in await transfers.list_awaiting(work, actor)] == [log.uid]
    other = await make.actor(Role.TRAINER)
    coordinator = await make.actor(Role.COORDINATOR)
    for actor in (*lesson.trainees, other, coordinator):
        with pytest.raises(Missing):
            await transfers.open_log(work, actor, log.uid)
        with pytest.raises(Missing):
            await sign(work, actor, log)
        assert await found(work, actor) == []
        assert await transfers.list_awaiting(work, actor) == []


async def test_a_draft_is_changed_as_a_whole_until_it_is_signed(
    work: UnitOfWork, lesson: Class
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    only = lesson.trainees[0].id
    changed = replace(lesson.given, technique_name="Đặt nội khí quản", trainee_ids=[only])
    await transfers.change(work, lesson.trainer, log.uid, changed, revision=log.revision)
    opened = await transfers.open_log(work, lesson.author, log.uid)
    assert (log.technique_name, len(opened.members)) == ("Đặt nội khí quản", 3)
    assert await found(work, lesson.author, words=("dat", "noi")) == [log.uid]
    assert await found(work, lesson.author, words=("sieu",)) == []
    await sign(work, lesson.author, log)
    with pytest.raises(Conflict) as refusal:
        await transfers.change(work, lesson.author, log.uid, changed, revision=log.revision)
    assert refusal.value.code == "record_signed"


async def test_a_change_over_a_newer_one_is_told_first(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    seen = log.revision
    fewer = replace(lesson.given, trainee_ids=[lesson.trainees[0].id])
    await transfers.change(work, lesson.trainer, log.uid, fewer, revision=seen)
    with pytest.raises(Invalid) as refusal:
        await transfers.change(work, lesson.author, log.uid, lesson.given, revision=seen)
    assert [fault.field for fault in refusal.value.fields] == ["revision"]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"ends_at": STARTS}, ["end:times_reversed"]),
        ({"ends_at": STARTS + timedelta(hours=12, minutes=1)}, ["end:too_long"]),
        (
            {
                "starts_at": STARTS + timedelta(hours=3),
                "ends_at": STARTS + timedelta(hours=4),
            },
            ["start:in_future"],
        ),
        ({"trainee_ids": []}, ["trainees:trainees_missing"]),
        ({"trainee_ids": [999_999]}, ["trainees:trainees_missing"]),
        ({"trainer_ids": []}, ["trainers:trainers_missing"]),
        ({"trainer_ids": [999_999]}, ["trainers:trainers_missing"]),
        ({"station_id": 999_999}, ["station:station_unknown", "trainees:trainees_missing"]),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    work: UnitOfWork, lesson: Class, changes: dict[str, Any], faults: list[str]
) -> None:
    assert await refused(work, lesson, **changes) == faults


async def test_only_the_stations_own_learn_and_only_who_may_teach_teaches(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    gone = await make.person(Role.COMMUNE_DOCTOR, at=lesson.station, state=PersonState.DISABLED)
    for person_id in (stranger.id, gone.id):
        assert await refused(work, lesson, trainee_ids=[person_id]) == ["trainees:trainees_missing"]
    learner = lesson.trainees[0].id
    assert await refused(work, lesson, trainer_ids=[learner], trainee_ids=[learner]) == [
        "trainers:trainers_missing"
    ]
    assert await refused(work, lesson, trainer_ids=[stranger.id]) == ["trainers:trainers_missing"]


async def test_a_rotated_doctor_writes_only_for_their_station_a_trainer_for_any(
    work: UnitOfWork, make: Factory, lesson: Class
) -> None:
    other = await make.facility()
    learner = await make.actor(Role.COMMUNE_DOCTOR, at=other)
    there = replace(lesson.given, station_id=other.id or 0, trainee_ids=[learner.id])
    with pytest.raises(Invalid):
        await transfers.start(work, lesson.author, there)
    assert (await transfers.start(work, lesson.trainer, there)).station_id == other.id
    for role in (Role.COMMUNE_DOCTOR, Role.SPECIALIST, Role.COORDINATOR):
        actor = await make.actor(role)
        with pytest.raises(Denied):
            await transfers.start(work, actor, lesson.given)


# --- signatures ------------------------------------------------------------------------------


async def test_a_log_is_fixed_by_a_trainer_and_complete_when_all_have_signed(
    work: UnitOfWork, lesson: Class, announcer: FakeAnnouncer
) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    states = []
    for actor in lesson.everybody:
        states.append((await sign(work, actor, log)).state)
        with pytest.raises(Conflict) as refusal:
            await sign(work, actor, log)
        assert refusal.value.code == "signed_already"
    await work.commit()
    assert states == [TransferState.SUBMITTED] * 3 + [TransferState.COMPLETE]
    opened = await transfers.open_log(work, lesson.trainees[0], log.uid)
    assert opened.record
    assert (opened.is_intact, opened.may_sign, opened.may_edit) == (True, False, False)
    assert all(member.signed_at for member, _ in opened.members)
    for actor in lesson.everybody[1:]:
        told = announcer.events(f"person:{actor.uid}")
        assert "transfer_awaits_signature" in told


async def test_what_is_signed_holds_the_whole_session(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await sign(work, lesson.author, log)
    (record,) = (await work.session.exec(select(SignedRecord))).all()
    content = record.content
    assert content["station"]["name"] == "Trạm Y tế Nà Tấu"
    assert content["technique"] == {"code": "18.2", "name": "Siêu âm tim cấp cứu"}
    assert content["cases"] == {"observed": 3, "assisted": 2, "performed": 1}
    assert datetime.fromisoformat(content["starts_at"]) == STARTS
    assert Counter(each["part"] for each in content["members"]) == {"trainer": 2, "trainee": 2}
    assert {each["name"] for each in content["members"]} == {
        actor.name for actor in lesson.everybody
    }


async def test_who_waits_for_a_signature_finds_it_waiting(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await sign(work, lesson.author, log)
    waiting = {}
    for actor in lesson.everybody:
        waiting[actor.id] = len(await transfers.list_awaiting(work, actor))
    assert list(waiting.values()) == [0, 1, 1, 1]
    await sign(work, lesson.trainees[0], log)
    assert await transfers.list_awaiting(work, lesson.trainees[0]) == []


async def test_nobody_signs_for_another(work: UnitOfWork, make: Factory, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)
    await sign(work, lesson.author, log)
    outsiders = [
        await make.actor(Role.TRAINER),
        await make.actor(Role.COMMUNE_DOCTOR, at=lesson.station),
        await make.actor(Role.COORDINATOR),
    ]
    for actor in outsiders:
        with pytest.raises(Missing):
            await sign(work, actor, log)
        with pytest.raises(Missing):
            await transfers.add_addendum(work, actor, log.uid, text="a", reason="b", method=METHOD)


async def test_anybody_of_the_class_adds_to_what_is_signed(work: UnitOfWork, lesson: Class) -> None:
    log = await transfers.start(work, lesson.author, lesson.given)

    async def add(actor: Actor, text: str) -> SignedRecord:
        return await transfers.add_addendum(
            work, actor, log.uid, text=text, reason="Sửa số ca", method=METHOD
        )

    with pytest.raises(Missing):
        await add(lesson.author, "Sớm")
    await sign(work, lesson.author, log)
    await add(lesson.trainees[1], "Tôi chỉ quan sát")
    await add(lesson.trainer, "Đúng")
    opened = await transfers.open_log(work, lesson.author, log.uid)
    told = [(each.content["text"], each.content["reason"]) for each in opened.addenda]
    assert told == [("Tôi chỉ quan sát", "Sửa số ca"), ("Đúng", "Sửa số ca")]
    assert opened.is_intact
