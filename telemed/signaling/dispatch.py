"""The guarded way of every event: known, well-formed, not too fast, signed in, allowed, answered."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Protocol, TypeVar

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditTag
from telemed.core.db import Database
from telemed.core.errors import N_, TelemedError, Throttled, Unauthenticated
from telemed.core.i18n import Catalogue
from telemed.signaling.engine.limits import Allowance
from telemed.signaling.engine.upstream_logs import describe_failure
from telemed.signaling.parsing import parse_event
from telemed.signaling.protocol import EVENTS, LIMITS, Message, Rate

log = logging.getLogger(__name__)

MessageT = TypeVar("MessageT", bound=Message)
# How long the last look at a login is believed; a login that is revoked is looked at anyway.
TRUSTED_SECONDS: Final = 2.0


@dataclass
class Connection:
    """One page of one signed-in person. Rights are never kept here, only who it is."""

    sid: str
    actor: Actor
    locale: str
    looked_at: float = field(default_factory=monotonic)
    sessions: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    allowances: dict[Rate, Allowance] = field(
        default_factory=lambda: {rate: Allowance(*limit) for rate, limit in LIMITS.items()}
    )


@dataclass(frozen=True)
class Caller:
    """Who sent an event, as far as it has been checked."""

    connection: Connection
    actor: Actor
    request_id: str

    @property
    def sid(self) -> str:
        """The connection it came from."""
        return self.connection.sid


Handler = Callable[[Any, Caller, Any], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Spec:
    """What an event asks for, and who answers it."""

    action: Action
    rate: Rate
    handler: Handler


class Events:
    """The events that are allowed, each with its action; one without cannot be written."""

    def __init__(self) -> None:
        self.specs: dict[str, Spec] = {}

    def on(
        self, name: str, action: Action, rate: Rate = Rate.PLAIN
    ) -> Callable[[Handler], Handler]:
        """Name the handler of an event of the protocol."""
        if name not in EVENTS or name in self.specs:
            raise LookupError(f"not an event of the protocol, or twice: {name}")

        def register(handler: Handler) -> Handler:
            self.specs[name] = Spec(action, rate, handler)
            return handler

        return register


class Logins(Protocol):
    """Finds out whether a connection still belongs to somebody who is signed in."""

    async def look_again(self, connection: Connection) -> Actor | None:
        """The person as of now; None when the login has ended."""
        ...


class Dispatcher:
    """Takes an event through all checks to its handler and makes the one answer to it."""

    def __init__(
        self,
        events: Events,
        target: object,
        *,
        database: Database,
        catalogue: Catalogue,
        logins: Logins,
    ) -> None:
        self._specs: Mapping[str, Spec] = events.specs
        self._target = target
        self._database = database
        self._catalogue = catalogue
        self._logins = logins

    async def answer(
        self, connection: Connection, name: str, arguments: tuple[object, ...]
    ) -> dict[str, Any]:
        """What the client's acknowledgement carries; never raises."""
        request_id = secrets.token_hex(8)
        try:
            return {"ok": True, "data": await self._handle(connection, name, arguments, request_id)}
        except TelemedError as error:
            return self.refusal(connection.locale, error)
        except Exception as error:  # noqa: BLE001 - the client hears of it, whatever it was
            what = describe_failure(error)
            log.error("event %s failed: %s", request_id, what)  # noqa: TRY400 - no payload
            message = self._catalogue.translate(connection.locale, INTERNAL, {})
            return {"ok": False, "code": "internal", "message": message, "request_id": request_id}

    async def _handle(
        self, connection: Connection, name: str, arguments: tuple[object, ...], request_id: str
    ) -> dict[str, Any]:
        message = parse_event(name, arguments)
        spec = self._specs[name]
        if not connection.allowances[spec.rate].spend(1):
            raise Throttled("throttled", TOO_FAST, retry_after_seconds=1)
        actor = await self._actor_of(connection)
        try:
            require(actor, spec.action)
            return await spec.handler(self._target, Caller(connection, actor, request_id), message)
        except TelemedError as error:
            if error.refused_action:
                async with self._database.work(request_id) as work:
                    work.audit(AuditTag.ACCESS_REFUSED, actor, error.refused_action, event=name)
            raise

    async def _actor_of(self, connection: Connection) -> Actor:
        if monotonic() - connection.looked_at < TRUSTED_SECONDS:
            return connection.actor
        actor = await self._logins.look_again(connection)
        if actor is None:
            raise Unauthenticated
        return actor

    def refusal(self, locale: str, error: TelemedError) -> dict[str, Any]:
        """The answer to an expected refusal."""
        answer: dict[str, Any] = {
            "ok": False,
            "code": error.code,
            "message": self._catalogue.explain(locale, error),
        }
        if error.fields:
            answer["fields"] = [
                {
                    "field": each.field,
                    "code": each.code,
                    "message": self._catalogue.translate(locale, each.message, each.params),
                }
                for each in error.fields
            ]
        if isinstance(error, Throttled):
            answer["retry_after_seconds"] = error.retry_after_seconds
        return answer


TOO_FAST: Final = N_("Gửi quá nhanh. Chờ {seconds} giây rồi thử lại.")
INTERNAL: Final = N_("Máy chủ gặp lỗi. Những gì đã lưu vẫn còn. Báo quản trị mã yêu cầu bên dưới.")
