"""Support contracts between facilities (Decree 96/2023 Article 88)."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, uid_column


class SupportContract(SQLModel, table=True):
    """A hospital supports stations from a day to a day, both included; ended early with a reason.

    A signed contract is not edited: an extension or a correction is a contract of its own.
    """

    __tablename__ = "support_contract"
    __table_args__ = (
        UniqueConstraint("supporter_id", "number"),
        CheckConstraint("starts_on <= ends_on", name="order"),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    number: str = Field(max_length=60)
    supporter_id: int = Field(foreign_key="facility.id")
    signed_on: date
    starts_on: date
    ends_on: date
    scope: str = Field(default="", max_length=500)
    ended_on: date | None = None
    end_reason: str = Field(default="", max_length=300)
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class ContractStation(SQLModel, table=True):
    """A station that a contract supports."""

    __tablename__ = "contract_station"

    contract_id: int = Field(foreign_key="support_contract.id", primary_key=True)
    station_id: int = Field(foreign_key="facility.id", primary_key=True, index=True)


class ContractSpecialty(SQLModel, table=True):
    """A specialty within the scope of a contract; a contract without any covers them all."""

    __tablename__ = "contract_specialty"

    contract_id: int = Field(foreign_key="support_contract.id", primary_key=True)
    specialty_id: int = Field(foreign_key="specialty.id", primary_key=True)
