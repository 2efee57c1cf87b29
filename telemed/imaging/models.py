"""Files attached to a consult: the original as it came, and what is shown of it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum, uid_column


class FileState(StrEnum):
    """Received: the original is safe. Ready: a preview exists. Unreadable: no preview possible."""

    RECEIVED = "received"
    READY = "ready"
    UNREADABLE = "unreadable"


class StoredFile(SQLModel, table=True):
    """One upload. The bytes lie in storage under their SHA-256."""

    __tablename__ = "stored_file"
    __table_args__ = (UniqueConstraint("consult_id", "sha256"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    consult_id: int = Field(foreign_key="consult.id", index=True)
    patient_id: int = Field(foreign_key="patient.id", index=True)
    station_id: int = Field(foreign_key="facility.id", index=True)
    uploaded_by_id: int = Field(foreign_key="person.id")
    sha256: str = Field(max_length=64, index=True)
    size_bytes: int
    media_type: str = Field(max_length=60)
    original_name: str = Field(max_length=200)
    caption: str = Field(default="", max_length=200)
    state: FileState = Field(
        default=FileState.RECEIVED,
        sa_type=ValueEnum(FileState),
    )
    preview_sha256: str | None = Field(default=None, max_length=64)
    width: int | None = None
    height: int | None = None
    at: datetime = Field(sa_type=UtcDateTime)
