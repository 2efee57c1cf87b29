"""Tables of notices, their deliveries, and what people chose."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from telemed.core.columns import Json, UtcDateTime, ValueEnum, uid_column
from telemed.notices.kinds import Channel, NoticeKind

MOST_WORDS = 80


class DeliveryState(StrEnum):
    """Sent: the next one has taken it over. Arrived: the other end has said so."""

    WAITING = "waiting"
    SENT = "sent"
    ARRIVED = "arrived"
    FAILED = "failed"
    UNNEEDED = "unneeded"


class Notice(SQLModel, table=True):
    """One person is told of one fact, once; `about` is the log of the case (`consult:<uid>`)."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        Index(
            "ix_notice_unread",
            "person_id",
            sqlite_where=text("read_at IS NULL"),
            postgresql_where=text("read_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    person_id: int = Field(foreign_key="person.id")
    kind: NoticeKind = Field(sa_type=ValueEnum(NoticeKind))
    key: str = Field(max_length=80)
    about: str = Field(default="", max_length=40, index=True)
    is_urgent: bool = False
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime, index=True)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    over_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """A notice leaves the application by one way; its uid is the same in every attempt."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel"),
        Index(
            "ix_delivery_due",
            "channel",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    notice_id: int = Field(foreign_key="notice.id", ondelete="CASCADE")
    channel: Channel = Field(sa_type=ValueEnum(Channel))
    state: DeliveryState = Field(default=DeliveryState.WAITING, sa_type=ValueEnum(DeliveryState))
    due_at: datetime = Field(sa_type=UtcDateTime)
    tries: int = 0
    claimed_by: str | None = Field(default=None, max_length=22)
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    arrived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reference: str = Field(default="", max_length=MOST_WORDS, index=True)
    problem: str = Field(default="", max_length=MOST_WORDS)


class NoticeSetting(SQLModel, table=True):
    """What somebody chose. Times are minutes of the local day; nothing chosen is the usual."""

    __tablename__ = "notice_setting"

    person_id: int = Field(foreign_key="person.id", primary_key=True)
    chosen: list[str] | None = Field(default=None, sa_type=Json)
    quiet_start: int | None = None
    quiet_end: int | None = None
    mail: str = Field(default="", max_length=254)
    asked_mail: str = Field(default="", max_length=254)
    asked_code: str = Field(default="", max_length=6)
    asked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    asked_tries: int = 0


class PushSubscription(SQLModel, table=True):
    """A browser that takes messages for somebody (W3C Push API), until they sign out there."""

    __tablename__ = "push_subscription"

    id: int | None = Field(default=None, primary_key=True)
    uid: str = uid_column()
    person_id: int = Field(foreign_key="person.id", index=True)
    login_session_id: int | None = Field(default=None, foreign_key="login_session.id", index=True)
    endpoint: str = Field(max_length=1000, unique=True)
    p256dh: str = Field(max_length=100)
    auth: str = Field(max_length=40)
    browser: str = Field(default="", max_length=120)
    created_at: datetime = Field(sa_type=UtcDateTime)
