"""An installation with every way out, and somebody whom all of them reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.config import MailSettings, PushSettings, Settings, SmsSettings
from telemed.core.db import Database, UnitOfWork
from telemed.core.i18n import Catalogue
from telemed.core.paths import LOCALE
from telemed.notices import preferences
from telemed.notices.deliverer import Deliverer
from telemed.notices.gateways.opening import open_gateways
from telemed.notices.kinds import Channel, NoticeKind
from telemed.notices.models import Delivery, DeliveryState, Notice
from telemed.notices.service import News, notify
from tests.conftest import make_settings
from tests.factories import Factory
from tests.outside import (
    Browser,
    MailServer,
    PushService,
    SmsGateway,
    mail_server,
    push_service,
    sms_gateway,
)

SOON = timedelta(minutes=6)
CATALOGUE = Catalogue(LOCALE)


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
async def sms() -> AsyncIterator[SmsGateway]:
    async with sms_gateway() as gateway:
        yield gateway


@pytest.fixture
async def push() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest.fixture
def settings(
    database_url: str, tmp_path: Path, mail: MailServer, sms: SmsGateway, push: PushService
) -> Settings:
    return make_settings(
        data_dir=tmp_path / "var",
        database_url=database_url,
        public_origin="https://telemed.example",
        mail=MailSettings(
            host="127.0.0.1", port=mail.port, security="none", sender="bao@telemed.example"
        ),
        sms=SmsSettings(url=sms.url),
        push=PushSettings(hosts=[*PushSettings().hosts, push.origin]),
    )


@dataclass
class Outbox:
    """Somebody who is told, and the deliverer of an installation."""

    actor: Actor
    browser: Browser
    database: Database
    deliverer: Deliverer
    clock: FakeClock

    async def tell(
        self,
        kind: NoticeKind = NoticeKind.CASE_ANSWERED,
        *,
        is_urgent: bool = False,
        key: str = "fact",
        about: str = "consult:a-case",
    ) -> None:
        async with self.database.work() as work:
            await notify(work, News(kind, {self.actor.id}, key, about, is_urgent=is_urgent))

    async def run(self, *channels: Channel, after: timedelta = timedelta()) -> None:
        """Time passes, and what is due leaves."""
        self.clock.advance(after)
        for channel in channels or tuple(Channel):
            await self.deliverer.run_due(channel)

    async def deliveries(self) -> dict[Channel, Delivery]:
        async with self.database.read() as work:
            rows = (await work.session.exec(select(Delivery).order_by(col(Delivery.id)))).all()
        return {row.channel: row for row in rows}

    async def states(self) -> dict[str, str]:
        return {
            channel.value: row.state.value for channel, row in (await self.deliveries()).items()
        }

    async def state(self, channel: Channel) -> DeliveryState:
        return (await self.deliveries())[channel].state

    async def notices(self) -> list[Notice]:
        async with self.database.read() as work:
            return list((await work.session.exec(select(Notice))).all())


@pytest.fixture
async def outbox(  # fixtures
    work: UnitOfWork,
    make: Factory,
    database: Database,
    settings: Settings,
    clock: FakeClock,
    push: PushService,
) -> AsyncIterator[Outbox]:
    actor = await make.actor(Role.SPECIALIST, phone="0912 345 678")
    code = await preferences.ask_mail(work, actor, "lo.van.thu@benhvien.example")
    assert await preferences.confirm_mail(work, actor, code)
    browser = push.browser()
    await preferences.subscribe(work, actor, browser.endpoint, browser.p256dh, browser.auth)
    await work.commit()
    deliverer = Deliverer(database, open_gateways(settings, CATALOGUE, clock))
    yield Outbox(actor, browser, database, deliverer, clock)
    await deliverer.close()


async def leave(outbox: Outbox) -> None:
    """The account is closed."""
    async with outbox.database.work() as work:
        person = await work.session.get_one(Person, outbox.actor.id)
        person.state = person.state.DISABLED
        work.session.add(person)
