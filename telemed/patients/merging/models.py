"""Two files of one person that were joined, so that it can be followed and taken back."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from telemed.core.columns import Json, UtcDateTime, ValueEnum, uid_column


class MergeBasis(StrEnum):
    """How the station knows that both are one person."""

    DOCUMENT = "document"
    FAMILY = "family"
    STAFF = "staff"


class PatientMerge(SQLModel, table=True):
    """One merge of a file without a number into the real one.

    `moved` names the rows that changed hands: `{table: [id]}`. `filled` holds what the real file
    took over: `{column: [before, after]}`, as JSON writes it.
    """

    __tablename__ = "patient_merge"
    __table_args__ = (
        Index(
            "uq_patient_merge_live",
            "source_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    source_id: int = Field(foreign_key="patient.id")
    target_id: int = Field(foreign_key="patient.id", index=True)
    basis: MergeBasis = Field(sa_type=ValueEnum(MergeBasis))
    note: str = Field(default="", max_length=300)
    moved: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    filled: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    merged_by_id: int = Field(foreign_key="person.id")
    merged_at: datetime = Field(sa_type=UtcDateTime)
    undone_by_id: int | None = Field(default=None, foreign_key="person.id")
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    undo_reason: str = Field(default="", max_length=300)
