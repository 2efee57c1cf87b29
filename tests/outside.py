"""Those outside: a real SMTP server, and stand-ins for a gateway for SMS and for a push service.

Nobody can run the push service of a browser's maker or a telephone company; the stand-ins speak
their protocols over real HTTP, and the push service opens what it gets with the browser's keys.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import http_ece
import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid


@dataclass
class MailServer:
    """Takes mail; `refusals` are answered first, one a message."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    drops_after_data: int = 0
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, where it listened before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, hostname="localhost"), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Nobody listens any more."""
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def handle_RCPT(  # noqa: N802 # as the library calls it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # as the library calls it
        assert isinstance(envelope.content, bytes)
        self.envelopes.append(envelope)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        if self.drops_after_data:
            self.drops_after_data -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """An SMTP server on a free loopback port."""
    found = MailServer()
    await found.open()
    yield found
    await found.close()


Answer = Callable[[], web.Response]


@dataclass
class SmsGateway:
    """Takes messages and knows each id once; `answers` replace its own, one a request.

    `takes_first` are answers after which it has taken the message all the same.
    """

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[bool, Answer]] = field(default_factory=list)
    hangs: asyncio.Event | None = None

    async def take(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.requests.append(body)
        self.keys.append(request.headers["Idempotency-Key"])
        if self.hangs is not None:
            await self.hangs.wait()
        if self.answers:
            is_taken, answer = self.answers.pop(0)
            if is_taken:
                self.taken.setdefault(body["id"], body["text"])
            return answer()
        if body["id"] in self.taken:
            return web.json_response({}, status=409)
        self.taken[body["id"]] = body["text"]
        return web.json_response({"id": f"sms-{len(self.taken)}"})


@asynccontextmanager
async def sms_gateway() -> AsyncIterator[SmsGateway]:
    """A gateway for SMS on a free loopback port."""
    found = SmsGateway()
    app = web.Application()
    app.router.add_post("/send", found.take)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/send"))
        yield found


class Browser:
    """The keys that a browser makes for a subscription."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"0123456789abcdef"
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.p256dh = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        self.auth = base64.urlsafe_b64encode(self._auth).rstrip(b"=").decode()

    def open(self, sealed: bytes) -> dict[str, Any]:
        """What a message says (RFC 8291)."""
        opened = http_ece.decrypt(sealed, private_key=self._key, auth_secret=self._auth)
        found = orjson.loads(opened)
        assert isinstance(found, dict)
        return found


@dataclass
class PushService:
    """Takes messages for browsers; `statuses` are answered first, one a request."""

    origin: str = ""
    messages: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def browser(self, name: str = "a") -> Browser:
        return Browser(f"{self.origin}/push/{name}")

    async def take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 201
        # RFC 8292 3: who may not send is told so.
        token = request.headers["Authorization"].split("t=")[1].split(",")[0]
        assert token.count(".") == 2
        if status < 300:
            self.messages.append(
                (request.match_info["name"], await request.read(), request.headers.copy())
            )
        return web.Response(status=status)


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    """A push service on a free loopback port."""
    found = PushService()
    app = web.Application()
    app.router.add_post("/push/{name}", found.take)
    async with TestServer(app) as server:
        found.origin = str(server.make_url("/")).rstrip("/")
        yield found


def is_signed_by(headers: Mapping[str, str], key: str, audience: str) -> bool:
    """Whether a message carries the signature of an installation for a push service (RFC 8292)."""
    return bool(
        Vapid.verify(headers["Authorization"])
        and f"k={key}" in headers["Authorization"]
        and _claims(headers["Authorization"])["aud"] == audience
    )


def _claims(authorization: str) -> dict[str, Any]:
    body = authorization.split("t=")[1].split(",", maxsplit=1)[0].split(".")[1]
    found = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert isinstance(found, dict)
    return found
