"""The second factor: codes of an authenticator (RFC 6238), each good for one use."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime
from typing import NamedTuple

import pyotp
import segno
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import update
from sqlmodel import col

from telemed.accounts.models import SecondFactor
from telemed.core.db import UnitOfWork

ISSUER = "Telemed"
STEP_SECONDS = 30
STEPS_OF_DRIFT = 1
_NONCE_BYTES = 12


class SecretBox:
    """Encrypts secrets at rest with AES-256-GCM, each bound to its person."""

    def __init__(self, signing_key: bytes) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"telemed second factor").derive(signing_key)
        self._cipher = AESGCM(derived)

    def seal(self, person_id: int, secret: str) -> str:
        """The secret as it is stored."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), _bound_to(person_id))
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, person_id: int, stored: str) -> str:
        """The secret itself. Raises InvalidTag for another person's or with another key."""
        raw = base64.urlsafe_b64decode(stored)
        nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return self._cipher.decrypt(nonce, sealed, _bound_to(person_id)).decode()


def _bound_to(person_id: int) -> bytes:
    return f"person:{person_id}".encode()


class Match(NamedTuple):
    """The time step whose code was typed, and whether one that late was used before."""

    step: int
    is_replay: bool


def match_code(secret: str, code: str, now: datetime, *, last_step: int) -> Match | None:
    """The step that a code belongs to, None for a wrong one; clocks may differ by one step."""
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_SECONDS
    typed = "".join(code.split()).encode()
    found = None
    for step in range(current - STEPS_OF_DRIFT, current + STEPS_OF_DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), typed):
            found = Match(step, is_replay=step <= last_step)
    return found


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def grouped(secret: str) -> str:
    """A secret as a person types it: groups of four."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def setup_image(secret: str, sign_in_name: str) -> str:
    """The QR code for an authenticator, as a data address for an image."""
    address = pyotp.TOTP(secret).provisioning_uri(name=sign_in_name, issuer_name=ISSUER)
    return str(segno.make(address, error="m").svg_data_uri(scale=4, border=4, light="#fff"))


async def use_step(work: UnitOfWork, person_id: int, step: int) -> bool:
    """Spend a code; False when it, or a later one, was spent meanwhile."""
    spend = (
        update(SecondFactor)
        .where(col(SecondFactor.person_id) == person_id, col(SecondFactor.last_step) < step)
        .values(last_step=step)
        .execution_options(synchronize_session=False)
    )
    return (await work.session.exec(spend)).rowcount == 1


async def begin_setup(work: UnitOfWork, box: SecretBox, person_id: int) -> None:
    """A fresh secret that counts once the person has shown a code of it."""
    factor = await work.session.get(SecondFactor, person_id)
    sealed = box.seal(person_id, new_secret())
    if factor is None:
        factor = SecondFactor(person_id=person_id, secret_encrypted=sealed)
    factor.secret_encrypted = sealed
    factor.confirmed_at = None
    factor.last_step = 0
    work.session.add(factor)
    await work.session.flush()
