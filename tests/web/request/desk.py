"""A doctor at a form that was begun, and what is asked of its pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlmodel import col, select

from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult, ConsultDraft
from telemed.consults.request.fields import TICKS
from telemed.core.db import Database
from telemed.facilities.models import Facility
from telemed.patients.models import Patient

Client = TestClient[web.Request, web.Application]

COMPLETE: dict[str, Any] = {
    "revision": "0",
    "question": ["Cần chuyển viện ngay không?", ""],
    "reason": "Sốt 3 ngày",
    "diagnosis": "Viêm phổi thùy",
    "vital_spo2": "93",
    "taken_time": "08:40",
    "taken_date": "23/11/2026",
    "allergy_state": "none",
    "urgency": "urgent",
    "specialty": "internal",
    "basis": "patient",
    "agree_consult": TICKS["agree_consult"],
}
SCRIPT = {"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
UNKNOWN = "x" * 22


@dataclass
class Desk:
    """A doctor's browser with a form that was begun."""

    station: Facility
    doctor: Actor
    patient: Patient
    uid: str
    browser: Client

    @property
    def form(self) -> str:
        return f"/consults/{self.uid}/request"

    @property
    def draft(self) -> str:
        return f"/consults/{self.uid}/draft"

    @property
    def submit(self) -> str:
        return f"/consults/{self.uid}/submit"


async def text_of(answer: Any) -> str:
    return unescape(await answer.text())


async def kept(database: Database) -> ConsultDraft:
    async with database.read() as work:
        return (await work.session.exec(select(ConsultDraft))).one()


async def consult_of(database: Database, uid: str) -> Consult:
    async with database.read() as work:
        return (await work.session.exec(select(Consult).where(col(Consult.uid) == uid))).one()


def value_of(page: str, name: str) -> str:
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    assert field
    return field.group(1)
