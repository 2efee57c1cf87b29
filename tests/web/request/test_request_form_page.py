"""Beginning a request and finding the form again, in a browser without scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlmodel import col, func, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.models import Consult
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.sessions.link.models import LinkSource
from telemed.sessions.link.service import Measured, save_check
from tests.factories import Factory
from tests.web.request.desk import (
    COMPLETE,
    SCRIPT,
    UNKNOWN,
    Client,
    Desk,
    text_of,
)

SignIn = Callable[[Actor], Awaitable[Client]]


class TestBeginning:
    async def test_a_look_begins_nothing(self, desk: Desk, database: Database) -> None:
        page = await text_of(await desk.browser.get(f"/consults/new?patient={desk.patient.uid}"))

        assert "LÒ VĂN PÁNH" in page
        assert f"/consults/{desk.uid}/request" in page
        async with database.read() as work:
            assert (await work.session.exec(select(func.count()).select_from(Consult))).one() == 1

    async def test_a_press_begins_a_form_and_goes_there(self, desk: Desk) -> None:
        answer = await desk.browser.post(
            "/consults/new", data={"patient": desk.patient.uid}, allow_redirects=False
        )

        assert answer.status == 303
        assert answer.headers["Location"] == desk.form

    async def test_without_a_patient_one_is_chosen_first(self, desk: Desk) -> None:
        answer = await desk.browser.get("/consults/new", allow_redirects=False)

        assert (answer.status, answer.headers["Location"]) == (303, "/patients")

    async def test_a_patient_of_another_station_is_as_unknown_as_none(
        self, desk: Desk, make: Factory, signed_in: SignIn
    ) -> None:
        stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
        for uid in (desk.patient.uid, UNKNOWN):
            assert (await stranger.get(f"/consults/new?patient={uid}")).status == 404
            assert (await stranger.post("/consults/new", data={"patient": uid})).status == 404


class TestForm:
    async def test_it_says_in_a_line_what_the_link_of_the_station_is_good_for(
        self, desk: Desk, work: UnitOfWork
    ) -> None:
        assert "station-link" not in await text_of(await desk.browser.get(desk.form))
        found = Measured(up_kbps=90, down_kbps=900)
        await save_check(work, desk.doctor, LinkSource.CHECK, "a-check-of-somebody", found)
        await work.commit()

        page = await text_of(await desk.browser.get(desk.form))

        assert "nên nói chuyện và gửi ảnh tĩnh" in page

    async def test_an_empty_form_says_what_is_missing(self, desk: Desk) -> None:
        answer = await desk.browser.get(desk.form)
        page = await text_of(answer)

        assert answer.status == 200
        assert "<title>Yêu cầu hội chẩn – Telemed</title>" in page
        assert 'Còn 5 phần: <a href="#cau-hoi">2. Câu hỏi</a>…' in page
        assert "checked" not in page.partition('id="dong-y"')[2]

    async def test_reading_a_draft_is_on_record(self, desk: Desk, database: Database) -> None:
        await desk.browser.get(desk.form)

        async with database.read() as work:
            query = select(AuditRecord.subject).where(col(AuditRecord.tag) == AuditTag.CONSULT_READ)
            assert (await work.session.exec(query)).all() == [f"consult:{desk.uid}"]

    async def test_unknown_and_forbidden_forms_answer_alike(
        self, desk: Desk, make: Factory, signed_in: SignIn
    ) -> None:
        stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
        answers = []
        for uid in (desk.uid, UNKNOWN):
            for call in (
                stranger.get(f"/consults/{uid}/request", headers=SCRIPT),
                stranger.get(f"/consults/{uid}/request/files", headers=SCRIPT),
                stranger.post(f"/consults/{uid}/draft", data={"revision": "0"}, headers=SCRIPT),
                stranger.post(f"/consults/{uid}/submit", data=COMPLETE, headers=SCRIPT),
                stranger.post(
                    f"/consults/{uid}/draft", json={"revision": 0, "values": {}}, headers=SCRIPT
                ),
            ):
                answer = await call
                answers.append((answer.status, (await answer.json())["code"]))

        assert set(answers) == {(404, "not_found")}

    async def test_roles_without_patients_have_no_such_form(
        self, desk: Desk, make: Factory, signed_in: SignIn
    ) -> None:
        trainer = await signed_in(await make.actor(Role.TRAINER))

        assert (await trainer.get(desk.form)).status == 403
        assert (await trainer.post(desk.submit, data=COMPLETE)).status == 403
