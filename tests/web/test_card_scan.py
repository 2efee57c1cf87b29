"""The door through which scripts scan: a picture or the text of a code in, fields of the form out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from PIL import Image
from sqlmodel import col, func, select

from telemed.accounts.permissions import Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import Database
from telemed.core.idempotency import IdempotencyKey
from telemed.facilities.models import Facility
from tests import pictures
from tests.cards import ID_CARD, INSURANCE_CARD, photographed, saved
from tests.conftest import Client
from tests.factories import Factory

SignIn = Callable[[Actor], Awaitable[Client]]

SCAN = "/patients/new/scan"
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
CARD = saved(photographed(ID_CARD))
FIELDS = {
    "personal_number": "011059000123",
    "old_number": "040123456",
    "full_name": "Lò Văn Pánh",
    "sex": "male",
    "birth": "12/03/1959",
    "address": "Bản Co Chạy, Mường Pồn, Điện Biên",
}
PANH = {
    "personal_number": "011059000123",
    "full_name": "Lò Văn Pánh",
    "sex": "male",
    "birth": "12/03/1959",
    "allergy_state": "none",
}


@pytest.fixture
async def place(make: Factory) -> Facility:
    return await make.facility()


@pytest.fixture
async def browser(make: Factory, signed_in: SignIn, place: Facility) -> Client:
    return await signed_in(await make.actor(Role.COMMUNE_DOCTOR, at=place))


async def send(
    browser: Client, picture: bytes, kind: str = "image/jpeg", **more: str
) -> ClientResponse:
    return await browser.post(SCAN, data=picture, headers=SCRIPT | {"Content-Type": kind} | more)


async def said(answer: ClientResponse) -> tuple[int, str, list[str]]:
    """Status, code and fields of a refusal; its words are there and filled in."""
    body = await answer.json()
    assert body["message"]
    assert "{" not in body["message"]
    return answer.status, body["code"], [each["field"] for each in body.get("fields", [])]


async def count(database: Database, *conditions: Any) -> int:
    async with database.read() as work:
        query = select(func.count()).select_from(AuditRecord).where(*conditions)
        return (await work.session.exec(query)).one()


async def test_a_picture_of_a_card_gives_the_fields_of_the_form(browser: Client) -> None:
    answer = await send(browser, CARD)
    assert answer.status == 200
    assert await answer.json() == {"fields": FIELDS, "existing": None}
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_picture_of_an_insurance_card_gives_its_number(browser: Client) -> None:
    body = await (await send(browser, saved(photographed(INSURANCE_CARD)))).json()
    assert body["fields"]["insurance_number"] == "DT4110110059123"
    assert body["fields"]["full_name"] == "Lò Văn Pánh"


async def test_the_text_of_a_code_does_as_well(browser: Client) -> None:
    body = await (await browser.post(SCAN, json={"qr": f"{ID_CARD}\r\n"}, headers=SCRIPT)).json()
    assert body == {"fields": FIELDS, "existing": None}


async def test_a_known_patient_is_named_and_the_look_is_on_record(
    browser: Client, database: Database
) -> None:
    saved_patient = await browser.post("/patients/new", data=PANH)
    looks = col(AuditRecord.tag) == AuditTag.PATIENT_LIST
    before = await count(database, looks)
    body = await (await send(browser, CARD)).json()
    assert body["existing"] == {"name": "Lò Văn Pánh", "url": saved_patient.url.path}
    assert await count(database, looks) == before + 1


async def test_a_patient_of_another_station_is_not_told_of(
    browser: Client, make: Factory, signed_in: SignIn, database: Database
) -> None:
    await browser.post("/patients/new", data=PANH)
    before = await count(database)
    other = await signed_in(await make.actor(Role.COMMUNE_DOCTOR))
    body = await (await send(other, CARD)).json()
    assert body["existing"] is None
    assert await count(database) == before


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.COMMUNE_DOCTOR, Role.ROTATED_DOCTOR}))
async def test_who_registers_nobody_scans_nothing(
    make: Factory, signed_in: SignIn, role: Role
) -> None:
    other = await signed_in(await make.actor(role))
    assert (await send(other, CARD)).status == 403
    assert (await other.post(SCAN, json={"qr": ID_CARD}, headers=SCRIPT)).status == 403


async def test_a_stranger_scans_nothing(client: Client) -> None:
    assert (await send(client, CARD)).status == 401


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (saved(Image.new("L", (640, 640), 150)), (422, "qr_absent", ["picture"])),
        (saved(photographed("hello")), (422, "qr_unknown", ["qr"])),
        (saved(photographed("https://example.test/a|b|c|dd|e|f")), (422, "qr_unknown", ["qr"])),
        (saved(photographed(ID_CARD.replace("12031959", "31021959"))), (422, "birth_no_such_day", ["qr"])),
        (b"", (422, "picture_unreadable", ["picture"])),
        (b"\0" * 1000, (422, "picture_unreadable", ["picture"])),
        (CARD[:900], (422, "picture_unreadable", ["picture"])),
        (pictures.SVG, (422, "picture_unreadable", ["picture"])),
        (pictures.png_of(1500, 1500), (422, "picture_pixels", ["picture"])),
        (CARD + b"\0" * 200_000, (413, "body_too_large", [])),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_in_words(
    browser: Client, picture: bytes, expected: tuple[int, str, list[str]]
) -> None:
    assert await said(await send(browser, picture)) == expected


async def test_the_words_are_those_of_the_reader(browser: Client) -> None:
    await browser.get("/language/en?next=/home")
    body = await (await send(browser, b"hello")).json()
    assert body["fields"][0]["message"] == "The picture cannot be read. Send a JPEG, PNG or WebP."


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "text/html"])
async def test_only_pictures_and_texts_are_taken(browser: Client, kind: str) -> None:
    assert (await send(browser, CARD, kind)).status == 415


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "qr_missing"),
        ({"qr": "hello"}, "qr_unknown"),
        ({"qr": "TÉ4|4c|1959|1|4c|11019"}, "qr_retyped"),
        ({"qr": "x" * 2001}, "fields_invalid"),
        ({"qr": 5}, "fields_invalid"),
        ({"qr": ID_CARD, "station": "1"}, "fields_invalid"),
    ],
)
async def test_a_text_that_is_no_card_is_refused_at_its_field(
    browser: Client, body: dict[str, Any], code: str
) -> None:
    answer = await browser.post(SCAN, json=body, headers=SCRIPT)
    assert answer.status == 422
    assert (await answer.json())["code"] == code


async def test_pictures_are_paced_by_person(
    browser: Client, make: Factory, signed_in: SignIn, place: Facility, clock: FakeClock
) -> None:
    statuses = [(await send(browser, b"hello")).status for _ in range(92)]
    assert statuses == [422] * 90 + [429] * 2
    colleague = await signed_in(await make.actor(Role.COMMUNE_DOCTOR, at=place))
    assert (await send(colleague, CARD)).status == 200


async def test_nothing_of_a_picture_or_a_card_is_kept(browser: Client, database: Database) -> None:
    before = await count(database)
    await send(browser, CARD)
    await browser.post(SCAN, json={"qr": ID_CARD}, headers=SCRIPT)
    assert await count(database) == before
    async with database.read() as work:
        assert (await work.session.exec(select(IdempotencyKey))).all() == []
