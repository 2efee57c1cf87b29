"""People, their roles, credentials, login sessions and postings."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.accounts.permissions import Role
from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column


class PersonState(StrEnum):
    """An invited person has no password yet; a disabled one cannot sign in."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


class LoginStrength(StrEnum):
    """How far a sign-in has come; only FULL opens anything but the second-factor pages."""

    PASSWORD = "password"  # noqa: S105 - the name of a step
    FULL = "full"


_person_revision = revision_column()


class Person(SQLModel, table=True):
    """Someone with an account."""

    __tablename__ = "person"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _person_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    sign_in_name: str = Field(max_length=40, unique=True)
    full_name: str = Field(max_length=80)
    folded_name: str = Field(max_length=80, index=True)
    sort_key: str = Field(max_length=200, index=True)
    title: str = Field(default="", max_length=40)
    licence_number: str = Field(default="", max_length=40)
    phone: str = Field(default="", max_length=20)
    facility_id: int | None = Field(default=None, foreign_key="facility.id", index=True)
    department_id: int | None = Field(default=None, foreign_key="department.id")
    locale: str = Field(default="vi", max_length=2)
    state: PersonState = Field(
        default=PersonState.INVITED,
        sa_type=ValueEnum(PersonState),
    )
    is_synthetic: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_person_revision)


class PersonRole(SQLModel, table=True):
    """One of the roles of a person."""

    __tablename__ = "person_role"
    __table_args__ = (UniqueConstraint("person_id", "role"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    role: Role = Field(sa_type=ValueEnum(Role))


class PersonSpecialty(SQLModel, table=True):
    """A specialty whose requests a specialist answers."""

    __tablename__ = "person_specialty"
    __table_args__ = (UniqueConstraint("person_id", "specialty_id"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    specialty_id: int = Field(foreign_key="specialty.id", index=True)


class Posting(SQLModel, table=True):
    """Days on which a person works at another facility; made by the rotation register."""

    __tablename__ = "posting"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    facility_id: int = Field(foreign_key="facility.id", index=True)
    starts_on: date
    ends_on: date


class Credential(SQLModel, table=True):
    """The password of a person, as an argon2id hash."""

    __tablename__ = "credential"

    person_id: int = Field(foreign_key="person.id", primary_key=True)
    password_hash: str = Field(max_length=200)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class SecondFactor(SQLModel, table=True):
    """A TOTP secret (RFC 6238), encrypted at rest; `last_step` refuses a replayed code."""

    __tablename__ = "second_factor"

    person_id: int = Field(foreign_key="person.id", primary_key=True)
    secret_encrypted: str = Field(max_length=200)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_step: int = 0


class LoginSession(SQLModel, table=True):
    """A sign-in on one browser. Only the hash of its id is stored."""

    __tablename__ = "login_session"

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    token_hash: str = Field(max_length=64, unique=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    strength: LoginStrength = Field(sa_type=ValueEnum(LoginStrength))
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    idle_until: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    browser: str = Field(default="", max_length=120)


class ActivationCode(SQLModel, table=True):
    """A single-use code with which a person chooses their own password."""

    __tablename__ = "activation_code"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    code_hash: str = Field(max_length=64, unique=True)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
