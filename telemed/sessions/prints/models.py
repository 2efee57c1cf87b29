"""The table of prints."""

from datetime import datetime
from enum import StrEnum

from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum
from telemed.sessions.prints.codes import LENGTH


class PaperKind(StrEnum):
    """What was printed."""

    MINUTES = "minutes"
    REQUEST = "request"
    REFERRAL = "referral"


class Printout(SQLModel, table=True):
    """Somebody printed a paper; `digest` is the SHA-256 of what it said, hex."""

    __tablename__ = "printout"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=LENGTH, unique=True)
    kind: PaperKind = Field(sa_type=ValueEnum(PaperKind))
    subject: str = Field(max_length=60, index=True)
    number: str = Field(max_length=20)
    place: str = Field(max_length=200)
    digest: str = Field(max_length=64)
    printed_by_id: int = Field(foreign_key="person.id")
    printed_at: datetime = Field(sa_type=UtcDateTime)
