"""The table of steps."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum
from telemed.scheduling.escalation.rungs import Rung


class EscalationStep(SQLModel, table=True):
    """Somebody was told of a request that waits. A request that is sent anew climbs a new round."""

    __tablename__ = "escalation_step"
    # A rung is told once, however many processes look after the same request.
    __table_args__ = (UniqueConstraint("consult_id", "round", "rung"),)

    id: int | None = Field(default=None, primary_key=True)
    consult_id: int = Field(foreign_key="consult.id")
    round: int
    rung: Rung = Field(sa_type=ValueEnum(Rung))
    person_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    told_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seen_by_id: int | None = Field(default=None, foreign_key="person.id")
