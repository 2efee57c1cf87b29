"""People at work who write down what the server acknowledged, and repeat what it did not."""

from __future__ import annotations

import asyncio
import io
import secrets
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from PIL import Image

from telemed.consults.request.fields import TICKS

FROM_OUR_PAGES = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
LOST = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)


@dataclass
class Case:
    """One consult as far as the server has acknowledged it."""

    uid: str
    values: dict[str, str] = field(default_factory=dict)
    revision: int = 0
    is_sent: bool = False
    is_claimed: bool = False
    files: dict[str, str] = field(default_factory=dict)
    minutes: dict[str, str] = field(default_factory=dict)
    minutes_revision: int = 0


@dataclass(frozen=True)
class Attempt:
    """A request that may or may not have arrived; repeated with the same key it must succeed."""

    who: str
    path: str
    body: dict[str, Any]
    key: str


class Unanswered(Exception):
    """The link broke before an answer came."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.path)
        self.attempt = attempt


class Worker:
    """One line of work: a request, its picture, the specialist's claim and minutes, over again."""

    def __init__(self, origin: str, tokens: dict[str, str], patient: str, specialty: str) -> None:
        self._origin = origin
        self._tokens = tokens
        self._patient = patient
        self._specialty = specialty
        self.cases: list[Case] = []
        self._pending: tuple[Attempt, int] | None = None
        self._step = 0

    async def run(self) -> None:
        """Work until the link breaks; the broken step stays to be repeated."""
        async with aiohttp.ClientSession(headers=FROM_OUR_PAGES) as http:
            try:
                while True:
                    await self._do_step(http)
            except Unanswered as lost:
                self._pending = (lost.attempt, self._step)

    async def repeat(self) -> None:
        """Send the unanswered step again, with its key, to a server that is back."""
        if self._pending is None:
            return
        attempt, self._step = self._pending
        self._pending = None
        async with aiohttp.ClientSession(headers=FROM_OUR_PAGES) as http:
            self._note(attempt, await self._send(http, attempt))

    async def _do_step(self, http: aiohttp.ClientSession) -> None:
        attempt = self._next()
        self._note(attempt, await self._send(http, attempt))

    async def _send(self, http: aiohttp.ClientSession, attempt: Attempt) -> Any:
        cookies = {"Cookie": f"telemed={self._tokens[attempt.who]}"}
        headers = cookies | {"Idempotency-Key": attempt.key}
        body = dict(attempt.body)
        if "file" in body:
            form = aiohttp.FormData()
            form.add_field("file", body["file"], filename="anh.png", content_type="image/png")
            body = {"data": form}
        try:
            async with http.post(self._origin + attempt.path, headers=headers, **body) as answer:
                text = await answer.text()
                assert answer.status in {200, 201}, f"{attempt.path}: {answer.status} {text}"
                return await answer.json()
        except LOST as error:
            raise Unanswered(attempt) from error

    def _next(self) -> Attempt:
        steps = [self._open, self._draft, self._draft, self._attach, self._submit]
        steps += [self._claim, self._conclude, self._conclude]
        return steps[self._step]()

    def _attempt(self, who: str, path: str, **body: Any) -> Attempt:
        return Attempt(who, path, body, secrets.token_hex(12))

    def _open(self) -> Attempt:
        return self._attempt("doctor", "/consults/new", data={"patient": self._patient})

    def _draft(self) -> Attempt:
        case = self.cases[-1]
        values = _typed(self._specialty) | {"history": secrets.token_hex(200)}
        body = {"revision": case.revision, "values": values}
        return self._attempt("doctor", f"/consults/{case.uid}/draft", json=body)

    def _attach(self) -> Attempt:
        path = f"/consults/{self.cases[-1].uid}/attachments"
        return self._attempt("doctor", path, file=_picture())

    def _submit(self) -> Attempt:
        case = self.cases[-1]
        data = case.values | {"revision": str(case.revision)}
        return self._attempt("doctor", f"/consults/{case.uid}/submit", data=data)

    def _claim(self) -> Attempt:
        return self._attempt("specialist", f"/consults/{self.cases[-1].uid}/claim", data={})

    def _conclude(self) -> Attempt:
        case = self.cases[-1]
        values = {"conclusion_1": secrets.token_hex(300), "referral": "stay"}
        body = {"revision": case.minutes_revision, "values": values}
        return self._attempt("specialist", f"/consults/{case.uid}/minutes/draft", json=body)

    def _note(self, attempt: Attempt, answer: Any) -> None:
        if self._step == 0:
            self.cases.append(Case(answer["url"].split("/")[2]))
        case = self.cases[-1]
        if attempt.path.endswith("/draft") and "minutes" in attempt.path:
            case.minutes = attempt.body["json"]["values"]
            case.minutes_revision = answer["revision"]
        elif attempt.path.endswith("/draft"):
            case.values, case.revision = attempt.body["json"]["values"], answer["revision"]
        elif attempt.path.endswith("/attachments"):
            case.files[answer["uid"]] = answer["sha256"]
        case.is_sent |= attempt.path.endswith("/submit")
        case.is_claimed |= attempt.path.endswith("/claim")
        self._step = (self._step + 1) % 8


def _typed(specialty: str) -> dict[str, str]:
    return {
        "question": "Có cần chuyển viện không?",
        "reason": "Sốt 3 ngày, khó thở",
        "diagnosis": "Viêm phổi",
        "allergy_state": "none",
        "urgency": "urgent",
        "specialty": specialty,
        "basis": "patient",
        "agree_consult": TICKS["agree_consult"],
    }


def _picture() -> bytes:
    image = Image.frombytes("L", (64, 64), secrets.token_bytes(64 * 64))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()
