"""Consults: the case that lives from a draft to its outcome."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ColumnElement, Index, UniqueConstraint, and_, false, or_
from sqlmodel import Field, SQLModel, col

from telemed.consults.lifecycle import ConsultState
from telemed.core.columns import (
    Json,
    UtcDateTime,
    ValueEnum,
    on_create,
    revision_column,
    uid_column,
)
from telemed.patients.retention import RetentionKind


class Urgency(StrEnum):
    """The commune doctor's own judgement; nothing overrides it."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    ROUTINE = "routine"


class LegalBasis(StrEnum):
    """Why health data may go to another provider (Law 91/2025 Articles 19(1), 26(2))."""

    CONSENT = "consent"
    GUARDIAN_CONSENT = "guardian_consent"
    EMERGENCY = "emergency"


class RemoteMode(StrEnum):
    """Support between facilities is not remote treatment of a patient (Law 15/2023 Art 80)."""

    FACILITY_SUPPORT = "facility_support"


class ResponseLimit(SQLModel, table=True):
    """Within how many minutes a request of an urgency should be taken, where coordinators set it."""

    __tablename__ = "response_limit"
    __table_args__ = (CheckConstraint("minutes > 0", name="positive"),)

    urgency: Urgency = Field(sa_type=ValueEnum(Urgency), primary_key=True)
    minutes: int
    changed_at: datetime = Field(sa_type=UtcDateTime)


_consult_revision = revision_column()


class Consult(SQLModel, table=True):
    """One request for advice about one patient. `rank` orders urgency: 1 is an emergency."""

    __tablename__ = "consult"
    __table_args__ = (
        Index("ix_consult_worklist", "state", "specialty_id", "rank", "due_at"),
        Index("ix_consult_named", "named_id", "state"),
        Index("ix_consult_station", "station_id", "id"),
        Index("ix_consult_assigned", "assigned_id", "id"),
        Index("ix_consult_station_state", "station_id", "state", "rank"),
        Index("ix_consult_assigned_state", "assigned_id", "state", "rank"),
        Index("ix_consult_accepted", "accepted_at"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _consult_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    number: str | None = Field(default=None, max_length=20, unique=True)
    station_id: int = Field(foreign_key="facility.id")
    requester_id: int = Field(foreign_key="person.id", index=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    specialty_id: int | None = Field(default=None, foreign_key="specialty.id")
    named_id: int | None = Field(default=None, foreign_key="person.id")
    assigned_id: int | None = Field(default=None, foreign_key="person.id")
    state: ConsultState = Field(
        default=ConsultState.DRAFT,
        sa_type=ValueEnum(ConsultState),
    )
    urgency: Urgency | None = Field(default=None, sa_type=ValueEnum(Urgency))
    rank: int = 3
    reason: str = Field(default="", max_length=4000)
    history: str = Field(default="", max_length=8000)
    examination: str = Field(default="", max_length=8000)
    medication: str = Field(default="", max_length=4000)
    treatment: str = Field(default="", max_length=4000)
    transfer_possible: bool | None = None
    diagnosis: str = Field(default="", max_length=500)
    icd_code: str | None = Field(default=None, max_length=7, index=True)
    icd_system: str | None = Field(default=None, max_length=60)
    icd_version: str | None = Field(default=None, max_length=20)
    remote_mode: RemoteMode = Field(
        default=RemoteMode.FACILITY_SUPPORT,
        sa_type=ValueEnum(RemoteMode),
    )
    legal_basis: LegalBasis | None = Field(default=None, sa_type=ValueEnum(LegalBasis))
    patient_age_years: int | None = None
    record_kind: RetentionKind | None = Field(default=None, sa_type=ValueEnum(RetentionKind))
    # Its patient has asked that nobody uses it beyond the care itself.
    is_restricted: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    contract_number: str | None = Field(default=None, max_length=60, index=True)
    is_outside_contract: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: datetime = Field(sa_type=UtcDateTime)
    state_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    requested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    follow_up_on: str | None = Field(default=None, max_length=10)
    state_reason: str = Field(default="", max_length=500)
    search_text: str = Field(default="")
    is_synthetic: bool = False
    revision: int = Field(default=None, sa_column=_consult_revision)


def still_open_to_specialist(since: datetime) -> ColumnElement[bool]:
    """Cases that were not closed before a moment, and whose patient restricts nothing."""
    closed_at = col(Consult.closed_at)
    is_recent = and_(closed_at >= since, col(Consult.is_restricted).is_(False))
    return or_(closed_at.is_(None), is_recent)


# PostgreSQL would take “sot/ho” for the name of a file and “-19” for a number.
_SIGNS = "/\\-._@:+~=&?#<>*,;()[]{}|^!`"
SEARCH_VECTOR = f"to_tsvector('simple', translate(search_text, '{_SIGNS}', '{' ' * len(_SIGNS)}'))"
_SEARCH_TABLE = """
CREATE VIRTUAL TABLE consult_fts USING fts5(
  search_text, content='consult', content_rowid='id', tokenize='unicode61 remove_diacritics 0')
"""
_SEARCH_INSERT = """
CREATE TRIGGER consult_fts_insert AFTER INSERT ON consult BEGIN
  INSERT INTO consult_fts(rowid, search_text) VALUES (NEW.id, NEW.search_text); END
"""
_SEARCH_UPDATE = """
CREATE TRIGGER consult_fts_update AFTER UPDATE OF search_text ON consult BEGIN
  INSERT INTO consult_fts(consult_fts, rowid, search_text)
    VALUES ('delete', OLD.id, OLD.search_text);
  INSERT INTO consult_fts(rowid, search_text) VALUES (NEW.id, NEW.search_text); END
"""
_SEARCH_INDEX = f"CREATE INDEX ix_consult_search ON consult USING gin ({SEARCH_VECTOR})"
# Searched from the newest on: SQLite walks the index by descending rowid, PostgreSQL by GIN.
on_create(
    Consult,
    [
        ("sqlite", _SEARCH_TABLE),
        ("sqlite", _SEARCH_INSERT),
        ("sqlite", _SEARCH_UPDATE),
        ("postgresql", _SEARCH_INDEX),
    ],
)


class ConsultDraft(SQLModel, table=True):
    """The request form exactly as typed so far, valid or not."""

    __tablename__ = "consult_draft"

    consult_id: int = Field(foreign_key="consult.id", primary_key=True)
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    saved_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = 0


class ConsultQuestion(SQLModel, table=True):
    """A numbered clinical question; each gets a conclusion of its own."""

    __tablename__ = "consult_question"
    __table_args__ = (UniqueConstraint("consult_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    consult_id: int = Field(foreign_key="consult.id", index=True)
    number: int
    text: str = Field(max_length=1000)


class VitalSigns(SQLModel, table=True):
    """One set of measurements at one time; `values` by the keys of `vitals.VITALS`."""

    __tablename__ = "vital_signs"

    id: int | None = Field(default=None, primary_key=True)
    consult_id: int = Field(foreign_key="consult.id", index=True)
    taken_at: datetime = Field(sa_type=UtcDateTime)
    values: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class MessageKind(StrEnum):
    """A question before the claim, and its answer, are also shown to those who may claim."""

    TALK = "talk"
    QUESTION = "question"
    ANSWER = "answer"


class Message(SQLModel, table=True):
    """One message of the conversation of a consult."""

    __tablename__ = "message"

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id", index=True)
    author_id: int = Field(foreign_key="person.id")
    kind: MessageKind = Field(default=MessageKind.TALK, sa_type=ValueEnum(MessageKind))
    text: str = Field(max_length=4000)
    at: datetime = Field(sa_type=UtcDateTime)


class ReadMark(SQLModel, table=True):
    """The last message of a consult that a person has seen."""

    __tablename__ = "read_mark"
    __table_args__ = (UniqueConstraint("consult_id", "person_id"),)

    id: int | None = Field(default=None, primary_key=True)
    consult_id: int = Field(foreign_key="consult.id", index=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    message_id: int
    at: datetime = Field(sa_type=UtcDateTime)


class IcdCode(SQLModel, table=True):
    """A code of a diagnosis list; lists stand side by side with their versions."""

    __tablename__ = "icd_code"
    __table_args__ = (UniqueConstraint("system", "version", "code"),)

    id: int | None = Field(default=None, primary_key=True)
    system: str = Field(max_length=60)
    version: str = Field(max_length=20)
    code: str = Field(max_length=7, index=True)
    title: str = Field(max_length=400)
    folded_title: str = Field(max_length=400)
    is_usable: bool = True


class IcdList(SQLModel, table=True):
    """A list of codes that was loaded; the last one loaded is searched, the others stay readable."""

    __tablename__ = "icd_list"
    __table_args__ = (UniqueConstraint("system", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    system: str = Field(max_length=60)
    version: str = Field(max_length=20)
    attribution: str = Field(default="", max_length=200)
    loaded_at: datetime = Field(sa_type=UtcDateTime)


class YearlyCounter(SQLModel, table=True):
    """The last number given in a series of a year (`HC-2026`)."""

    __tablename__ = "yearly_counter"

    series: str = Field(primary_key=True, max_length=12)
    last_number: int = 0
