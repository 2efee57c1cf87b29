"""SMS through a gateway with an HTTP door; what it wants to be told is a setting."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from telemed.core.config import SmsSettings
from telemed.notices.outbox import Outcome, Parcel
from telemed.notices.texts import Texts

SECONDS = 20
MOST_ANSWER_BYTES = 64 * 1024
# What no other attempt will change; a wrong password or a full queue somebody may mend.
_NEVER = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class SmsGateway:
    """Counts a message as taken only when the gateway names it: an empty 200 is no proof.

    Every attempt carries the same id, in the body and as `Idempotency-Key`.
    """

    def __init__(self, settings: SmsSettings, texts: Texts) -> None:
        self._settings = settings
        self._texts = texts
        self._http: aiohttp.ClientSession | None = None

    async def send(self, parcel: Parcel) -> Outcome:
        """Hand one message to the gateway."""
        if not parcel.phone:
            return Outcome.refused("no_number")
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        headers = {"Idempotency-Key": parcel.uid, "Accept": "application/json"}
        if token := self._settings.token.get_secret_value():
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._http.post(
                self._settings.url,
                json=self._body(parcel),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                return self._read(answer.status, await answer.content.read(MOST_ANSWER_BYTES))
        except (aiohttp.ClientError, OSError) as error:
            return Outcome.again(type(error).__name__)

    def _body(self, parcel: Parcel) -> dict[str, str]:
        words = {"{to}": parcel.phone, "{text}": self._texts.sms(parcel), "{id}": parcel.uid}
        return {name: words.get(value, value) for name, value in self._settings.fields.items()}

    def _read(self, status: int, body: bytes) -> Outcome:
        reference = _find(body, self._settings.reference)
        # 409: it has this id already, from an attempt whose answer was lost.
        if status == HTTPStatus.CONFLICT or (status < HTTPStatus.MULTIPLE_CHOICES and reference):
            return Outcome.taken(reference)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return Outcome.again("no_reference")
        problem = f"http_{status}"
        return Outcome.refused(problem) if status in _NEVER else Outcome.again(problem)

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.close()


def _find(body: bytes, path: str) -> str:
    """What stands at `data.0.id` in an answer; empty where it is none."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    for step in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return ""
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
