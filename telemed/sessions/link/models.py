"""What is known of the link of each station."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from telemed.core.columns import UtcDateTime, ValueEnum


class LinkSource(StrEnum):
    """How something was learned of a link."""

    CALL = "call"
    CHECK = "check"
    DRILL = "drill"


class LinkObservation(SQLModel, table=True):
    """One look at the link of a station; the same source and key replaces the one before."""

    __tablename__ = "link_observation"
    __table_args__ = (
        UniqueConstraint("station_id", "source", "key"),
        Index("ix_link_observation_station_id_at", "station_id", "at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    station_id: int = Field(foreign_key="facility.id")
    source: LinkSource = Field(sa_type=ValueEnum(LinkSource))
    key: str = Field(max_length=40)
    at: datetime = Field(sa_type=UtcDateTime)
    is_well: bool = True
    up_kbps: int | None = None
    down_kbps: int | None = None
    rtt_ms: int | None = None
    loss_permille: int | None = None
    relay_udp: bool | None = None
    relay_tcp: bool | None = None
    relay_tls: bool | None = None
