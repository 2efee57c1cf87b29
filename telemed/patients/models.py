"""Patients of a station and what they agreed to."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column


class Sex(StrEnum):
    """Sex as on the identity document."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class AllergyState(StrEnum):
    """“None” and “not asked” must never look alike."""

    KNOWN = "known"
    NONE = "none"
    NOT_ASKED = "not_asked"


class TemporaryReason(StrEnum):
    """Why there is no personal number yet."""

    NEWBORN = "newborn"
    FOREIGNER = "foreigner"
    UNKNOWN_PERSON = "unknown_person"
    NO_DOCUMENT = "no_document"


class GuardianRelation(StrEnum):
    """Who speaks for somebody who cannot, as the family names them."""

    MOTHER = "mother"
    FATHER = "father"
    SPOUSE = "spouse"
    CHILD = "child"
    GRANDPARENT = "grandparent"
    SIBLING = "sibling"
    RELATIVE = "relative"
    INSTITUTION = "institution"


class ConsentPurpose(StrEnum):
    """Each purpose is asked apart (Law 91/2025/QH15)."""

    CONSULT = "consult"
    RECORDING = "recording"
    TEACHING = "teaching"


class ConsentGiver(StrEnum):
    """Who agreed; in an emergency the law's own basis stands in and is followed up."""

    PATIENT = "patient"
    GUARDIAN = "guardian"
    EMERGENCY = "emergency"


_patient_revision = revision_column()


class Patient(SQLModel, table=True):
    """A person treated by one station. Keyed by the 12-digit personal number where known."""

    __tablename__ = "patient"
    __table_args__ = (
        UniqueConstraint("station_id", "personal_number"),
        UniqueConstraint("temporary_code"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _patient_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    station_id: int = Field(foreign_key="facility.id", index=True)
    personal_number: str | None = Field(default=None, max_length=12)
    old_number: str | None = Field(default=None, max_length=9)
    insurance_number: str | None = Field(default=None, max_length=15, index=True)
    temporary_code: str | None = Field(default=None, max_length=30)
    temporary_reason: TemporaryReason | None = Field(
        default=None,
        sa_type=ValueEnum(TemporaryReason),
    )
    full_name: str = Field(max_length=100)
    folded_name: str = Field(max_length=100, index=True)
    sex: Sex = Field(sa_type=ValueEnum(Sex))
    birth_date: date | None = None
    birth_year: int
    phone: str | None = Field(default=None, max_length=12, index=True)
    ethnic_code: str | None = Field(default=None, max_length=2)
    interpreter_language: str = Field(default="", max_length=40)
    commune_code: str | None = Field(default=None, foreign_key="commune.code")
    address: str = Field(default="", max_length=200)
    guardian_name: str = Field(default="", max_length=100)
    guardian_relation: GuardianRelation | None = Field(
        default=None,
        sa_type=ValueEnum(GuardianRelation),
    )
    guardian_phone: str = Field(default="", max_length=12)
    allergy_state: AllergyState = Field(
        default=AllergyState.NOT_ASKED,
        sa_type=ValueEnum(AllergyState),
    )
    allergies: str = Field(default="", max_length=500)
    allergies_asked_on: date | None = None
    is_synthetic: bool = False
    restricted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # The file that took over all that was this one's; this one only leads there.
    merged_into_id: int | None = Field(default=None, foreign_key="patient.id", index=True)
    created_by_id: int = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_patient_revision)


class Consent(SQLModel, table=True):
    """One answer to one purpose, with the text version that was read out."""

    __tablename__ = "consent"

    id: int | None = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    consult_uid: str | None = Field(default=None, max_length=22, index=True)
    purpose: ConsentPurpose = Field(sa_type=ValueEnum(ConsentPurpose))
    is_granted: bool
    given_by: ConsentGiver = Field(sa_type=ValueEnum(ConsentGiver))
    giver_name: str = Field(default="", max_length=100)
    text_version: str = Field(max_length=20)
    language: str = Field(default="vi", max_length=20)
    interpreter: str = Field(default="", max_length=100)
    recorded_by_id: int = Field(foreign_key="person.id")
    at: datetime = Field(sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
