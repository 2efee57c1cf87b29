"""Nothing is lost, nothing goes out twice, whatever those outside do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web
from sqlmodel import select

from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.notices import outbox as way_out
from telemed.notices import service
from telemed.notices.gateways.opening import push_key
from telemed.notices.kinds import Channel, NoticeKind
from telemed.notices.models import Delivery, DeliveryState, PushSubscription
from telemed.notices.outbox import LEASE, MOST_TRIES, Outcome, pause_after, settle, take_due
from tests.outside import MailServer, PushService, SmsGateway, is_signed_by
from tests.unit.notices.conftest import SOON, Outbox, leave

AT_ONCE = 50
ABOUT = "consult:a-case"


async def test_a_fact_is_told_once_by_every_chosen_way(
    outbox: Outbox, mail: MailServer, push: PushService, sms: SmsGateway
) -> None:
    await outbox.tell()
    await outbox.tell()
    assert len(await outbox.notices()) == 1
    await outbox.run()
    assert len(push.messages) == 1
    assert mail.mails == []
    await outbox.run(after=SOON)
    await outbox.run(after=SOON)
    assert [m["Subject"] for m in mail.mails] == ["Ca của bạn đã có kết luận"]
    assert (len(push.messages), sms.requests) == (1, [])
    assert await outbox.states() == {"push": "sent", "mail": "sent"}


async def test_an_emergency_goes_out_at_once_by_every_way(
    outbox: Outbox, mail: MailServer, push: PushService, sms: SmsGateway
) -> None:
    await outbox.tell(NoticeKind.REQUEST_WAITS, is_urgent=True)
    await outbox.run()
    assert (len(mail.mails), len(push.messages), len(sms.taken)) == (1, 1, 1)
    (text,) = sms.taken.values()
    (notice,) = await outbox.notices()
    assert text == (
        "Telemed: Ca CAP CUU dang cho ban nhan. https://telemed.example/notices/" + notice.uid
    )
    assert len(text) <= 160
    assert sms.requests[0]["to"] == "+84912345678"
    assert mail.mails[0]["Importance"] == "high"


async def test_a_mail_says_one_sentence_and_the_way_back(outbox: Outbox, mail: MailServer) -> None:
    await outbox.tell()
    await outbox.run(after=SOON)
    (found,) = mail.mails
    (notice,) = await outbox.notices()
    assert (found["To"], found["From"]) == (
        "lo.van.thu@benhvien.example",
        "Telemed <bao@telemed.example>",
    )
    assert found["Auto-Submitted"] == "auto-generated"
    text = found.get_content()
    assert f"https://telemed.example/notices/{notice.uid}" in text
    assert text.startswith("Telemed báo: Ca của bạn đã có kết luận.")


async def test_a_push_is_sealed_for_the_browser_and_signed_by_the_installation(
    outbox: Outbox, push: PushService, settings: Settings
) -> None:
    await outbox.tell(NoticeKind.REQUEST_WAITS, is_urgent=True)
    await outbox.run(Channel.PUSH)
    ((name, sealed, headers),) = push.messages
    (notice,) = await outbox.notices()
    delivery = (await outbox.deliveries())[Channel.PUSH]
    assert name == "a"
    assert outbox.browser.open(sealed) == {
        "sentence": "Ca CẤP CỨU đang chờ bạn nhận",
        "uid": notice.uid,
        "delivery": delivery.uid,
        "urgent": True,
    }
    assert (headers["Urgency"], headers["Topic"], headers["TTL"]) == ("high", notice.uid, "3600")
    assert is_signed_by(headers, push_key(settings), push.origin)


async def test_what_was_read_in_time_does_not_go_out(outbox: Outbox, mail: MailServer) -> None:
    await outbox.tell()
    async with outbox.database.work() as work:
        await service.mark_read(work, outbox.actor, ABOUT)
    await outbox.run(after=SOON)
    assert mail.mails == []
    assert await outbox.states() == {"push": "unneeded", "mail": "unneeded"}


async def test_what_is_a_fact_no_longer_calls_nobody(outbox: Outbox, push: PushService) -> None:
    await outbox.tell(NoticeKind.REQUEST_WAITS)
    async with outbox.database.work() as work:
        await service.end_news(work, NoticeKind.REQUEST_WAITS, ABOUT)
        assert await service.count_unread(work, outbox.actor) == 0
    await outbox.run(after=SOON)
    assert push.messages == []


async def test_whoever_has_left_is_told_nothing(outbox: Outbox, push: PushService) -> None:
    await outbox.tell()
    await leave(outbox)
    await outbox.tell(key="another")
    assert len(await outbox.notices()) == 1
    await outbox.run(after=SOON)
    assert push.messages == []
    assert await outbox.states() == {"push": "failed", "mail": "failed"}


async def test_many_servers_claim_each_delivery_once(outbox: Outbox, database: Database) -> None:
    for number in range(30):
        await outbox.tell(key=f"fact {number}")

    async def take(owner: str) -> list[str]:
        async with database.work() as work:
            return [parcel.uid for parcel in await take_due(work, Channel.PUSH, owner)]

    found = await asyncio.gather(*(take(f"server {number}") for number in range(AT_ONCE)))
    claimed = [uid for uids in found for uid in uids]
    assert len(claimed) == len(set(claimed)) == 30


async def test_a_server_that_dies_on_the_way_leaves_it_to_another(
    outbox: Outbox, database: Database, clock: FakeClock, sms: SmsGateway
) -> None:
    await outbox.tell(is_urgent=True)
    async with database.work() as work:
        (parcel,) = await take_due(work, Channel.SMS, "dead")
    await outbox.run(Channel.SMS)
    assert sms.requests == []
    await outbox.run(Channel.SMS, after=LEASE + timedelta(seconds=1))
    assert sms.keys == [parcel.uid]
    async with database.work() as work:
        await settle(work, "dead", parcel, Outcome.again("late"))
    assert await outbox.state(Channel.SMS) is DeliveryState.SENT


def broken_answer() -> web.Response:
    return web.Response(status=200, body=b"<html>OK</html>")


LIES = {
    "says nothing": broken_answer,
    "says yes without a name": lambda: web.json_response({"status": "ok"}),
    "names it by nothing": lambda: web.json_response({"id": None}),
    "names it by a list": lambda: web.json_response({"id": ["a"]}),
    "fails": lambda: web.Response(status=503),
    "wants no more": lambda: web.Response(status=429),
    "does not know us": lambda: web.Response(status=401),
    "leads elsewhere": lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_gateway_that_lies_gets_the_same_message_again_and_sends_it_once(
    outbox: Outbox, sms: SmsGateway, lie: str, *, is_taken: bool
) -> None:
    sms.answers = [(is_taken, LIES[lie])] * 3
    await outbox.tell(is_urgent=True)
    for _ in range(6):
        await outbox.run(Channel.SMS, after=timedelta(minutes=10))
    assert len(sms.requests) == 4
    assert len(set(sms.keys)) == len(sms.taken) == 1
    assert await outbox.state(Channel.SMS) is DeliveryState.SENT


async def test_a_gateway_that_hangs_holds_up_no_other_way(
    outbox: Outbox, sms: SmsGateway, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telemed.notices.deliverer.ATTEMPT_SECONDS", 0.2)
    sms.hangs = asyncio.Event()
    await outbox.tell(is_urgent=True)
    await asyncio.gather(outbox.run(Channel.SMS), outbox.run(Channel.MAIL))
    assert len(mail.mails) == 1
    row = (await outbox.deliveries())[Channel.SMS]
    assert (row.state, row.problem) == (DeliveryState.WAITING, "timeout")
    sms.hangs.set()
    await outbox.run(Channel.SMS, after=timedelta(minutes=1))
    assert await outbox.state(Channel.SMS) is DeliveryState.SENT
    assert len(set(sms.keys)) == 1


async def test_a_gateway_that_is_down_is_asked_less_and_less_then_given_up(
    outbox: Outbox, sms: SmsGateway
) -> None:
    sms.answers = [(False, LIES["fails"])] * (MOST_TRIES + 5)
    await outbox.tell(is_urgent=True)
    for _ in range(MOST_TRIES + 5):
        await outbox.run(Channel.SMS, after=timedelta(hours=1))
    assert len(sms.requests) == MOST_TRIES
    assert await outbox.state(Channel.SMS) is DeliveryState.FAILED
    pauses = [pause_after(tries) for tries in range(1, MOST_TRIES + 1)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=10)
    assert pauses[-1] == timedelta(hours=1)


async def test_what_a_gateway_will_never_take_is_not_sent_again(
    outbox: Outbox, sms: SmsGateway
) -> None:
    sms.answers = [(False, lambda: web.Response(status=400))]
    await outbox.tell(is_urgent=True)
    await outbox.run(Channel.SMS)
    await outbox.run(Channel.SMS, after=timedelta(days=1))
    assert len(sms.requests) == 1
    assert await outbox.state(Channel.SMS) is DeliveryState.FAILED


async def test_nobody_listens_where_the_gateway_was(outbox: Outbox, mail: MailServer) -> None:
    await mail.close()
    await outbox.tell()
    await outbox.run(after=SOON)
    assert await outbox.state(Channel.MAIL) is DeliveryState.WAITING
    await mail.open()
    await outbox.run(after=SOON)
    assert await outbox.state(Channel.MAIL) is DeliveryState.SENT


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        ("450 4.2.1 mailbox busy", DeliveryState.WAITING),
        ("550 5.1.1 no such user", DeliveryState.FAILED),
    ],
)
async def test_a_mail_server_says_later_or_never(
    outbox: Outbox, mail: MailServer, reply: str, state: DeliveryState
) -> None:
    mail.refusals = [reply]
    await outbox.tell()
    await outbox.run(after=SOON)
    row = (await outbox.deliveries())[Channel.MAIL]
    assert (row.state, row.problem) == (state, f"smtp_{reply[:3]}")


async def test_a_mail_whose_answer_was_lost_comes_again_under_the_same_number(
    outbox: Outbox, mail: MailServer
) -> None:
    mail.drops_after_data = 1
    await outbox.tell()
    await outbox.run(after=SOON)
    assert await outbox.state(Channel.MAIL) is DeliveryState.WAITING
    await outbox.run(after=SOON)
    assert await outbox.state(Channel.MAIL) is DeliveryState.SENT
    assert len({found["Message-ID"] for found in mail.mails}) == 1
    assert len(mail.mails) == 2


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(
    outbox: Outbox, push: PushService, status: int
) -> None:
    push.statuses = [status]
    await outbox.tell()
    await outbox.run(Channel.PUSH)
    assert await outbox.state(Channel.PUSH) is DeliveryState.FAILED
    async with outbox.database.read() as work:
        assert (await work.session.exec(select(PushSubscription))).all() == []


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_push_service_that_is_busy_is_asked_again(
    outbox: Outbox, push: PushService, status: int
) -> None:
    push.statuses = [status]
    await outbox.tell()
    await outbox.run(Channel.PUSH)
    assert await outbox.state(Channel.PUSH) is DeliveryState.WAITING
    await outbox.run(Channel.PUSH, after=timedelta(minutes=1))
    assert await outbox.state(Channel.PUSH) is DeliveryState.SENT
    assert len(push.messages) == 1


async def test_what_arrived_is_known(outbox: Outbox, clock: FakeClock) -> None:
    await outbox.tell(is_urgent=True)
    await outbox.run()
    rows = await outbox.deliveries()
    clock.advance(timedelta(seconds=9))
    async with outbox.database.work() as work:
        await way_out.note_arrival(work, rows[Channel.PUSH].uid)
        await way_out.note_report(work, rows[Channel.SMS].reference, is_arrived=True)
        await way_out.note_report(work, "nothing known", is_arrived=True)
    assert await outbox.states() == {"push": "arrived", "mail": "sent", "sms": "arrived"}
    async with outbox.database.work() as work:
        (notice,) = (await service.list_notices(work, outbox.actor, before=None)).rows
    assert {proof.channel: proof.at for proof in notice.proofs}["sms"] == clock.now()


async def test_a_message_that_was_lost_behind_the_gateway_is_sent_once_more(
    outbox: Outbox, sms: SmsGateway
) -> None:
    await outbox.tell(is_urgent=True)
    await outbox.run(Channel.SMS)
    row = (await outbox.deliveries())[Channel.SMS]
    sms.taken.clear()
    async with outbox.database.work() as work:
        await way_out.note_report(work, row.uid, is_arrived=False)
    await outbox.run(Channel.SMS, after=timedelta(minutes=1))
    assert sms.keys == [row.uid, row.uid]


async def test_an_arrival_before_the_answer_stays(outbox: Outbox, database: Database) -> None:
    await outbox.tell(is_urgent=True)
    async with database.work() as work:
        (parcel,) = await take_due(work, Channel.SMS, "me")
    async with database.work() as work:
        await way_out.note_arrival(work, parcel.uid)
    async with database.work() as work:
        await settle(work, "me", parcel, Outcome.taken("gateway 1"))
    row = (await outbox.deliveries())[Channel.SMS]
    assert (row.state, row.reference) == (DeliveryState.ARRIVED, "gateway 1")


async def test_what_is_half_a_year_old_is_forgotten(outbox: Outbox, clock: FakeClock) -> None:
    await outbox.tell(key="old")
    clock.advance(service.KEPT + timedelta(days=1))
    await outbox.tell(key="new")
    async with outbox.database.work() as work:
        await service.sweep(work, {})
    assert [notice.key for notice in await outbox.notices()] == ["new"]
    async with outbox.database.read() as work:
        assert len((await work.session.exec(select(Delivery))).all()) == 2


@pytest.mark.parametrize(
    "name",
    [
        "Lò Văn Thử\r\nBcc: all@example.vn",
        "<script>alert(1)</script>",
        "{code}{link}",
        "=?utf-8?q?x?=",
    ],
)
async def test_hostile_words_stay_words(outbox: Outbox, mail: MailServer, name: str) -> None:
    async with outbox.database.work() as work:
        news = service.News(
            NoticeKind.CASE_ANSWERED, {outbox.actor.id}, "hostile", data={"station": name}
        )
        await service.notify(work, news)
    await outbox.run(after=SOON)
    (found,) = mail.mails
    assert name not in found.as_string()
    assert mail.envelopes[0].rcpt_tos == ["lo.van.thu@benhvien.example"]
    assert found["Bcc"] is None
