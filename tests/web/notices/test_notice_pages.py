"""The pages of notices, and the doors for those outside."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.service import transition
from telemed.core.config import MailSettings, Settings, SmsSettings
from telemed.core.db import Database, UnitOfWork
from telemed.notices import service
from telemed.notices.kinds import Channel, NoticeKind
from telemed.notices.models import Delivery, DeliveryState, Notice, NoticeSetting
from telemed.notices.service import News
from tests.conftest import Client, make_settings
from tests.factories import Case, Factory
from tests.outside import Browser

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
TOKEN = "a-token-for-reports"  # of this test


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(
        data_dir=tmp_path / "var",
        database_url=database_url,
        mail=MailSettings(host="127.0.0.1", sender="bao@telemed.example"),
        sms=SmsSettings(url="http://127.0.0.1:1/send", report_token=SecretStr(TOKEN)),
    )


@pytest.fixture
async def answered(work: UnitOfWork, make: Factory) -> Case:
    """A case with a conclusion, of which its doctor was told."""
    case = await make.case(ConsultState.ACCEPTED)
    await transition(work, case.specialist, case.consult, ConsultEvent.ANSWER)
    await work.commit()
    return case


async def notices(database: Database) -> list[Notice]:
    async with database.read() as work:
        return list((await work.session.exec(select(Notice).order_by(col(Notice.id)))).all())


async def setting_of(database: Database, actor: Actor) -> NoticeSetting:
    async with database.read() as work:
        return await work.session.get_one(NoticeSetting, actor.id)


async def test_a_notice_is_listed_and_leads_to_the_case(
    answered: Case, signed_in: SignIn, database: Database
) -> None:
    browser = await signed_in(answered.doctor)
    page = await (await browser.get("/notices")).text()
    assert "Ca của bạn đã có kết luận" in page
    assert answered.station.name in page
    assert answered.patient.full_name not in page
    (notice,) = await notices(database)
    answer = await browser.get(f"/notices/{notice.uid}", allow_redirects=False)
    assert answer.headers["Location"] == f"/consults/{answered.consult.uid}"
    (notice,) = await notices(database)
    assert notice.read_at is not None


async def test_whoever_opens_the_case_has_read_the_notice(
    answered: Case, signed_in: SignIn
) -> None:
    browser = await signed_in(answered.doctor)
    assert await (await browser.get("/notices/count", headers=SCRIPT)).json() == {"unread": 1}
    await browser.get(f"/consults/{answered.consult.uid}")
    assert await (await browser.get("/notices/count", headers=SCRIPT)).json() == {"unread": 0}


async def test_a_request_that_waits_is_read_in_the_worklist(
    make: Factory, work: UnitOfWork, signed_in: SignIn, database: Database
) -> None:
    case = await make.case(ConsultState.REQUESTED)
    about = f"consult:{case.consult.uid}"
    await service.notify(work, News(NoticeKind.REQUEST_WAITS, {case.specialist.id}, "k", about))
    browser = await signed_in(case.specialist)
    (notice,) = await notices(database)
    answer = await browser.get(f"/notices/{notice.uid}", allow_redirects=False)
    assert answer.headers["Location"] == f"/worklist?case={case.consult.uid}"


async def test_notices_of_others_are_unknown(
    answered: Case, make: Factory, signed_in: SignIn, database: Database
) -> None:
    (notice,) = await notices(database)
    browser = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    assert (await browser.get(f"/notices/{notice.uid}")).status == 404
    assert "kết luận" not in await (await browser.get("/notices")).text()
    await browser.post("/notices/read")
    (notice,) = await notices(database)
    assert notice.read_at is None


async def test_all_is_read_by_one_button(
    answered: Case, signed_in: SignIn, database: Database
) -> None:
    browser = await signed_in(answered.doctor)
    answer = await browser.post("/notices/read", allow_redirects=False)
    assert answer.status == 303
    (notice,) = await notices(database)
    assert notice.read_at is not None


async def test_older_notices_are_a_page_away(
    make: Factory, work: UnitOfWork, signed_in: SignIn
) -> None:
    actor = await make.actor(Role.TRAINER)
    news = [
        News(NoticeKind.CASE_ANSWERED, {actor.id}, f"fact {n}", data={"station": f"Trạm {n:02}."})
        for n in range(service.PAGE + 5)
    ]
    await service.notify_all(work, news)
    browser = await signed_in(actor)
    seen: list[str] = []
    path: str | None = "/notices"
    while path:
        page = await (await browser.get(path)).text()
        seen += re.findall(r"Trạm (\d\d)\.", page)
        older = re.search(r'href="(/notices\?before=\d+)"', page)
        path = older[1] if older else None
    assert seen == [f"{n:02}" for n in reversed(range(service.PAGE + 5))]


@pytest.mark.parametrize("before", ["0", "x", "99999999999999999999", "-1"])
async def test_an_odd_page_is_refused(make: Factory, signed_in: SignIn, before: str) -> None:
    browser = await signed_in(await make.actor(Role.TRAINER))
    assert (await browser.get("/notices", params={"before": before})).status == 422


async def test_ways_and_quiet_hours_are_chosen(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    actor = await make.actor(Role.SPECIALIST, phone="0912345678")
    browser = await signed_in(actor)
    form = {
        "chosen": ["waiting:push", "schedule:sms"],
        "is_quiet": "true",
        "quiet_start": "21:30",
        "quiet_end": "5:45",
    }
    answer = await browser.post("/account/notices", data=form, allow_redirects=False)
    assert answer.status == 303
    setting = await setting_of(database, actor)
    assert setting.chosen == ["schedule:sms", "waiting:push"]
    assert (setting.quiet_start, setting.quiet_end) == (21 * 60 + 30, 5 * 60 + 45)
    page = await (await browser.get("/account/notices")).text()
    assert re.findall(r'value="([a-z_]+:[a-z]+)" checked', page) == ["waiting:push", "schedule:sms"]
    assert 'value="21:30"' in page
    await browser.post("/account/notices", data={"quiet_start": "22:00", "quiet_end": "06:00"})
    assert (await setting_of(database, actor)).chosen == []


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"chosen": "waiting:pigeon"}, "chosen"),
        ({"is_quiet": "true", "quiet_start": "25:00", "quiet_end": "06:00"}, "quiet_start"),
        ({"is_quiet": "true", "quiet_start": "22:00", "quiet_end": "22:00"}, "quiet_end"),
        ({"is_quiet": "true", "quiet_start": "22:00", "quiet_end": "<b>"}, "quiet_end"),
        ({"is_quiet": "perhaps"}, "is_quiet"),
        ({"quiet": "22"}, "quiet"),
    ],
)
async def test_choices_that_are_none_name_their_field(
    make: Factory, signed_in: SignIn, database: Database, form: dict[str, str], field: str
) -> None:
    actor = await make.actor(Role.SPECIALIST)
    browser = await signed_in(actor)
    refused = await browser.post("/account/notices", data=form, headers=SCRIPT)
    assert refused.status == 422
    assert [each["field"] for each in (await refused.json())["fields"]] == [field]
    assert (await browser.post("/account/notices", data=form)).status == 422
    async with database.read() as work:
        assert await work.session.get(NoticeSetting, actor.id) is None


async def test_an_address_is_proved_by_a_code_that_goes_there_alone(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    actor = await make.actor(Role.SPECIALIST)
    browser = await signed_in(actor)
    await browser.post("/account/notices/mail", data={"mail": "bs@benhvien.example"})
    setting = await setting_of(database, actor)
    assert (setting.mail, setting.asked_mail) == ("", "bs@benhvien.example")
    async with database.read() as work:
        (delivery,) = (await work.session.exec(select(Delivery))).all()
    assert delivery.channel is Channel.MAIL
    page = await (await browser.get("/account/notices")).text()
    assert setting.asked_code not in page
    assert setting.asked_code not in await (await browser.get("/notices")).text()
    wrong = "000000" if setting.asked_code != "000000" else "111111"
    page = await (await browser.post("/account/notices/mail/confirm", data={"code": wrong})).text()
    assert "Mã chưa đúng" in page
    assert (await setting_of(database, actor)).asked_tries == 1
    code = {"code": setting.asked_code}
    page = await (await browser.post("/account/notices/mail/confirm", data=code)).text()
    assert "bs@benhvien.example" in page
    assert (await setting_of(database, actor)).mail == "bs@benhvien.example"
    await browser.post("/account/notices/mail/forget")
    assert (await setting_of(database, actor)).mail == ""


async def test_a_malformed_address_is_shown_again_with_its_reason(
    make: Factory, signed_in: SignIn
) -> None:
    browser = await signed_in(await make.actor(Role.SPECIALIST))
    answer = await browser.post("/account/notices/mail", data={"mail": "nobody"})
    page = await answer.text()
    assert answer.status == 422
    assert "Địa chỉ thư ghi như ten@benhvien.vn" in page
    assert 'value="nobody"' in page


async def test_a_trial_goes_out_once_a_minute(
    make: Factory, signed_in: SignIn, database: Database
) -> None:
    browser = await signed_in(await make.actor(Role.SPECIALIST, phone="0912345678"))
    for _ in range(3):
        await browser.post("/account/notices/trial")
    assert [notice.kind for notice in await notices(database)] == [NoticeKind.TRIAL]


async def test_a_browser_is_turned_on_and_off(make: Factory, signed_in: SignIn) -> None:
    browser = await signed_in(await make.actor(Role.SPECIALIST))
    keys = Browser("https://fcm.googleapis.com/fcm/send/abc")
    body = {"endpoint": keys.endpoint, "p256dh": keys.p256dh, "auth": keys.auth}
    answer = await browser.post("/account/notices/browsers", json=body, headers=SCRIPT)
    assert answer.status == 200
    page = await (await browser.get("/account/notices")).text()
    end = re.search(r'action="(/account/notices/browsers/[^"]+/end)"', page)
    assert end
    assert keys.endpoint not in page
    page = await (await browser.post(end[1])).text()
    assert "/account/notices/browsers/" not in page
    assert (await browser.post(end[1])).status == 404


async def test_the_server_writes_to_no_address_that_a_browser_makes_up(
    make: Factory, signed_in: SignIn
) -> None:
    browser = await signed_in(await make.actor(Role.SPECIALIST))
    keys = Browser("https://127.0.0.1/")
    body = {"endpoint": keys.endpoint, "p256dh": keys.p256dh, "auth": keys.auth}
    answer = await browser.post("/account/notices/browsers", json=body, headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == ["endpoint"]


async def sent(database: Database, actor: Actor) -> Delivery:
    """An SMS that a gateway has taken."""
    async with database.work() as work:
        await service.notify(work, News(NoticeKind.TRIAL, {actor.id}, "trial"))
        row = (await work.session.exec(select(Delivery))).one()
        row.state, row.reference, row.sent_at = DeliveryState.SENT, "sms-1", work.now()
        work.session.add(row)
    return row


async def state_of(database: Database) -> DeliveryState:
    async with database.read() as work:
        return DeliveryState((await work.session.exec(select(Delivery.state))).one())


@pytest.mark.parametrize("name", ["uid", "reference"])
@pytest.mark.parametrize(
    ("status", "state"),
    [("delivered", "arrived"), ("failed", "waiting"), ("queued", "sent"), ("<b>", "sent")],
)
async def test_a_gateway_reports_what_became_of_a_message(  # fixtures
    make: Factory,
    work: UnitOfWork,
    client: Client,
    database: Database,
    name: str,
    status: str,
    state: str,
) -> None:
    actor = await make.actor(Role.SPECIALIST, phone="0912345678")
    await work.commit()
    row = await sent(database, actor)
    answer = await client.post(
        "/notices/sms-reports",
        json={"id": getattr(row, name), "status": status},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status == 204
    assert await state_of(database) == state


@pytest.mark.parametrize(
    "header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", "Bearer \u1ea1"]
)
async def test_without_its_token_a_gateway_finds_nothing(client: Client, header: str) -> None:
    body = {"id": "sms-1", "status": "delivered"}
    headers = {"Authorization": header} if header.isascii() else {}
    answer = await client.post("/notices/sms-reports", json=body, headers=headers)
    assert answer.status == 404


async def test_a_browser_says_that_it_has_shown_a_message(
    make: Factory, work: UnitOfWork, client: Client, database: Database
) -> None:
    actor = await make.actor(Role.SPECIALIST, phone="0912345678")
    await work.commit()
    row = await sent(database, actor)
    assert (await client.post(f"/deliveries/{row.uid}/arrived")).status == 204
    assert await state_of(database) is DeliveryState.ARRIVED
    assert (await client.post(f"/deliveries/{'x' * 22}/arrived")).status == 204


async def test_an_administrator_sees_how_the_ways_do(
    make: Factory, work: UnitOfWork, signed_in: SignIn, database: Database
) -> None:
    actor = await make.actor(Role.SPECIALIST, phone="0912345678")
    await work.commit()
    await sent(database, actor)
    browser = await signed_in(await make.actor(Role.ADMINISTRATOR))
    page = await (await browser.get("/admin/deliveries")).text()
    row = re.search(r"Tin nhắn SMS.*?</tr>", page, re.DOTALL)
    assert row
    assert re.findall(r'<td class="num">(\d+)', row[0]) == ["0", "1", "0"]


async def test_the_worker_comes_from_one_address_and_may_change(client: Client) -> None:
    answer = await client.get("/notices-worker.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert 'addEventListener("push"' in await answer.text()
