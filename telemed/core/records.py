"""Signed records: drafts with revisions, then fixed content, its hash, signatures, addenda.

Used for minutes and transfer logs. What is signed is never edited; an addendum is a record of
its own that names the record it amends (Circular 32/2023 chapter X; Law 15/2023 Article 7(10)).
"""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel, col, select

from telemed.core.audit import AuditTag, append_only
from telemed.core.columns import (
    Json,
    UtcDateTime,
    ValueEnum,
    on_create,
    revision_column,
    uid_column,
)
from telemed.core.db import HasId, UnitOfWork
from telemed.core.errors import N_, Conflict, Missing


class RecordKind(StrEnum):
    """What sort of paper it is."""

    MINUTES = "minutes"
    DECISION = "decision"
    TRANSFER_LOG = "transfer_log"
    REFERRAL = "referral"
    ENTRUSTMENT = "entrustment"
    ACCEPTANCE = "acceptance"


class RecordState(StrEnum):
    """A draft may change; a signed record never does."""

    DRAFT = "draft"
    SIGNED = "signed"


class SignatureMethod(StrEnum):
    """How the signer showed who they were at the moment of signing."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    PASSWORD_AND_CODE = "password_and_code"  # noqa: S105 - the same


_record_revision = revision_column()


class SignedRecord(SQLModel, table=True):
    """One version of a record. `content_hash` is set when it is fixed."""

    __tablename__ = "signed_record"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _record_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    kind: RecordKind = Field(sa_type=ValueEnum(RecordKind))
    subject: str = Field(max_length=60, index=True)
    amends_id: int | None = Field(default=None, foreign_key="signed_record.id", index=True)
    state: RecordState = Field(
        default=RecordState.DRAFT,
        sa_type=ValueEnum(RecordState),
    )
    content: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    content_hash: str | None = Field(default=None, max_length=64)
    author_id: int = Field(index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    saved_at: datetime = Field(sa_type=UtcDateTime)
    fixed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_record_revision)


class Signature(SQLModel, table=True):
    """Evidence of one signing: who, as what, how, over which content, when."""

    __tablename__ = "signature"
    __table_args__ = (UniqueConstraint("record_id", "person_id", "signed_as"),)

    id: int | None = Field(default=None, primary_key=True)
    record_id: int = Field(foreign_key="signed_record.id", index=True)
    person_id: int = Field(index=True)
    signed_as: str = Field(max_length=30)
    method: SignatureMethod = Field(sa_type=ValueEnum(SignatureMethod))
    content_hash: str = Field(max_length=64)
    login_session_id: int | None = None
    at: datetime = Field(sa_type=UtcDateTime)


append_only(Signature)

_FIXED_SQLITE = """
CREATE TRIGGER signed_record_fixed BEFORE UPDATE ON signed_record WHEN OLD.state = 'signed'
BEGIN SELECT RAISE(ABORT, 'a signed record does not change'); END
"""
_FIXED_FUNCTION = """
CREATE OR REPLACE FUNCTION signed_record_fixed() RETURNS trigger LANGUAGE plpgsql AS
$body$ BEGIN RAISE EXCEPTION 'a signed record does not change'; END $body$;
"""
_FIXED_POSTGRES = """
CREATE TRIGGER signed_record_fixed BEFORE UPDATE OR DELETE ON signed_record
FOR EACH ROW WHEN (OLD.state = 'signed') EXECUTE FUNCTION signed_record_fixed()
"""
_FIXED_SQLITE_DELETE = _FIXED_SQLITE.replace("fixed BEFORE UPDATE", "kept BEFORE DELETE")
on_create(
    SignedRecord,
    [
        ("sqlite", _FIXED_SQLITE),
        ("sqlite", _FIXED_SQLITE_DELETE),
        ("postgresql", _FIXED_FUNCTION),
        ("postgresql", _FIXED_POSTGRES),
    ],
)


def content_hash(content: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a record's content, hex."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def find_record(work: UnitOfWork, kind: RecordKind, subject: str) -> SignedRecord | None:
    """The newest record of a kind about a subject that amends nothing, or None."""
    query = select(SignedRecord).where(
        col(SignedRecord.kind) == kind,
        col(SignedRecord.subject) == subject,
        col(SignedRecord.amends_id).is_(None),
    )
    return (await work.session.exec(query.order_by(col(SignedRecord.id).desc()))).first()


async def get_record(work: UnitOfWork, uid: str) -> SignedRecord:
    """The record of this uid. Raises Missing."""
    query = select(SignedRecord).where(col(SignedRecord.uid) == uid)
    record = (await work.session.exec(query)).one_or_none()
    if record is None:
        raise Missing
    return record


async def create_draft(
    work: UnitOfWork,
    kind: RecordKind,
    subject: str,
    author: HasId,
    content: dict[str, Any],
    *,
    amends: SignedRecord | None = None,
) -> SignedRecord:
    """A new draft; with `amends` it is an addendum to a signed record."""
    if amends is not None and amends.state is not RecordState.SIGNED:
        raise Conflict("record_not_signed", N_("Chỉ bổ sung được vào bản đã ký"))
    now = work.now()
    record = SignedRecord(
        kind=kind,
        subject=subject,
        author_id=author.id,
        content=content,
        created_at=now,
        saved_at=now,
        amends_id=amends.id if amends else None,
    )
    work.session.add(record)
    await work.session.flush()
    return record


async def save_draft(
    work: UnitOfWork, record: SignedRecord, content: dict[str, Any], *, revision: int
) -> SignedRecord:
    """Replace a draft's content if nobody saved since `revision`. Raises Conflict otherwise."""
    if record.state is not RecordState.DRAFT:
        raise Conflict("record_signed", N_("Bản này đã ký, chỉ có thể thêm bản bổ sung"))
    if record.revision != revision:
        raise Conflict("draft_changed", N_("Bản nháp vừa được lưu ở nơi khác"))
    record.content = content
    record.saved_at = work.now()
    work.session.add(record)
    await work.session.flush()
    return record


async def sign(
    work: UnitOfWork,
    record: SignedRecord,
    signer: HasId,
    *,
    signed_as: str,
    method: SignatureMethod,
    login_session_id: int | None = None,
) -> Signature:
    """Fix the content at the first signature and add the signer's evidence."""
    digest = content_hash(record.content)
    if record.state is RecordState.DRAFT:
        record.state = RecordState.SIGNED
        record.content_hash = digest
        record.fixed_at = work.now()
        work.session.add(record)
        await work.session.flush()
    elif record.content_hash != digest:
        raise Conflict("record_damaged", N_("Nội dung không khớp với bản đã ký"))
    signature = Signature(
        record_id=record.id or 0,
        person_id=signer.id,
        signed_as=signed_as,
        method=method,
        content_hash=digest,
        login_session_id=login_session_id,
        at=work.now(),
    )
    if await _has_signed(work, signature):
        raise Conflict("signed_already", N_("Bạn đã ký bản này"))
    work.session.add(signature)
    await work.session.flush()
    work.audit(AuditTag.RECORD_SIGN, signer, record.subject, record=record.uid, as_=signed_as)
    return signature


async def _has_signed(work: UnitOfWork, signature: Signature) -> bool:
    query = select(Signature.id).where(
        col(Signature.record_id) == signature.record_id,
        col(Signature.person_id) == signature.person_id,
        col(Signature.signed_as) == signature.signed_as,
    )
    return (await work.session.exec(query)).first() is not None


async def list_signatures(work: UnitOfWork, record: SignedRecord) -> list[Signature]:
    """Signatures of a record in the order of signing."""
    query = select(Signature).where(col(Signature.record_id) == record.id)
    return list((await work.session.exec(query.order_by(col(Signature.id)))).all())


async def list_addenda(work: UnitOfWork, record: SignedRecord) -> list[SignedRecord]:
    """Addenda to a record, oldest first."""
    query = select(SignedRecord).where(col(SignedRecord.amends_id) == record.id)
    return list((await work.session.exec(query.order_by(col(SignedRecord.id)))).all())


def is_intact(record: SignedRecord, signatures: list[Signature]) -> bool:
    """True when the content still is what everybody signed."""
    digest = content_hash(record.content)
    return digest == record.content_hash and all(s.content_hash == digest for s in signatures)
