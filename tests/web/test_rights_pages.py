"""The register of requests about data, through a browser without scripts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.db import UnitOfWork
from tests.factories import Case, Factory
from tests.people import Client

SignIn = Callable[[Actor], Awaitable[Client]]


@dataclass
class Desk:
    """A station's browser and a case that has ended."""

    case: Case
    browser: Client

    async def ask(self, kind: str, **changes: str) -> str:
        """Record a request; the address of its page."""
        form = {"kind": kind, "text": "Sai năm sinh"} | changes
        url = f"/patients/{self.case.patient.uid}/rights/new"
        answer = await self.browser.post(url, data=form)
        assert answer.status == 200
        assert re.fullmatch(r"/rights/[\w-]{22}", answer.url.path)
        return answer.url.path

    async def page(self, url: str) -> str:
        answer = await self.browser.get(url)
        assert answer.status == 200
        return await answer.text()

    async def act(self, url: str, act: str, reply: str = "") -> str:
        answer = await self.browser.post(f"{url}/{act}", data={"reply": reply})
        assert answer.status == 200, await answer.text()
        return await answer.text()


@pytest.fixture
async def desk(make: Factory, work: UnitOfWork, signed_in: SignIn) -> Desk:
    case = await make.case(ConsultState.CLOSED, closed_at=work.now() - timedelta(hours=1))
    return Desk(case, await signed_in(case.doctor))


async def test_from_the_patient_s_page_to_a_printed_copy(desk: Desk) -> None:
    own = await desk.page(f"/patients/{desk.case.patient.uid}")
    assert f'href="/patients/{desk.case.patient.uid}/rights/new"' in own
    url = await desk.ask("view")
    assert "Phải trả lời trước hết 25/11/2026" in await desk.page(url)
    assert (await desk.browser.get(f"{url}/copy")).status == 404
    accepted = await desk.act(url, "accept", "Mời ông (bà) đến lấy")
    assert "Phải làm xong trước hết 03/12/2026" in accepted
    copy = await desk.page(f"{url}/copy")
    for held in (desk.case.patient.full_name, str(desk.case.consult.number), "giữ đến 31/12/2036"):
        assert held in copy
    done = await desk.act(url, "complete")
    assert "Mời ông (bà) đến lấy" in done
    register = await desk.page("/rights")
    assert url in register
    assert "Không có yêu cầu nào đang chờ" in register


async def test_deleting_names_what_is_kept_and_offers_no_yes(desk: Desk) -> None:
    url = await desk.ask("delete")
    page = await desk.page(url)
    assert "Bệnh án nội trú, ngoại trú phải giữ đến hết 31/12/2036" in page
    assert f"{url}/accept" not in page
    assert (await desk.browser.post(f"{url}/accept", data={})).status == 409
    refused = await desk.act(url, "refuse", "Phải giữ đến hết 31/12/2036")
    assert "Từ chối" in refused


async def test_a_restriction_is_marked_and_lifted(desk: Desk) -> None:
    url = await desk.ask("restrict")
    await desk.act(url, "accept")
    await desk.act(url, "complete")
    marked = "Hạn chế sử dụng từ 23/11/2026"
    assert marked in await desk.page(f"/patients/{desk.case.patient.uid}")
    await desk.act(url, "lift", "Người bệnh đổi ý")
    assert marked not in await desk.page(f"/patients/{desk.case.patient.uid}")


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({}, "kind"),
        ({"kind": "forget"}, "kind"),
        ({"kind": "correct"}, "text"),
        ({"kind": "view", "asked_by": "guardian"}, "asker_name"),
        ({"kind": "view", "asked_how": "dream"}, "asked_how"),
    ],
)
async def test_a_refused_request_names_the_field(
    desk: Desk, form: dict[str, str], field: str
) -> None:
    url = f"/patients/{desk.case.patient.uid}/rights/new"
    answer = await desk.browser.post(url, data=form)
    page = await answer.text()
    assert answer.status == 422
    assert re.search(rf'href="#f-{field}', page), page


async def test_a_refusal_without_a_reason_is_asked_for(desk: Desk) -> None:
    url = await desk.ask("view")
    answer = await desk.browser.post(f"{url}/refuse", data={"reply": " "})
    assert answer.status == 422
    assert "Ghi lý do từ chối" in await answer.text()


async def test_strangers_and_other_roles(desk: Desk, make: Factory, signed_in: SignIn) -> None:
    url = await desk.ask("view")
    stranger = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    for path in (url, f"{url}/copy"):
        assert (await stranger.get(path)).status == 404
    assert (await stranger.post(f"{url}/accept", data={})).status == 404
    assert url not in await (await stranger.get("/rights")).text()
    for role in set(Role) - {Role.COMMUNE_DOCTOR, Role.ROTATED_DOCTOR}:
        browser = await signed_in(await make.actor(role))
        assert (await browser.get("/rights")).status == 403


async def test_the_kind_of_record_is_shown_and_set_by_the_station(
    desk: Desk, signed_in: SignIn
) -> None:
    url = f"/consults/{desk.case.consult.uid}"
    assert "Bệnh án nội trú, ngoại trú: giữ đến hết 31/12/2036" in await desk.page(url)
    answer = await desk.browser.post(f"{url}/record-kind", data={"record_kind": "work_accident"})
    assert "Bệnh án tai nạn lao động: giữ đến hết 31/12/2046" in await answer.text()
    refused = await desk.browser.post(f"{url}/record-kind", data={"record_kind": "secret"})
    assert refused.status == 422
    specialist = await signed_in(desk.case.specialist)
    sent = await specialist.post(f"{url}/record-kind", data={"record_kind": "care"})
    assert sent.status == 403
    back = await desk.browser.post(f"{url}/record-kind", data={"record_kind": ""})
    assert "31/12/2036" in await back.text()
