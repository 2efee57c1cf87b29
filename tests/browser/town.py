"""The province with a handful of people whose passwords the tests know, on a served installation."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyotp
from playwright.sync_api import Page, StorageState
from sqlmodel import col, select

from telemed.accounts.permissions import SECOND_FACTOR_ROLES, Role
from telemed.accounts.service import Accounts
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility, FacilityKind
from tests.conftest import make_settings
from tests.factories import Factory
from tests.people import PASSWORD, give_password, give_second_factor
from tests.servers import Telemed

SECRET_KEY = "a-secret-for-browser-tests-long-enough"
SPECIALTY = "respiratory"
# Who, as what, and at which of the stations; hospital people have none.
PEOPLE = (
    ("doctor", "Lò Thị Yến", Role.COMMUNE_DOCTOR, 0),
    ("trainee", "Quàng Văn Ún", Role.COMMUNE_DOCTOR, 0),
    ("neighbour", "Vàng A Lử", Role.COMMUNE_DOCTOR, 1),
    ("specialist", "Nguyễn Thu Hà", Role.SPECIALIST, None),
    ("colleague", "Trần Đức Minh", Role.SPECIALIST, None),
    ("rotated", "Phạm Quốc Bảo", Role.ROTATED_DOCTOR, None),
    ("trainer", "Hoàng Thị Lan", Role.TRAINER, None),
    ("coordinator", "Đỗ Mạnh Cường", Role.COORDINATOR, None),
    ("administrator", "Lê Hải Nam", Role.ADMINISTRATOR, None),
)


@dataclass(frozen=True)
class Account:
    """What one person types to sign in."""

    name: str
    full_name: str
    secret: str | None
    password: str = PASSWORD

    def sign_in(self, page: Page) -> None:
        """Through the real page, with the code that the person's telephone shows."""
        page.goto("/sign-in")
        page.get_by_label("Tên đăng nhập").fill(self.name)
        page.get_by_label("Mật khẩu", exact=True).fill(self.password)
        page.get_by_role("button", name="Đăng nhập", exact=True).click()
        if self.secret:
            page.get_by_label("Mã 6 chữ số").fill(pyotp.TOTP(self.secret).now())
            page.get_by_role("button", name="Vào làm việc").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)


class Town:
    """A served installation and its people, by what they are called in `PEOPLE`."""

    def __init__(self, server: Telemed, people: dict[str, Account]) -> None:
        self.server = server
        self.people = people
        self.signed_in: dict[str, StorageState] = {}


def found_town(directory: Path) -> Town:
    """A migrated installation with its people, being served."""
    directory.mkdir(exist_ok=True)
    settings = make_settings(data_dir=directory / "var", secret_key=SECRET_KEY)
    server = Telemed(directory, secret_key=SECRET_KEY)
    server.command("migrate")
    # Playwright may hold the loop of this thread.
    with ThreadPoolExecutor(1) as thread:
        people = thread.submit(asyncio.run, _settle(settings)).result()
    return Town(server.start(), people)


async def _settle(settings: Settings) -> dict[str, Account]:
    database = Database(settings.database, settings=settings)
    accounts = Accounts.open(settings, database)
    try:
        async with database.work() as work:
            return await _make_people(work, accounts)
    finally:
        accounts.close()
        await database.close()


async def _make_people(work: UnitOfWork, accounts: Accounts) -> dict[str, Account]:
    make = Factory(work)
    stations = select(Facility).where(col(Facility.kind) == FacilityKind.STATION).limit(2)
    places = list(await work.session.exec(stations.order_by(col(Facility.code))))
    people = {}
    for key, full_name, role, station in PEOPLE:
        person = await make.person(
            role,
            at=places[station] if station is not None else await make.hospital(),
            specialty=await make.specialty(SPECIALTY) if role is Role.SPECIALIST else None,
            posted_to=places[0] if role is Role.ROTATED_DOCTOR else None,
            sign_in_name=key,
            full_name=full_name,
        )
        await give_password(work, accounts, person)
        needs_code = role in SECOND_FACTOR_ROLES
        secret = await give_second_factor(work, accounts, person) if needs_code else None
        people[key] = Account(key, full_name, secret)
    return people
