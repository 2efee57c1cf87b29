"""The index of signed technical-transfer logs."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, revision_column, uid_column


class TransferType(StrEnum):
    """How a technique is taught."""

    THEORY = "theory"
    DEMONSTRATION = "demonstration"
    HANDS_ON = "hands_on"
    TELE_GUIDED = "tele_guided"


class TransferPlace(StrEnum):
    """Where it is taught."""

    ON_SITE = "on_site"
    LIVE_SESSION = "live_session"


class TransferState(StrEnum):
    """Draft → submitted by the author → countersigned by every trainee and trainer."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    COMPLETE = "complete"


class TransferPart(StrEnum):
    """As what somebody takes part in a technical transfer."""

    TRAINER = "trainer"
    TRAINEE = "trainee"


_transfer_revision = revision_column()


class TransferLog(SQLModel, table=True):
    """What lists and searches need of one transfer session; the record itself is signed."""

    __tablename__ = "transfer_log"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": _transfer_revision}

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    record_uid: str | None = Field(default=None, max_length=22, unique=True)
    author_id: int = Field(foreign_key="person.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    session_id: int | None = Field(default=None, foreign_key="live_session.id")
    package_id: int | None = Field(default=None, foreign_key="transfer_package.id", index=True)
    technique_code: str = Field(default="", max_length=12, index=True)
    technique_name: str = Field(max_length=300)
    type: TransferType = Field(sa_type=ValueEnum(TransferType))
    place: TransferPlace = Field(sa_type=ValueEnum(TransferPlace))
    starts_at: datetime = Field(sa_type=UtcDateTime, index=True)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    observed: int = 0
    assisted: int = 0
    performed: int = 0
    evaluation: str = Field(default="", max_length=2000)
    incidents: str = Field(default="", max_length=2000)
    state: TransferState = Field(
        default=TransferState.DRAFT,
        sa_type=ValueEnum(TransferState),
    )
    search_text: str = Field(default="")
    is_synthetic: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    revision: int = Field(default=None, sa_column=_transfer_revision)


class TransferMember(SQLModel, table=True):
    """A trainer or trainee of one transfer log and when they countersigned."""

    __tablename__ = "transfer_member"
    __table_args__ = (UniqueConstraint("log_id", "person_id", "part"),)

    id: int | None = Field(default=None, primary_key=True)
    log_id: int = Field(foreign_key="transfer_log.id", index=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    part: TransferPart = Field(sa_type=ValueEnum(TransferPart))
    signed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
