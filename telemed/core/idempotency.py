"""Idempotency keys: the same key and body get the same answer, stored with the change itself."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, UniqueConstraint, delete
from sqlmodel import Field, SQLModel, col, select

from telemed.core.columns import Json, UtcDateTime
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid

LONGEST_KEY = 80
# A station without power may send again days later.
KEPT = timedelta(days=7)
MOST_FORGOTTEN = 100


@dataclass(frozen=True)
class AskedKey:
    """The key of one unsafe request of one person, and a fingerprint of everything it asked."""

    person_id: int
    key: str
    request_hash: str


def fingerprints(key: bytes) -> Callable[[bytes], str]:
    """How requests are told apart: keyed, as some of them hold a password to be guessed."""
    own = hmac.digest(key, b"idempotency", "sha256")
    return lambda asked: hmac.digest(own, asked, "sha256").hex()


class IdempotencyKey(SQLModel, table=True):
    """The answer given to one unsafe request; a parallel one fails on the constraint."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("person_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int
    key: str = Field(max_length=LONGEST_KEY)
    request_hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    status: int
    headers: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    body: bytes = Field(default=b"", sa_type=LargeBinary)


async def find_answer(work: UnitOfWork, asked: AskedKey) -> IdempotencyKey | None:
    """The stored answer, None for a new key. Raises Invalid when the key came with another body."""
    query = select(IdempotencyKey).where(
        col(IdempotencyKey.person_id) == asked.person_id, col(IdempotencyKey.key) == asked.key
    )
    stored = (await work.session.exec(query)).one_or_none()
    if stored is not None and stored.request_hash != asked.request_hash:
        raise Invalid(
            "idempotency_key_reused",
            N_("Phiếu này đã gửi một lần với nội dung khác. Xem lại, gửi lần nữa nếu vẫn đúng."),
            field="Idempotency-Key",
        )
    return stored


async def keep_answer(
    work: UnitOfWork, asked: AskedKey, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Store an answer with the change that it tells of, and forget some that are old."""
    old = select(IdempotencyKey.id).where(col(IdempotencyKey.at) < work.now() - KEPT)
    some = old.limit(MOST_FORGOTTEN).with_for_update(skip_locked=True)
    await work.session.exec(delete(IdempotencyKey).where(col(IdempotencyKey.id).in_(some)))
    work.session.add(
        IdempotencyKey(
            person_id=asked.person_id,
            key=asked.key,
            request_hash=asked.request_hash,
            at=work.now(),
            status=status,
            headers=dict(headers),
            body=body,
        )
    )
