"""Web Push: RFC 8030, encrypted (RFC 8291), signed with the installation's own key (RFC 8292)."""

from __future__ import annotations

import base64
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from py_vapid import Vapid
from pywebpush import WebPushException, webpush_async

from telemed.notices.models import PushSubscription
from telemed.notices.outbox import Outcome, Parcel
from telemed.notices.texts import Texts

SECONDS = 20
# A browser that is off gets it within a shift, an emergency within the hour or not at all.
LIVES = timedelta(hours=12)
LIVES_URGENT = timedelta(hours=1)
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NEVER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
# The order of the curve P-256 (FIPS 186-5).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def vapid_of(secret: bytes) -> Vapid:
    """The key of an installation, from its secret: every process has the same, nobody keeps it."""
    wide = HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=b"telemed web push")
    number = int.from_bytes(wide.derive(secret)) % (_ORDER - 1) + 1
    return Vapid(private_key=ec.derive_private_key(number, ec.SECP256R1()))


def public_key(vapid: Vapid) -> str:
    """What browsers subscribe with: the uncompressed point, base64url."""
    point = vapid.public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


class PushGateway:
    """Hands a message to the push service of each browser of a person."""

    def __init__(self, vapid: Vapid, contact: str, texts: Texts) -> None:
        self._vapid = vapid
        self._contact = contact
        self._texts = texts
        self._http: aiohttp.ClientSession | None = None

    async def send(self, parcel: Parcel) -> Outcome:
        """Taken when one browser's service has taken it; the others get it again with the next."""
        if not parcel.browsers:
            return Outcome.refused("no_browser")
        outcomes = [await self._send_to(parcel, browser) for browser in parcel.browsers]
        dead = [place for outcome in outcomes for place in outcome.dead_endpoints]
        best = next((outcome for outcome in outcomes if outcome.is_taken), None)
        best = best or next((o for o in outcomes if not o.is_final), outcomes[0])
        return Outcome(
            best.is_taken,
            is_final=best.is_final,
            problem=best.problem,
            pause=best.pause,
            dead_endpoints=dead,
        )

    async def _send_to(self, parcel: Parcel, browser: PushSubscription) -> Outcome:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        message = {
            "sentence": self._texts.sentence(parcel),
            "uid": parcel.notice_uid,
            "delivery": parcel.uid,
            "urgent": parcel.is_urgent,
        }
        try:
            await webpush_async(
                {
                    "endpoint": browser.endpoint,
                    "keys": {"p256dh": browser.p256dh, "auth": browser.auth},
                },
                orjson.dumps(message).decode(),
                vapid_private_key=self._vapid,
                vapid_claims={"sub": self._contact},
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                ttl=int((LIVES_URGENT if parcel.is_urgent else LIVES).total_seconds()),
                headers={
                    "Urgency": "high" if parcel.is_urgent else "normal",
                    # RFC 8030 5.4: what waits at the service is replaced, so it shows once.
                    "Topic": parcel.notice_uid,
                },
                aiohttp_session=self._http,
            )
        except WebPushException as error:
            return _refusal(error, browser)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Outcome.again(type(error).__name__)
        return Outcome.taken()

    async def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            await self._http.close()


def _refusal(error: WebPushException, browser: PushSubscription) -> Outcome:
    status = error.status_code or 0
    problem = f"http_{status}"
    if status in _GONE:
        return Outcome(False, problem=problem, dead_endpoints=(browser.endpoint,))
    if status in _NEVER:
        return Outcome.refused(problem)
    return Outcome.again(problem, _pause(error.retry_after))


def _pause(seconds: str | None) -> timedelta | None:
    """What the service asks for, within reason."""
    if seconds is None or not seconds.isdecimal():
        return None
    return timedelta(seconds=min(int(seconds), 3600))
