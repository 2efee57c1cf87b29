"""The case log through pages that work without scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import Database, UnitOfWork
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import RowState
from tests.conftest import MONDAY_MORNING, Client
from tests.factories import Factory
from tests.papers import text_of
from tests.web.forms import faults, value_of

SignIn = Callable[[Actor], Awaitable[Client]]


@dataclass
class Ward:
    """A trainee and a trainer at their browsers."""

    trainee: Client
    trainer: Client
    form: dict[str, str]


@pytest.fixture
async def ward(make: Factory, signed_in: SignIn) -> Ward:
    station = await make.facility()
    trainer = await make.actor(Role.TRAINER, full_name="Lù Thị Dạy")
    trainee = await make.actor(Role.COMMUNE_DOCTOR, at=station, full_name="Vàng A Học")
    form = {
        "technique_name": "Siêu âm ổ bụng",
        "technique_code": "18.1",
        "performed_on": "20/11/2026",
        "level": "assisted",
        "reference": "HC-1204",
        "trainer": str(trainer.id),
    }
    return Ward(await signed_in(trainee), await signed_in(trainer), form)


async def rows(database: Database) -> list[CaseRow]:
    async with database.read() as work:
        return list((await work.session.exec(select(CaseRow))).all())


async def test_a_case_is_written_given_back_changed_and_confirmed(
    ward: Ward, database: Database
) -> None:
    saved = await (await ward.trainee.post("/training/cases/new", data=ward.form)).text()
    assert "Máy chủ đã nhận ca" in saved
    assert "Chờ xác nhận" in saved
    (row,) = await rows(database)
    page = await (await ward.trainer.get("/training/cases")).text()
    for words in ("1 ca chờ bạn xác nhận", "Vàng A Học", "HC-1204"):
        assert words in page
    back = {"rows": row.uid, "act": "refuse", "reason": "Ghi mức Quan sát"}
    assert (
        "Đã trả lại" in await (await ward.trainer.post("/training/cases/decide", data=back)).text()
    )
    mine = await (await ward.trainee.get("/training/cases")).text()
    assert "Lý do: Ghi mức Quan sát" in mine
    path = f"/training/cases/{row.uid}/edit"
    revision = value_of(await (await ward.trainee.get(path)).text(), "revision") or ""
    changed = ward.form | {"level": "observed", "revision": revision}
    assert (await ward.trainee.post(path, data=changed)).status == 200
    done = await ward.trainer.post(
        "/training/cases/decide", data={"rows": row.uid, "act": "confirm"}
    )
    assert "Đã xác nhận" in await done.text()
    (row,) = await rows(database)
    assert (row.state, row.level.value) == (RowState.CONFIRMED, "observed")
    fixed = await ward.trainee.post(path, data=changed)
    assert fixed.status == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": "Lò Văn A"}, "reference"),
        ({"performed_on": "31/02/2026"}, "performed_on"),
        ({"performed_on": "24/11/2026"}, "performed_on"),
        ({"level": "watched"}, "level"),
        ({"trainer": "x"}, "trainer"),
        ({"trainer": "999999"}, "trainer"),
        ({"technique_name": ""}, "technique_name"),
        ({"technique_code": "99.9"}, "technique_code"),
        ({"package": "999999"}, "package"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_the_rest_stays(
    ward: Ward, database: Database, changes: dict[str, str], field: str
) -> None:
    refused = await ward.trainee.post("/training/cases/new", data=ward.form | changes)
    page = await refused.text()
    assert refused.status == 422
    assert list(faults(page)) == [field]
    assert value_of(page, "note") == ""
    assert value_of(page, "reference") == (ward.form | changes)["reference"]
    assert await rows(database) == []


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"act": "confirm"}, "rows"),
        ({"act": "refuse", "rows": "x" * 22}, "reason"),
        ({"act": "change", "rows": "x" * 22}, "act"),
        ({"act": "nothing", "rows": "x" * 22}, "act"),
    ],
)
async def test_a_decision_that_says_too_little_is_told_on_the_list(
    ward: Ward, form: dict[str, str], field: str
) -> None:
    await ward.trainee.post("/training/cases/new", data=ward.form)
    refused = await ward.trainer.post("/training/cases/decide", data=form)
    assert refused.status == 422
    assert list(faults(await refused.text())) == [field]


async def test_a_case_is_removed(ward: Ward, database: Database) -> None:
    await ward.trainee.post("/training/cases/new", data=ward.form)
    (row,) = await rows(database)
    removed = await ward.trainee.post(f"/training/cases/{row.uid}/remove")
    assert "Đã bỏ ca" in await removed.text()
    assert await rows(database) == []


@pytest.mark.parametrize(
    ("role", "reads", "writes", "decides"),
    [
        (Role.COMMUNE_DOCTOR, 200, 200, 403),
        (Role.ROTATED_DOCTOR, 200, 403, 404),
        (Role.TRAINER, 200, 403, 404),
        (Role.COORDINATOR, 200, 403, 403),
        (Role.SPECIALIST, 200, 403, 403),
        (Role.ADMINISTRATOR, 403, 403, 403),
    ],
)
async def test_every_role_at_every_door(
    make: Factory, signed_in: SignIn, role: Role, reads: int, writes: int, decides: int
) -> None:
    browser = await signed_in(await make.actor(role))
    form = {"rows": "x" * 22, "act": "confirm"}
    found = [
        (await browser.get("/training/cases")).status,
        (await browser.get("/training/cases/new")).status,
        (await browser.post("/training/cases/decide", data=form)).status,
    ]
    assert found == [reads, writes, decides]


async def test_the_summary_is_a_page_a_sheet_and_a_paper(
    ward: Ward, make: Factory, work: UnitOfWork, database: Database
) -> None:
    from telemed.training.packages.models import (
        PackageStation,
        PackageTechnique,
        TransferPackage,
    )

    hospital = await make.hospital()
    today = MONDAY_MORNING.date()
    station = (await make.facility()).id or 0
    package = TransferPackage(
        title="Siêu âm cơ bản",
        number="9/HĐ",
        signed_on=today - timedelta(days=90),
        provider_id=hospital.id or 0,
        provider_representative="A",
        receiver_representative="B",
        starts_on=today - timedelta(days=80),
        ends_on=today + timedelta(days=80),
        created_by_id=1,
        created_at=work.now(),
    )
    work.session.add(package)
    await work.session.flush()
    work.session.add(PackageStation(package_id=package.id or 0, station_id=station))
    work.session.add(
        PackageTechnique(package_id=package.id or 0, position=1, code="18.1", name="X", observed=1)
    )
    await work.commit()
    await ward.trainee.post("/training/cases/new", data=ward.form)
    (row,) = await rows(database)
    async with database.work() as other:
        kept = await other.session.get_one(CaseRow, row.id)
        kept.package_id = package.id
        other.session.add(kept)
    url = f"/training/cases/summary?package={package.uid}"
    page = await (await ward.trainer.get(url)).text()
    assert "đạt 0 trên 1 kỹ thuật" in page
    trainee = page.split("&amp;trainee=")[1].split('"')[0]
    query = f"package={package.uid}&trainee={trainee}"
    sheet = await ward.trainer.get(f"/training/cases/summary.xlsx?{query}")
    assert (await sheet.read())[:2] == b"PK"
    paper = await ward.trainer.get(f"/training/cases/summary.pdf?{query}")
    assert "BẢNG TỔNG HỢP CHỈ TIÊU THỰC HÀNH" in text_of(await paper.read())
    nothing = await ward.trainer.get("/training/cases/summary.xlsx")
    assert nothing.status == 409
