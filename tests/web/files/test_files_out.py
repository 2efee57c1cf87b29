"""Files of a case are given out only to who may see the case, and so that nothing runs them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from io import BytesIO
from urllib.parse import unquote

import pytest
from aiohttp import ClientResponse
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from tests import pictures
from tests.conftest import Client
from tests.factories import Factory
from tests.web.files.desk import PHOTO, SCRIPT, Desk, files_below, stored

SignIn = Callable[[Actor], Awaitable[Client]]


async def reads(database: Database) -> list[tuple[int | None, object, object]]:
    async with database.read() as work:
        query = select(AuditRecord).where(col(AuditRecord.tag) == AuditTag.FILE_READ)
        records = (await work.session.exec(query.order_by(col(AuditRecord.sequence)))).all()
    return [(each.person_id, each.detail["file"], each.detail["preview"]) for each in records]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Chụp phổi thẳng ngày 1.jpg", "Chụp phổi thẳng ngày 1.jpg"),
        ("../../../etc/passwd", "passwd.jpg"),
        ("a.jpg.exe", "a.jpg.jpg"),
        ("a'b%22c;d=é.jpg", "a'b%22c;d=é.jpg"),
        ("", "tep.jpg"),
    ],
)
async def test_a_name_goes_out_as_it_came_but_harmless(desk: Desk, name: str, shown: str) -> None:
    told = await (await desk.send(PHOTO, name)).json()
    answer = await desk.doctor.get(told["url"])
    disposition = answer.headers["Content-Disposition"]
    found = re.fullmatch(r"attachment; filename\*=UTF-8''([\w.%~-]+)", disposition)
    assert found
    assert unquote(found[1]) == shown


async def test_files_are_sent_so_that_no_browser_runs_them(desk: Desk) -> None:
    told = await (await desk.send(pictures.polyglot())).json()
    for url, kind in ((told["url"], "attachment"), (told["preview"], "inline")):
        headers = (await desk.doctor.get(url)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Disposition"].startswith(kind)
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert b"script" not in await (await desk.doctor.get(told["preview"])).read()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("header", [{}, {"Range": "bytes=0-9"}], ids=["whole", "part"])
async def test_who_may_not_see_the_case_gets_what_an_unknown_file_gives(
    desk: Desk,
    database: Database,
    make: Factory,
    signed_in: SignIn,
    method: str,
    header: dict[str, str],
) -> None:
    told = await (await desk.send(PHOTO)).json()
    specialty = await make.specialty()
    strangers = [
        await signed_in(await make.actor(Role.COMMUNE_DOCTOR)),
        await signed_in(await make.actor(Role.SPECIALIST, specialty=specialty)),
    ]
    unknown = "/files/" + "x" * 22
    for stranger in strangers:
        for real, made_up in ((told["url"], unknown), (told["preview"], f"{unknown}/preview")):
            answers = [
                await stranger.request(method, url, headers=SCRIPT | header)
                for url in (real, made_up)
            ]
            first, second = [await comparable(answer) for answer in answers]
            assert first == second
            assert answers[0].status == 404
    assert await reads(database) == []


async def comparable(answer: ClientResponse) -> tuple[int, str, dict[str, str]]:
    """An answer without what differs from request to request."""
    fleeting = {"Date", "Content-Length"}
    headers = {name: value for name, value in answer.headers.items() if name not in fleeting}
    return answer.status, re.sub(r"[0-9a-f]{16}", "", await answer.text()), headers


@pytest.mark.parametrize("role", [Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR])
async def test_roles_without_patients_have_no_files(
    desk: Desk, make: Factory, signed_in: SignIn, role: Role
) -> None:
    told = await (await desk.send(PHOTO)).json()
    browser = await signed_in(await make.actor(role))
    for url in (told["url"], told["preview"], "/files/" + "x" * 22):
        assert (await browser.get(url)).status == 403


async def test_nobody_gets_a_file_without_signing_in(desk: Desk, client: Client) -> None:
    told = await (await desk.send(PHOTO)).json()
    for url in (told["url"], told["preview"]):
        assert (await client.get(url, headers=SCRIPT)).status == 401
        assert (await client.head(url, headers=SCRIPT)).status == 401


async def test_a_stranger_attaches_nothing_and_is_not_listened_to(
    desk: Desk, database: Database, make: Factory, signed_in: SignIn, settings: Settings
) -> None:
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    own, other = desk.path, f"/consults/{'x' * 22}/attachments"
    statuses = [
        (await stranger.post(path, data={"file": BytesIO(pictures.PDF)}, headers=SCRIPT)).status
        for path in (own, other)
    ]
    assert statuses == [404, 404]
    assert await stored(database) == []
    assert files_below(settings, "objects") == []


async def test_every_look_is_on_record(desk: Desk, database: Database) -> None:
    told = await (await desk.send(PHOTO)).json()
    uid, case = told["uid"], desk.case
    await desk.specialist.get(told["url"])
    await desk.doctor.get(told["preview"])
    await desk.doctor.head(told["url"])
    await desk.doctor.get(told["url"], headers={"Range": "bytes=0-9"})
    assert await reads(database) == [
        (case.specialist.id, uid, False),
        (case.doctor.id, uid, True),
        (case.doctor.id, uid, False),
        (case.doctor.id, uid, False),
    ]


async def test_a_part_is_sent_when_a_part_is_asked_for(desk: Desk) -> None:
    told = await (await desk.send(PHOTO)).json()
    part = await desk.doctor.get(told["url"], headers={"Range": "bytes=2-5"})
    assert (part.status, await part.read()) == (206, PHOTO[2:6])
    beyond = await desk.doctor.get(told["url"], headers={"Range": f"bytes={len(PHOTO)}-"})
    assert beyond.status == 416
    head = await desk.doctor.head(told["url"])
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(PHOTO)))
    assert await head.read() == b""


async def test_a_specialist_loses_the_files_with_the_case(
    desk: Desk, work: UnitOfWork, settings: Settings
) -> None:
    told = await (await desk.send(PHOTO)).json()
    assert (await desk.specialist.get(told["url"])).status == 200
    case = desk.case.consult
    case.state = ConsultState.CLOSED
    days = timedelta(days=settings.case_access_days_after_close, seconds=1)
    case.closed_at = work.now() - days
    work.session.add(await work.session.merge(case))
    await work.commit()
    assert (await desk.specialist.get(told["url"])).status == 404
    assert (await desk.doctor.get(told["url"])).status == 200


async def test_a_form_is_filled_with_pictures_before_it_is_sent(
    make: Factory, signed_in: SignIn
) -> None:
    case = await make.case(ConsultState.DRAFT)
    desk = Desk(case, await signed_in(case.doctor), await signed_in(case.specialist))
    told = await (await desk.send(PHOTO)).json()
    assert (await desk.doctor.get(told["url"])).status == 200
    assert (await desk.specialist.get(told["url"])).status == 404
