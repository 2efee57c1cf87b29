"""Decisions of entrustment, acceptance of techniques, and the re-checks that follow."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column
from telemed.training.entrustment.levels import Basis, Verdict

_entrustment_revision = revision_column()
_acceptance_revision = revision_column()
_IS_CURRENT = text("is_current")


class Entrustment(SQLModel, table=True):
    """One decision: at which level of supervision a person does a technique, and until when.

    The decision itself is a signed record; this is what lists need of it. At most one of each
    basis is current for a person and a technique.
    """

    __tablename__ = "entrustment"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 5", name="level"),
        CheckConstraint("person_id <> decided_by_id", name="two"),
        Index(
            "uq_entrustment_current",
            *("person_id", "technique_key", "basis"),
            unique=True,
            postgresql_where=_IS_CURRENT,
            sqlite_where=_IS_CURRENT,
        ),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _entrustment_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    record_uid: str | None = Field(default=None, max_length=22, unique=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    technique_key: str = Field(max_length=300)
    technique_code: str = Field(default="", max_length=12)
    technique_name: str = Field(max_length=300)
    level: int
    basis: Basis = Field(sa_type=ValueEnum(Basis))
    limits: str = Field(max_length=500)
    reason: str = Field(default="", max_length=1000)
    decided_by_id: int = Field(foreign_key="person.id", index=True)
    decided_at: datetime = Field(sa_type=UtcDateTime)
    expires_on: date = Field(index=True)
    is_current: bool = True
    withdrawn_on: date | None = None
    withdrawal: str = Field(default="", max_length=1000)
    revision: int = Field(default=None, sa_column=_entrustment_revision)


class EntrustmentEvidence(SQLModel, table=True):
    """A confirmed case that a decision rests on."""

    __tablename__ = "entrustment_evidence"

    entrustment_id: int = Field(foreign_key="entrustment.id", primary_key=True)
    case_row_id: int = Field(foreign_key="case_row.id", primary_key=True, index=True)


class Acceptance(SQLModel, table=True):
    """What an assessor who did not teach it found of a technique at a station (nghiệm thu)."""

    __tablename__ = "acceptance"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _acceptance_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    record_uid: str | None = Field(default=None, max_length=22, unique=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    package_id: int | None = Field(default=None, foreign_key="transfer_package.id", index=True)
    technique_key: str = Field(max_length=300, index=True)
    technique_code: str = Field(default="", max_length=12)
    technique_name: str = Field(max_length=300)
    assessor_id: int = Field(foreign_key="person.id", index=True)
    assessed_on: date
    verdict: Verdict = Field(sa_type=ValueEnum(Verdict))
    findings: str = Field(max_length=1000)
    conditions: str = Field(default="", max_length=1000)
    approval_number: str = Field(default="", max_length=60)
    approved_on: date | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_acceptance_revision)


class Recheck(SQLModel, table=True):
    """Whether a technique is still done some months after its acceptance: due, then answered once."""

    __tablename__ = "recheck"
    __table_args__ = (
        UniqueConstraint("acceptance_id", "months"),
        CheckConstraint("(answered_at IS NULL) = (is_still_done IS NULL)", name="answer"),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    acceptance_id: int = Field(foreign_key="acceptance.id")
    months: int
    due_on: date = Field(index=True)
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by_id: int | None = Field(default=None, foreign_key="person.id")
    is_still_done: bool | None = None
    times: int = 0
    result: str = Field(default="", max_length=1000)
    reason: str = Field(default="", max_length=1000)
