"""A case full of canaries, and who meets it: for the tests of what may be seen."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from secrets import token_urlsafe
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from telemed.accounts.permissions import Actor
from telemed.consults.case.conversation import add_message
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import ConsultQuestion
from telemed.core.db import UnitOfWork
from telemed.imaging.models import FileState, StoredFile
from telemed.patients.models import AllergyState, Sex
from tests.factories import Case, Factory

Browser = TestClient[web.Request, web.Application]
SignIn = Callable[[Actor], Awaitable[Browser]]

# Who it is: nobody but the two sides of the case may ever be sent one of these.
IDENTITY = {
    "full_name": "Canary Văn Định",
    "personal_number": "011031777001",
    "insurance_number": "GD4111234567890",
    "phone": "0911777001",
    "address": "Canary bản Nà Địa",
    "guardian_name": "Canary Thị Giám",
    "guardian_phone": "0911777002",
    "allergies": "Canary dị ứng tôm",
}
BIRTH = date(1931, 9, 7)
BORN_AS = ("07/09/1931", "1931-09-07", "1931")
# Clinical words beyond what triage needs.
BEYOND_TRIAGE = {
    "history": "Canary tiền sử",
    "examination": "Canary khám",
    "medication": "Canary thuốc",
    "treatment": "Canary điều trị",
    "diagnosis": "Canary chẩn đoán",
}
TALK, CAPTION = "Canary trao đổi", "Canary tên tệp"
# What triage does show.
REASON, QUESTION = "Hoàng yến lý do", "Hoàng yến câu hỏi"

NOT_BEFORE_CLAIM = (*IDENTITY.values(), *BORN_AS, *BEYOND_TRIAGE.values(), TALK, CAPTION)
CLINICAL = (*NOT_BEFORE_CLAIM, REASON, QUESTION)


async def canary_case(
    work: UnitOfWork, make: Factory, state: ConsultState = ConsultState.REQUESTED, **changes: Any
) -> Case:
    """A case with something to find in every field."""
    case = await make.case(state, reason=REASON, **(BEYOND_TRIAGE | changes))
    patient, consult = case.patient, case.consult
    for name, value in IDENTITY.items():
        setattr(patient, name, value)
    patient.sex, patient.birth_date, patient.birth_year = Sex.MALE, BIRTH, BIRTH.year
    patient.allergy_state = AllergyState.KNOWN
    assert consult.id
    work.session.add(ConsultQuestion(consult_id=consult.id, number=2, text=QUESTION))
    await add_message(work, case.doctor, consult, TALK)
    work.session.add(
        StoredFile(
            consult_id=consult.id,
            patient_id=consult.patient_id,
            station_id=consult.station_id,
            uploaded_by_id=case.doctor.id,
            sha256="0" * 64,
            size_bytes=9,
            media_type="image/png",
            original_name=f"{CAPTION}.png",
            caption=CAPTION,
            state=FileState.READY,
            preview_sha256="1" * 64,
            at=work.now(),
        )
    )
    await work.session.flush()
    return case


async def text_of(browser: Browser, url: str, status: int = 200) -> str:
    """A page, with its status made sure of."""
    async with browser.get(url) as answer:
        assert answer.status == status, (url, answer.status)
        return await answer.text()


def press(browser: Browser, url: str, **fields: str) -> AbstractAsyncContextManager[ClientResponse]:
    """Send a form of our pages, which always brings its key."""
    return browser.post(url, data={"idempotency_key": token_urlsafe(16), **fields})


def found_in(text: str, words: tuple[str, ...]) -> list[str]:
    """Those of the words that a page gives away."""
    return [word for word in words if word in text]


def without_noise(text: str, uid: str) -> str:
    """A page without its own address and what differs from one answer to the next."""
    return re.sub(r'value="[\w-]{22}"|[0-9a-f]{16}', "", text.replace(uid, ""))
