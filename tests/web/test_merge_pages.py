"""Joining two files through a browser without scripts: found, compared, joined, parted."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.core.db import Database, UnitOfWork
from telemed.patients.merging.models import PatientMerge
from telemed.patients.models import Patient, TemporaryReason
from tests.factories import Case, Factory

Client = TestClient[web.Request, web.Application]
SignIn = Callable[[Actor], Awaitable[Client]]
JOIN = {"basis": "document", "note": "Người nhà mang thẻ", "accepted": "name"}


@dataclass
class Desk:
    """The browser of a station's doctor, with a case of somebody unknown and the real file."""

    case: Case
    real: Patient
    browser: Client

    @property
    def url(self) -> str:
        return f"/patients/{self.case.patient.uid}/merge"

    async def page(self, url: str) -> str:
        answer = await self.browser.get(url)
        assert answer.status == 200, url
        return await answer.text()


@pytest.fixture
async def desk(make: Factory, work: UnitOfWork, signed_in: SignIn) -> Desk:
    case = await make.case()
    unknown = case.patient
    unknown.full_name, unknown.folded_name = "Nữ áo đỏ", "nu ao do"
    unknown.personal_number, unknown.temporary_code = None, "TT-T0001-261123-0001"
    unknown.temporary_reason = TemporaryReason.UNKNOWN_PERSON
    unknown.phone = "0912345678"
    real = await make.patient(
        case.station, by=case.doctor, full_name="Quàng Thị Ún", phone="0912345678"
    )
    return Desk(case, real, await signed_in(case.doctor))


async def merges(database: Database) -> list[PatientMerge]:
    async with database.read() as work:
        return list((await work.session.exec(select(PatientMerge))).all())


async def test_the_way_from_the_wristband_to_the_real_file_and_back(
    desk: Desk, database: Database
) -> None:
    own = await desk.page(f"/patients/{desk.case.patient.uid}")
    assert f'href="{desk.url}"' in own
    # Who has the same telephone is offered unasked; others by name.
    for url in (desk.url, f"{desk.url}?q=un"):
        assert f'href="{desk.url}/{desk.real.uid}"' in await desk.page(url)
    assert desk.real.uid not in await desk.page(f"{desk.url}?q=khong+co")
    compared = await desk.page(f"{desk.url}/{desk.real.uid}")
    assert "khác nhau" in compared
    joined = await desk.browser.post(f"{desk.url}/{desk.real.uid}", data=JOIN)
    page = await joined.text()
    assert (joined.status, joined.url.path) == (200, f"/patients/{desk.real.uid}")
    assert "Đã gộp" in page
    assert f"/consults/{desk.case.consult.uid}" in page
    moved = await desk.browser.get(f"/patients/{desk.case.patient.uid}")
    assert moved.url.path == f"/patients/{desk.real.uid}"
    (done,) = await merges(database)
    undo = f"/patients/{desk.real.uid}/merges/{done.uid}/undo"
    assert f'href="{undo}"' in page
    assert "Nữ áo đỏ" in await desk.page(undo)
    parted = await desk.browser.post(undo, data={"reason": "Nhầm người"})
    assert "Đã tách lại hai hồ sơ" in await parted.text()
    own = await desk.page(f"/patients/{desk.case.patient.uid}")
    assert f"/consults/{desk.case.consult.uid}" in own


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"basis": ""}, "basis"),
        ({"basis": "rumour"}, "basis"),
        ({"note": "a" * 301}, "note"),
        ({"accepted": ""}, "accepted"),
    ],
)
async def test_a_refused_merge_names_the_field_and_changes_nothing(
    desk: Desk, database: Database, changes: dict[str, str], field: str
) -> None:
    answer = await desk.browser.post(f"{desk.url}/{desk.real.uid}", data=JOIN | changes)
    page = await answer.text()
    assert answer.status == 422
    assert re.search(rf'href="#f-{field}', page), page
    assert await merges(database) == []


async def test_parting_without_a_reason_asks_for_it(desk: Desk, database: Database) -> None:
    await desk.browser.post(f"{desk.url}/{desk.real.uid}", data=JOIN)
    (done,) = await merges(database)
    answer = await desk.browser.post(
        f"/patients/{desk.real.uid}/merges/{done.uid}/undo", data={"reason": " "}
    )
    assert answer.status == 422
    assert "Ghi vì sao tách lại" in await answer.text()


async def test_a_number_that_somebody_has_leads_to_a_merge(desk: Desk) -> None:
    """The card turns up later: its number is typed into the temporary file."""
    edit = f"/patients/{desk.case.patient.uid}/edit"
    revision = re.search(r'name="revision" value="(\d+)"', await desk.page(edit))
    assert revision
    answer = await desk.browser.post(
        edit,
        data={
            "personal_number": desk.real.personal_number,
            "full_name": "Quàng Thị Ún",
            "sex": "female",
            "birth": "08/03/1985",
            "allergy_state": "none",
            "revision": revision.group(1),
        },
    )
    assert f'href="{desk.url}/{desk.real.uid}"' in await answer.text()


async def test_strangers_find_neither_files_nor_merges(
    desk: Desk, make: Factory, work: UnitOfWork, signed_in: SignIn, database: Database
) -> None:
    await desk.browser.post(f"{desk.url}/{desk.real.uid}", data=JOIN)
    (done,) = await merges(database)
    undo = f"/patients/{desk.real.uid}/merges/{done.uid}/undo"
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for url in (desk.url, f"{desk.url}/{desk.real.uid}", undo):
        assert (await stranger.get(url)).status == 404
        if url != desk.url:
            sent = await stranger.post(url, data=JOIN | {"reason": "x"} if url == undo else JOIN)
            assert sent.status in {404, 422}
    assert [each.undone_at for each in await merges(database)] == [None]
    trainer = await signed_in(await make.actor(Role.TRAINER))
    assert (await trainer.get(desk.url)).status == 403
