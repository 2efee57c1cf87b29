"""Signed records and signatures as the product makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from telemed.accounts.permissions import SECOND_FACTOR_ROLES, Actor
from telemed.core.records import (
    RecordKind,
    RecordState,
    Signature,
    SignatureMethod,
    SignedRecord,
    content_hash,
)


def signed_record(
    kind: RecordKind, subject: str, author: Actor, content: dict[str, Any], at: datetime
) -> SignedRecord:
    """A record that its first signature has fixed."""
    return SignedRecord(
        kind=kind,
        subject=subject,
        author_id=author.id,
        state=RecordState.SIGNED,
        content=content,
        content_hash=content_hash(content),
        created_at=at,
        saved_at=at,
        fixed_at=at,
    )


def signature(record: SignedRecord, signer: Actor, signed_as: str, at: datetime) -> Signature:
    """The evidence of one signer; its record gets a key later."""
    has_factor = not signer.roles.isdisjoint(SECOND_FACTOR_ROLES)
    method = SignatureMethod.PASSWORD_AND_CODE if has_factor else SignatureMethod.PASSWORD
    return Signature(
        record_id=0,
        person_id=signer.id,
        signed_as=signed_as,
        method=method,
        content_hash=record.content_hash or "",
        at=at,
    )
