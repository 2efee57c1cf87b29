"""Numbered event logs: what happened to a case or a session, in order, without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, update
from sqlmodel import Field, SQLModel, col, select

from telemed.core.columns import Json, UtcDateTime
from telemed.core.db import UnitOfWork


class EventStream(SQLModel, table=True):
    """The counter of one log; its row is the lock that orders writers."""

    __tablename__ = "event_stream"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=40, unique=True)
    last_number: int = 0


class Event(SQLModel, table=True):
    """One fact of a stream. `kind` is past tense (`consult_claimed`); `data` holds no secrets."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("stream_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    stream_id: int = Field(foreign_key="event_stream.id", index=True)
    number: int
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=40)
    person_id: int | None = Field(default=None)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


def stream_of(kind: str, uid: str) -> str:
    """The name of a log, which is also the channel of its hints: `consult:<uid>`."""
    return f"{kind}:{uid}"


async def open_stream(work: UnitOfWork, stream: str) -> None:
    """Start the log of a new case or session."""
    work.session.add(EventStream(name=stream))
    await work.session.flush()


@dataclass(frozen=True)
class Fact:
    """What is to be written into a stream."""

    stream: str
    kind: str
    person_id: int | None
    data: dict[str, Any]


async def append_event(
    work: UnitOfWork, stream: str, kind: str, person_id: int | None, **data: Any
) -> int:
    """Write the next fact of a stream, hint to its listeners after the commit; its number."""
    numbers = await append_events(work, [Fact(stream, kind, person_id, data)])
    return numbers[stream]


async def append_events(work: UnitOfWork, facts: Sequence[Fact]) -> dict[str, int]:
    """The next fact of each of several streams, as `append_event` does; their numbers by stream."""
    step = (
        update(EventStream)
        .where(col(EventStream.name).in_([fact.stream for fact in facts]))
        .values(last_number=EventStream.last_number + 1)
        .returning(col(EventStream.name), col(EventStream.id), col(EventStream.last_number))
        .execution_options(synchronize_session=False)
    )
    rows = {name: (key, number) for name, key, number in (await work.session.exec(step)).all()}
    for fact in facts:
        stream_id, number = rows[fact.stream]
        work.session.add(
            Event(
                stream_id=stream_id,
                number=number,
                at=work.now(),
                kind=fact.kind,
                person_id=fact.person_id,
                data=fact.data,
            )
        )
        work.announce(fact.stream, fact.kind, number)
    return {name: int(number) for name, (_, number) in rows.items()}


async def list_events(
    work: UnitOfWork, stream: str, *, after: int = 0, limit: int = 500
) -> list[Event]:
    """The facts of a stream with a number above `after`, oldest first."""
    query = (
        select(Event)
        .join(EventStream, col(EventStream.id) == col(Event.stream_id))
        .where(col(EventStream.name) == stream, col(Event.number) > after)
        .order_by(col(Event.number))
        .limit(limit)
    )
    return list((await work.session.exec(query)).all())


async def last_number(work: UnitOfWork, stream: str) -> int:
    """The number of the newest fact; 0 for an empty or unknown stream."""
    query = select(EventStream.last_number).where(col(EventStream.name) == stream)
    return (await work.session.exec(query)).one_or_none() or 0
