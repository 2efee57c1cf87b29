"""Idempotency keys: the same key and body get the same answer, stored with the change itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel, col, select

from telemed.core.columns import Json, UtcDateTime
from telemed.core.db import UnitOfWork
from telemed.core.errors import Invalid, N_


class IdempotencyKey(SQLModel, table=True):
    """The answer given to one unsafe request of one person."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("person_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int
    key: str = Field(max_length=80)
    request_hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    status: int | None = None
    headers: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    body: bytes = Field(default=b"", sa_type=LargeBinary)


async def find_answer(
    work: UnitOfWork, person_id: int, key: str, request_hash: str
) -> IdempotencyKey | None:
    """The stored answer, None for a new key. Raises Invalid when the body differs."""
    query = select(IdempotencyKey).where(
        col(IdempotencyKey.person_id) == person_id, col(IdempotencyKey.key) == key
    )
    stored = (await work.session.exec(query)).one_or_none()
    if stored is not None and stored.request_hash != request_hash:
        raise Invalid(
            "idempotency_key_reused",
            N_("Khóa gửi lại này đã dùng cho một nội dung khác"),
            field="Idempotency-Key",
        )
    return stored


async def reserve(
    work: UnitOfWork, person_id: int, key: str, request_hash: str
) -> IdempotencyKey:
    """Take the key in this transaction; a parallel taker waits and then fails on the constraint."""
    row = IdempotencyKey(
        person_id=person_id, key=key, request_hash=request_hash, at=work.now()
    )
    work.session.add(row)
    await work.session.flush()
    return row
