"""The audit chain: who did or saw what, each record holding the hash of the one before."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import func
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from telemed.core.columns import Json, UtcDateTime, ValueEnum, on_create

GENESIS = "0" * 64


class AuditTag(StrEnum):
    """Every auditable act, as `subject:act`. A new act gets a new line here."""

    SIGN_IN = "account:sign_in"
    SIGN_IN_REFUSED = "account:sign_in_refused"
    SIGN_OUT = "account:sign_out"
    LOGIN_REVOKE = "account:login_revoke"
    PASSWORD_SET = "account:password_set"  # noqa: S105 - the name of an act
    SECOND_FACTOR_SET = "account:second_factor_set"
    SECOND_FACTOR_RESET = "account:second_factor_reset"
    REAUTHENTICATE = "account:reauthenticate"
    PERSON_CREATE = "person:create"
    PERSON_CHANGE = "person:change"
    ACTIVATION_ISSUE = "person:activation_issue"
    FACILITY_CHANGE = "facility:change"
    CONTRACT_CHANGE = "contract:change"
    PATIENT_LIST = "patient:list"
    PATIENT_READ = "patient:read"
    PATIENT_CREATE = "patient:create"
    PATIENT_CHANGE = "patient:change"
    PATIENT_MERGE = "patient:merge"
    PATIENT_UNMERGE = "patient:unmerge"
    CONSENT_RECORD = "consent:record"
    CONSENT_WITHDRAW = "consent:withdraw"
    RIGHTS_CHANGE = "rights:change"
    RIGHTS_READ = "rights:read"
    PATIENT_ERASE = "patient:erase"
    CONSULT_LIST = "consult:list"
    CONSULT_TRIAGE = "consult:triage"
    CONSULT_READ = "consult:read"
    CONSULT_WRITE = "consult:write"
    CONSULT_TRANSITION = "consult:transition"
    MESSAGE_WRITE = "consult:message"
    FILE_WRITE = "file:write"
    FILE_READ = "file:read"
    SESSION_START = "session:start"
    SESSION_JOIN = "session:join"
    SESSION_LEAVE = "session:leave"
    SESSION_END = "session:end"
    MINUTES_READ = "minutes:read"
    MINUTES_WRITE = "minutes:write"
    RECORD_SIGN = "record:sign"
    RECORD_ADDENDUM = "record:addendum"
    RECORD_PRINT = "record:print"
    BOOKING_MAKE = "booking:make"
    BOOKING_CANCEL = "booking:cancel"
    BOOKING_MOVE = "booking:move"
    HOURS_CHANGE = "schedule:hours"
    DUTY_CHANGE = "duty:change"
    LIMITS_CHANGE = "duty:limits"
    CALENDAR_ISSUE = "calendar:issue"
    CALENDAR_REVOKE = "calendar:revoke"
    ROTATION_CHANGE = "rotation:change"
    ROTATION_REPORT = "rotation:report"
    DECISION_FILE = "decision:file"
    CASELOG_WRITE = "caselog:write"
    CASELOG_DECIDE = "caselog:decide"
    ENTRUSTMENT_WRITE = "entrustment:write"
    ACCEPTANCE_WRITE = "acceptance:write"
    RECHECK_WRITE = "recheck:write"
    TRANSFER_READ = "transfer:read"
    TRANSFER_WRITE = "transfer:write"
    PACKAGE_CHANGE = "package:change"
    HISTORY_SEARCH = "history:search"
    HISTORY_READ = "history:read"
    AUDIT_READ = "audit:read"
    ACCESS_REFUSED = "access:refused"
    RECORDING_CHANGE = "recording:change"
    RECORDING_READ = "recording:read"
    RECORDING_DELETE = "recording:delete"
    SESSION_INVITE = "session:invite"
    NOTICES_CHOOSE = "notices:choose"
    OUTCOME_RECORD = "outcome:record"


class AuditRecord(SQLModel, table=True):
    """One act. `sequence` has no gaps; `hash` covers every other column and `previous`."""

    __tablename__ = "audit_record"

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    person_id: int | None = Field(default=None, index=True)
    tag: AuditTag = Field(sa_type=ValueEnum(AuditTag))
    subject: str = Field(max_length=80, index=True)
    patient_id: int | None = Field(default=None, index=True)
    request_id: str = Field(default="", max_length=32)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64, unique=True)


class AuditHead(SQLModel, table=True):
    """The last link of the chain; its row is the lock that orders writers."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True)
    sequence: int
    hash: str = Field(max_length=64)


@dataclass(frozen=True)
class PendingRecord:
    """An act noted during a transaction, chained when it commits."""

    at: datetime
    person_id: int | None
    tag: AuditTag
    subject: str
    patient_id: int | None
    request_id: str
    detail: dict[str, Any] = field(default_factory=dict)


class ChainLink(Protocol):
    """The columns that the hash covers."""

    sequence: int
    at: datetime
    person_id: int | None
    tag: AuditTag
    subject: str
    patient_id: int | None
    request_id: str
    detail: dict[str, Any]
    previous: str


def link_hash(link: ChainLink) -> str:
    """SHA-256 over the canonical JSON of one record, hex."""
    body = [
        link.sequence,
        link.at.isoformat(timespec="microseconds"),
        link.person_id,
        str(link.tag),
        link.subject,
        link.patient_id,
        link.request_id,
        link.detail,
        link.previous,
    ]
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


async def write_chain(session: AsyncSession, pending: Sequence[PendingRecord]) -> None:
    """Append the records of one transaction; the head row is locked until it ends."""
    head = (await session.exec(select(AuditHead).with_for_update())).one()
    for act in pending:
        record = AuditRecord(
            sequence=head.sequence + 1,
            at=act.at,
            person_id=act.person_id,
            tag=act.tag,
            subject=act.subject,
            patient_id=act.patient_id,
            request_id=act.request_id,
            detail=act.detail,
            previous=head.hash,
            hash="",
        )
        record.hash = link_hash(record)
        head.sequence, head.hash = record.sequence, record.hash
        session.add(record)
    session.add(head)


@dataclass(frozen=True)
class ChainFault:
    """The first place where the chain does not hold."""

    sequence: int
    problem: str


@dataclass(frozen=True)
class Anchor:
    """A head seen earlier and kept outside the database."""

    sequence: int
    hash: str


async def _pages(session: AsyncSession, size: int = 1000) -> AsyncIterator[AuditRecord]:
    last = 0
    while True:
        query = select(AuditRecord).where(col(AuditRecord.sequence) > last)
        rows = (await session.exec(query.order_by(col(AuditRecord.sequence)).limit(size))).all()
        for row in rows:
            last = row.sequence
            yield row
        if len(rows) < size:
            return
        session.expunge_all()


async def verify_chain(session: AsyncSession, anchors: Sequence[Anchor] = ()) -> ChainFault | None:
    """Walk the chain; finds an edit, a deletion, a swap, an insertion, a cut tail.

    Anchors kept elsewhere also find a tail cut together with its head and a re-made chain.
    """
    known = {anchor.sequence: anchor.hash for anchor in anchors}
    number, previous = 0, GENESIS
    async for row in _pages(session):
        number += 1
        if row.sequence != number:
            return ChainFault(number, "missing or inserted record")
        if row.previous != previous or row.hash != link_hash(row):
            return ChainFault(number, "record changed or moved")
        if known.get(number, row.hash) != row.hash:
            return ChainFault(number, "chain differs from its anchor")
        previous = row.hash
    head = (await session.exec(select(AuditHead))).one()
    if (head.sequence, head.hash) != (number, previous):
        return ChainFault(number + 1, "tail cut off")
    if known and max(known) > number:
        return ChainFault(number + 1, "shorter than its anchor")
    return None


async def count_records(session: AsyncSession) -> int:
    """How many records the chain holds."""
    return (await session.exec(select(func.count()).select_from(AuditRecord))).one()


_SQLITE_GUARD = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRES_GUARD = """
CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS
$body$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $body$;
"""
_POSTGRES_TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_append_only()
"""


def append_only(model: type[SQLModel]) -> None:
    """Make the database itself refuse to edit or delete rows of a table."""
    table = str(model.__tablename__)
    on_create(
        model,
        [
            ("sqlite", _SQLITE_GUARD.format(table=table, verb="UPDATE")),
            ("sqlite", _SQLITE_GUARD.format(table=table, verb="DELETE")),
            ("postgresql", _POSTGRES_GUARD.format(table=table)),
            ("postgresql", _POSTGRES_TRIGGER.format(table=table)),
        ],
    )


append_only(AuditRecord)
_FIRST_HEAD = f"INSERT INTO audit_head (id, sequence, hash) VALUES (1, 0, '{GENESIS}')"  # noqa: S608 - a constant
on_create(AuditHead, [("sqlite", _FIRST_HEAD), ("postgresql", _FIRST_HEAD)])
