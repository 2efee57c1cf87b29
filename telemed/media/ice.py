"""ICE servers for browsers: fixed ones as they were set, TURN with credentials that expire.

The credentials are those of coturn's `use-auth-secret`: a user name that says until when and whom
for, and as password its HMAC-SHA1 in base64 under a secret that coturn and this server share.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from telemed.core.config import Settings

BRIEFLY: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Issued:
    """ICE servers for one participant; `expires_at` is None when nothing in them expires."""

    servers: list[dict[str, Any]]
    expires_at: datetime | None

    @property
    def answer(self) -> dict[str, Any]:
        """In the form of the wire."""
        until = self.expires_at.isoformat() if self.expires_at else None
        return {"ice_servers": self.servers, "ice_expires_at": until}


@dataclass(frozen=True)
class IceServers:
    """What browsers are told of finding a path. Nothing is in it that nobody has set."""

    fixed: tuple[dict[str, Any], ...] = ()
    turn_urls: tuple[str, ...] = ()
    secret: bytes = b""
    lifetime: timedelta = timedelta()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say. Raises SettingError for a bad secret."""
        secrets = settings.turn_secrets()
        return cls(
            fixed=tuple(each.model_dump(exclude_none=True) for each in settings.ice_servers),
            turn_urls=tuple(settings.turn_urls),
            secret=secrets[0] if secrets else b"",
            lifetime=timedelta(minutes=settings.turn_lifetime_minutes),
        )

    @classmethod
    def of_relay(cls, settings: Settings) -> Self:
        """What the relay's own side looks for a path with. Raises SettingError for a bad secret."""
        own = cls.of(settings)
        fixed = tuple(each.model_dump(exclude_none=True) for each in settings.relay_ice_servers)
        turn_urls = own.turn_urls if settings.relay_turn != "no" else ()
        return replace(own, fixed=fixed, turn_urls=turn_urls)

    def issue(self, participant: str, now: datetime) -> Issued:
        """All servers, with credentials of one participant of one session, good from now on."""
        servers = list(self.fixed)
        if not self.turn_urls:
            return Issued(servers, None)
        # Whole seconds are all that the user name can say.
        expires_at = (now + self.lifetime).replace(microsecond=0)
        username, credential = turn_credential(self.secret, participant, expires_at)
        turn = {"urls": list(self.turn_urls), "username": username, "credential": credential}
        return Issued([*servers, turn], expires_at)

    def to_json(self) -> dict[str, Any]:
        """For a process of our own, over a pipe: the secret is in it."""
        return {
            "fixed": self.fixed,
            "turn_urls": self.turn_urls,
            "secret": self.secret.decode(),
            "seconds": self.lifetime.total_seconds(),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """What `to_json` wrote."""
        lifetime = timedelta(seconds=told["seconds"])
        return cls(
            tuple(told["fixed"]), tuple(told["turn_urls"]), told["secret"].encode(), lifetime
        )

    def issue_briefly(self, who: str, now: datetime) -> Issued:
        """The same for somebody who is not inside yet, or only looks at the link."""
        return replace(self, lifetime=min(self.lifetime, BRIEFLY)).issue(who, now)


NO_SERVERS: Final = IceServers()


def turn_credential(secret: bytes, participant: str, expires_at: datetime) -> tuple[str, str]:
    """User name and password that coturn takes until a moment."""
    username = f"{int(expires_at.timestamp())}:{participant}"
    digest = hmac.digest(secret, username.encode(), hashlib.sha1)
    return username, base64.b64encode(digest).decode()
