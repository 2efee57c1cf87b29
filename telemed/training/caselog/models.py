"""Rows of the case log (bảng theo dõi chỉ tiêu thực hành)."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column
from telemed.training.caselog.rules import Level, RowState

_row_revision = revision_column()


class CaseRow(SQLModel, table=True):
    """One trainee, one technique, one case. `reference` leads to a paper and names nobody."""

    __tablename__ = "case_row"
    __table_args__ = (
        UniqueConstraint("trainee_id", "performed_on", "technique_name", "reference"),
        CheckConstraint("trainer_id <> trainee_id", name="two"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _row_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    trainee_id: int = Field(foreign_key="person.id", index=True)
    trainer_id: int = Field(foreign_key="person.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    package_id: int | None = Field(default=None, foreign_key="transfer_package.id", index=True)
    technique_code: str = Field(default="", max_length=12)
    technique_name: str = Field(max_length=300)
    performed_on: date
    level: Level = Field(sa_type=ValueEnum(Level))
    reference: str = Field(max_length=40)
    icd_code: str = Field(default="", max_length=7)
    note: str = Field(default="", max_length=300)
    state: RowState = Field(default=RowState.WRITTEN, sa_type=ValueEnum(RowState))
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refusal: str = Field(default="", max_length=300)
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_row_revision)
