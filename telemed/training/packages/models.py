"""Transfer packages: two parties, what is taught, and how much of it each trainee practises."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, revision_column, uid_column

_package_revision = revision_column()


class TransferPackage(SQLModel, table=True):
    """A contract on the transfer of techniques from a hospital to stations, with its outline.

    It may be changed until the first session refers to it; from then on it is only ended.
    """

    __tablename__ = "transfer_package"
    __table_args__ = (
        UniqueConstraint("provider_id", "number"),
        CheckConstraint("starts_on <= ends_on", name="order"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _package_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    title: str = Field(max_length=200)
    number: str = Field(max_length=60)
    signed_on: date
    provider_id: int = Field(foreign_key="facility.id")
    provider_representative: str = Field(max_length=200)
    receiver_representative: str = Field(max_length=200)
    starts_on: date
    ends_on: date
    survey: str = Field(default="", max_length=5000)
    outline: str = Field(default="", max_length=10_000)
    ended_on: date | None = None
    end_reason: str = Field(default="", max_length=300)
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_package_revision)


class PackageStation(SQLModel, table=True):
    """A station that receives a package."""

    __tablename__ = "package_station"

    package_id: int = Field(foreign_key="transfer_package.id", primary_key=True)
    station_id: int = Field(foreign_key="facility.id", primary_key=True, index=True)


class PackageTechnique(SQLModel, table=True):
    """A technique of a package as it was called when agreed, with the targets per trainee."""

    __tablename__ = "package_technique"
    __table_args__ = (
        UniqueConstraint("package_id", "code"),
        CheckConstraint("observed + assisted + supervised + performed > 0", name="targets"),
    )

    package_id: int = Field(foreign_key="transfer_package.id", primary_key=True)
    position: int = Field(primary_key=True)
    code: str = Field(max_length=12)
    name: str = Field(max_length=300)
    observed: int = 0
    assisted: int = 0
    supervised: int = 0
    performed: int = 0
