"""Entrustment and acceptance through pages that work without scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level
from telemed.training.entrustment.models import Acceptance, Entrustment, Recheck
from tests.conftest import Client
from tests.factories import Factory
from tests.people import PASSWORD, code_at, give_password, give_second_factor
from tests.unit.entrustment.conftest import CODE, practised
from tests.web.forms import faults

SignIn = Callable[[Actor], Awaitable[Client]]


@dataclass
class Hospital:
    """A trainer, an assessor, the station's doctor, and cases that are confirmed."""

    trainer: Client
    assessor: Client
    doctor: Client
    doctor_uid: str
    doctor_actor: Actor
    station: Facility
    rows: list[CaseRow]
    secrets: dict[str, str]
    clock: FakeClock

    def sign(self, who: str) -> dict[str, str]:
        self.clock.advance(timedelta(seconds=30))
        return {"password": PASSWORD, "code": code_at(self.secrets[who], self.clock.now())}

    async def decide(self, **changes: str | list[str]) -> str:
        form: dict[str, str | list[str]] = {
            "technique": CODE,
            "level": "4",
            "basis": "summative",
            "limits": "Chỉ người lớn",
            "expires_on": "23/11/2027",
            "evidence": [row.uid for row in self.rows],
        }
        path = f"/training/people/{self.doctor_uid}/decide"
        answer = await self.trainer.post(path, data=form | self.sign("trainer") | changes)
        return await answer.text()

    async def accept(self, **changes: str) -> str:
        path = f"/training/acceptances/new?station={self.station.id}&technique={CODE}"
        form = {
            "station": str(self.station.id),
            "technique": CODE,
            "verdict": "passed",
            "findings": "Đã xem ba ca",
        }
        answer = await self.assessor.post(path, data=form | self.sign("assessor") | changes)
        return await answer.text()


@pytest.fixture
async def hospital(
    work: UnitOfWork, make: Factory, accounts: Accounts, signed_in: SignIn, clock: FakeClock
) -> Hospital:
    station = await make.facility(name="Trạm Y tế Nà Tấu")
    doctor = await make.person(Role.COMMUNE_DOCTOR, at=station, full_name="Lường Văn Thoan")
    trainer = await make.person(Role.TRAINER, full_name="Lù Thị Dạy")
    assessor = await make.person(Role.SPECIALIST, full_name="Tòng Văn Xét")
    secrets = {}
    for name, person in (("trainer", trainer), ("assessor", assessor)):
        await give_password(work, accounts, person)
        secrets[name] = await give_second_factor(work, accounts, person)
    actors = [await make.actor_of(person) for person in (trainer, assessor, doctor)]
    rows = [
        await practised(work, actors[2], actors[0], level, number)
        for number, level in enumerate(Level, start=1)
    ]
    return Hospital(
        trainer=await signed_in(actors[0]),
        assessor=await signed_in(actors[1]),
        doctor=await signed_in(actors[2]),
        doctor_uid=doctor.uid,
        doctor_actor=actors[2],
        station=station,
        rows=rows,
        secrets=secrets,
        clock=clock,
    )


async def test_from_the_cases_to_the_answer_after_three_months(
    hospital: Hospital, database: Database, signed_in: SignIn
) -> None:
    person = await hospital.trainer.get(f"/training/people/{hospital.doctor_uid}")
    assert "Quyết định mức" in await person.text()
    decided = await hospital.decide()
    for words in ("Đã ký quyết định", "Mức 4: Tự làm", "Chỉ người lớn", "HC-1"):
        assert words in decided
    accepted = await hospital.accept()
    for words in ("Đã ký nghiệm thu", "Đã xem ba ca", "đến hạn 23/02/2027"):
        assert words in accepted
    matrix = await (await hospital.doctor.get("/training/matrix")).text()
    for words in ("Lường Văn Thoan", "Siêu âm ổ bụng", "<b>4</b>", "đạt"):
        assert words in matrix
    async with database.read() as work:
        (made,) = (await work.session.exec(select(Acceptance))).all()
        asked = (await work.session.exec(select(Recheck))).all()
    path = f"/training/acceptances/{made.uid}"
    assert "kỹ thuật còn làm không?" not in await (await hospital.doctor.get(path)).text()
    approved = await hospital.trainer.post(
        f"{path}/approval", data={"number": "12/QĐ-TYT", "approved_on": "23/11/2026"}
    )
    assert "12/QĐ-TYT, 23/11/2026" in await approved.text()
    hospital.clock.advance(timedelta(days=93))
    doctor = await signed_in(hospital.doctor_actor)
    assert "Sau 3 tháng: kỹ thuật còn làm không?" in await (await doctor.get(path)).text()
    first = min(asked, key=lambda each: each.months)
    form = {"recheck": first.uid, "is_still_done": "true", "times": ""}
    assert "times" in faults(await (await doctor.post(f"{path}/answer", data=form)).text())
    told = await doctor.post(f"{path}/answer", data=form | {"times": "7"})
    answered = await told.text()
    for words in ("Máy chủ đã nhận trả lời", "7 lần", "Còn làm"):
        assert words in answered


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"level": "6"}, "level"),
        ({"level": ""}, "level"),
        ({"basis": "mean"}, "basis"),
        ({"limits": ""}, "limits"),
        ({"limits": "a" * 501}, "limits"),
        ({"expires_on": "31/02/2027"}, "expires_on"),
        ({"expires_on": "01/01/2026"}, "expires_on"),
        ({"expires_on": "01/01/9999"}, "expires_on"),
        ({"evidence": []}, "evidence"),
        ({"evidence": ["x"]}, "evidence"),
        ({"password": "sai-mat-khau"}, "password"),
        ({"code": "000000"}, "code"),
    ],
)
async def test_a_decision_that_cannot_be_names_its_field(
    hospital: Hospital, database: Database, changes: dict[str, str | list[str]], field: str
) -> None:
    assert field in faults(await hospital.decide(**changes))
    async with database.read() as work:
        assert (await work.session.exec(select(Entrustment))).all() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"verdict": "perhaps"}, "verdict"),
        ({"verdict": "passed"}, "verdict"),
        ({"verdict": "conditional"}, "conditions"),
        ({"verdict": "failed", "findings": ""}, "findings"),
        ({"verdict": "failed", "password": "sai-mat-khau"}, "password"),
    ],
)
async def test_an_acceptance_that_cannot_be_names_its_field(
    hospital: Hospital, database: Database, changes: dict[str, str], field: str
) -> None:
    assert field in faults(await hospital.accept(**changes))
    async with database.read() as work:
        assert (await work.session.exec(select(Acceptance))).all() == []


async def test_whoever_taught_it_is_told_before_anything_is_typed(hospital: Hospital) -> None:
    path = f"/training/acceptances/new?station={hospital.station.id}&technique={CODE}"
    page = await (await hospital.trainer.get(path)).text()
    assert "không nghiệm thu nó" in page
    assert "Ký nghiệm thu" not in page


async def test_a_decision_is_withdrawn_with_a_reason(
    hospital: Hospital, database: Database
) -> None:
    await hospital.decide()
    async with database.read() as work:
        (made,) = (await work.session.exec(select(Entrustment))).all()
    path = f"/training/entrustments/{made.uid}"
    empty = await hospital.trainer.post(f"{path}/withdraw", data=hospital.sign("trainer"))
    assert "reason" in faults(await empty.text())
    form = {"reason": "Máy hỏng", **hospital.sign("trainer")}
    done = await (await hospital.trainer.post(f"{path}/withdraw", data=form)).text()
    for words in ("Đã rút quyết định", "Máy hỏng"):
        assert words in done


async def test_other_stations_find_nothing(
    hospital: Hospital, make: Factory, signed_in: SignIn, database: Database
) -> None:
    await hospital.decide()
    async with database.read() as work:
        (made,) = (await work.session.exec(select(Entrustment))).all()
    other = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for path in (f"/training/entrustments/{made.uid}", f"/training/people/{hospital.doctor_uid}"):
        assert (await other.get(path)).status == 404
    assert "Lường Văn Thoan" not in await (await other.get("/training/matrix")).text()
