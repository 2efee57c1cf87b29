"""Contracts through a browser without scripts, and what stations see of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultState
from telemed.core.db import UnitOfWork
from tests.factories import Factory
from tests.people import Client

SignIn = Callable[[Actor], Awaitable[Client]]
FORM = {
    "number": "12/HĐ-BVĐK",
    "signed_on": "20/12/2025",
    "starts_on": "01/01/2026",
    "ends_on": "31/12/2026",
    "all_stations": "on",
}


@pytest.fixture
async def browser(make: Factory, signed_in: SignIn) -> Client:
    """A coordinator's browser."""
    await make.hospital()
    await make.facility(name="Trạm Y tế xã Mường Pồn")
    return await signed_in(await make.actor(Role.COORDINATOR))


async def test_a_contract_is_recorded_shown_and_ended(browser: Client) -> None:
    assert "Chưa ghi hợp đồng nào" in await (await browser.get("/admin/contracts")).text()
    saved = await browser.post("/admin/contracts/new", data=FORM)
    page = await saved.text()
    assert re.fullmatch(r"/admin/contracts/[\w-]{22}", saved.url.path)
    assert "Trạm Y tế xã Mường Pồn" in page
    assert "Sắp hết hạn" in page
    listed = await (await browser.get("/admin/contracts")).text()
    assert f'href="{saved.url.path}"' in listed
    ended = await browser.post(
        f"{saved.url.path}/end", data={"ended_on": "30/11/2026", "reason": "Ký hợp đồng mới"}
    )
    page = await ended.text()
    assert "Ký hợp đồng mới" in page
    assert "Chấm dứt trước hạn" not in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": ""}, "number"),
        ({"signed_on": "32/12/2025"}, "signed_on"),
        ({"ends_on": "31/12/2025"}, "ends_on"),
        ({"ends_on": "31/12/9999"}, "ends_on"),
        ({"all_stations": "", "stations": "nowhere"}, "stations"),
    ],
)
async def test_a_refusal_names_the_field_and_keeps_what_was_typed(
    browser: Client, changes: dict[str, str], field: str
) -> None:
    form = {name: text for name, text in (FORM | changes).items() if text or name == "number"}
    answer = await browser.post("/admin/contracts/new", data=form)
    page = await answer.text()
    assert answer.status == 422
    assert re.search(rf'href="#f-{field}', page), page
    assert 'value="01/01/2026"' in page


async def test_a_number_that_is_known_is_said_at_its_field(browser: Client) -> None:
    for status in (200, 409):
        answer = await browser.post("/admin/contracts/new", data=FORM)
        assert answer.status == status
    assert "Số hợp đồng này đã có" in await answer.text()


async def test_an_early_end_outside_the_term_is_refused(browser: Client) -> None:
    url = (await browser.post("/admin/contracts/new", data=FORM)).url.path
    answer = await browser.post(f"{url}/end", data={"ended_on": "01/02/2027", "reason": ""})
    assert answer.status == 422
    page = await answer.text()
    assert "Ngày chấm dứt phải trong thời hạn" in page
    assert "Ghi vì sao chấm dứt" in page


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.COORDINATOR, Role.ADMINISTRATOR}))
async def test_other_roles_have_no_contracts(make: Factory, signed_in: SignIn, role: Role) -> None:
    browser = await signed_in(await make.actor(role))
    assert (await browser.get("/admin/contracts")).status == 403
    assert (await browser.post("/admin/contracts/new", data=FORM)).status == 403


async def test_a_station_reads_beforehand_what_is_not_covered_and_the_flag_afterwards(
    browser: Client, make: Factory, work: UnitOfWork, signed_in: SignIn
) -> None:
    await make.specialty("internal")
    case = await make.case(ConsultState.REQUESTED, is_outside_contract=True)
    await work.commit()
    await browser.post("/admin/contracts/new", data=FORM | {"ends_on": "01/02/2026"})
    station = await signed_in(case.doctor)
    assert "Ngoài hợp đồng" in await (await station.get(f"/consults/{case.consult.uid}")).text()
    begun = await station.post("/consults/new", data={"patient": case.patient.uid})
    assert "chỉ gửi được cấp cứu" in await begun.text()
