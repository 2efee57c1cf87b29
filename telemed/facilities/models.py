"""Places: communes, stations, hospitals, their departments, and medical specialties."""

from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import ValueEnum, uid_column


class CommuneKind(StrEnum):
    """Since 01/07/2025 a province has communes and wards only (Resolution 1661)."""

    COMMUNE = "commune"
    WARD = "ward"


class FacilityKind(StrEnum):
    """What a facility is."""

    STATION = "station"
    HOSPITAL = "hospital"
    DEPARTMENT_OF_HEALTH = "department_of_health"


class Commune(SQLModel, table=True):
    """A commune or ward, keyed by its five-digit code as text (Decision 19/2025/QĐ-TTg)."""

    __tablename__ = "commune"

    code: str = Field(primary_key=True, max_length=5)
    name: str = Field(max_length=80)
    kind: CommuneKind = Field(sa_type=ValueEnum(CommuneKind))
    province_code: str = Field(max_length=2)
    folded_name: str = Field(max_length=80, index=True)


class Facility(SQLModel, table=True):
    """A health station, a hospital or the department of health.

    `rooms` is how many people can be in a remote consultation there at once.
    """

    __tablename__ = "facility"

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    kind: FacilityKind = Field(sa_type=ValueEnum(FacilityKind))
    code: str = Field(max_length=10, unique=True)
    name: str = Field(max_length=120)
    folded_name: str = Field(max_length=120)
    commune_code: str | None = Field(default=None, foreign_key="commune.code")
    phone: str = Field(default="", max_length=20)
    is_active: bool = True
    rooms: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class Department(SQLModel, table=True):
    """A department of a hospital."""

    __tablename__ = "department"
    __table_args__ = (UniqueConstraint("facility_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    facility_id: int = Field(foreign_key="facility.id", index=True)
    name: str = Field(max_length=120)


class Specialty(SQLModel, table=True):
    """A medical specialty that can be asked."""

    __tablename__ = "specialty"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=20, unique=True)
    name: str = Field(max_length=80)
    sort_order: int = 0
