"""The register of what patients ask for about their data."""

from datetime import date, datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from telemed.consults.rights.rules import AskedBy, AskedHow, RightKind, RightState
from telemed.core.columns import UtcDateTime, ValueEnum, uid_column
from telemed.patients.models import ConsentPurpose


class RightsRequest(SQLModel, table=True):
    """One request; without a patient once they were erased. `due_on` is empty when it has ended."""

    __tablename__ = "rights_request"
    __table_args__ = (Index("ix_rights_request_register", "station_id", "due_on", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    patient_id: int | None = Field(default=None, foreign_key="patient.id", index=True)
    station_id: int = Field(foreign_key="facility.id")
    kind: RightKind = Field(sa_type=ValueEnum(RightKind))
    purpose: ConsentPurpose | None = Field(default=None, sa_type=ValueEnum(ConsentPurpose))
    asked_by: AskedBy = Field(sa_type=ValueEnum(AskedBy))
    asker_name: str = Field(default="", max_length=100)
    asked_how: AskedHow = Field(sa_type=ValueEnum(AskedHow))
    text: str = Field(default="", max_length=500)
    received_on: date
    received_at: datetime = Field(sa_type=UtcDateTime)
    received_by_id: int = Field(foreign_key="person.id")
    state: RightState = Field(default=RightState.RECEIVED, sa_type=ValueEnum(RightState))
    due_on: date | None = None
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by_id: int | None = Field(default=None, foreign_key="person.id")
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_by_id: int | None = Field(default=None, foreign_key="person.id")
    reply: str = Field(default="", max_length=500)
    lifted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lifted_by_id: int | None = Field(default=None, foreign_key="person.id")
    lift_reason: str = Field(default="", max_length=500)
