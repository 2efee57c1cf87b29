"""What station and specialist write to each other about a case, and how far each has read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, Message, MessageKind, ReadMark
from telemed.consults.repository import PersonCard, get_people
from telemed.consults.service import get_case
from telemed.consults.telling import tell_message
from telemed.consults.worklist.rows import LARGEST_KEY
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, require_short
from telemed.core.events import append_event, stream_of
from telemed.core.text import clean_text

TEXT_LIMIT = 4000
MESSAGES_SHOWN = 200
MESSAGE_POSTED = "message_posted"
MESSAGES_READ = "messages_read"
SILENT = frozenset({ConsultState.CANCELLED, ConsultState.EXPIRED})


@dataclass(frozen=True)
class Seen:
    """Who of the others has read down to a message, and when they got there."""

    by: PersonCard
    at: datetime


@dataclass(frozen=True)
class Line:
    """One message as its reader sees it."""

    id: int
    uid: str
    author: PersonCard
    kind: MessageKind
    text: str
    at: datetime
    is_mine: bool
    is_new: bool
    seen: Seen | None = None


@dataclass(frozen=True)
class Lines:
    """A stretch of the conversation, oldest first; `earlier` asks for the one before it."""

    shown: list[Line]
    earlier: int | None = None


async def add_message(
    work: UnitOfWork,
    actor: Actor,
    consult: Consult,
    text: str,
    kind: MessageKind = MessageKind.TALK,
) -> Message:
    """Write down a message of somebody who may; who writes has read what stands above."""
    assert consult.id
    message = Message(
        consult_id=consult.id, author_id=actor.id, kind=kind, text=text, at=work.now()
    )
    work.session.add(message)
    await work.session.flush()
    assert message.id
    work.audit(
        AuditTag.MESSAGE_WRITE,
        actor,
        stream_of("consult", consult.uid),
        patient_id=consult.patient_id,
        message=message.uid,
    )
    await _advance_mark(work, actor, consult, message.id)
    return message


async def post(work: UnitOfWork, actor: Actor, uid: str, text: str) -> Message:
    """Say something in the conversation of a case."""
    consult = await get_case(work, actor, uid, Action.CONSULT_MESSAGE)
    clean = clean_text(text).strip()
    if not clean:
        raise Invalid("text_missing", N_("Ghi nội dung tin nhắn"), field="text")
    require_short("text", clean, TEXT_LIMIT)
    if consult.state in SILENT:
        raise Conflict("consult_over", N_("Ca đã kết thúc, không gửi thêm tin được nữa."))
    message = await add_message(work, actor, consult, clean)
    stream = stream_of("consult", consult.uid)
    number = await append_event(work, stream, MESSAGE_POSTED, actor.id, message=message.uid)
    people = await get_people(work, {consult.requester_id, consult.assigned_id} - {actor.id})
    for person in people.values():
        work.announce(stream_of("person", person.uid), MESSAGE_POSTED, number)
    await tell_message(work, actor, consult, number)
    return message


async def mark_read(work: UnitOfWork, actor: Actor, uid: str, up_to: int) -> None:
    """The actor has seen the conversation down to a message; a mark never goes back."""
    consult = await get_case(work, actor, uid, Action.CONSULT_MESSAGE)
    newest = (
        select(Message.id)
        .where(col(Message.consult_id) == consult.id, col(Message.id) <= min(up_to, LARGEST_KEY))
        .order_by(col(Message.id).desc())
        .limit(1)
    )
    message_id = (await work.session.exec(newest)).one_or_none()
    if message_id and await _advance_mark(work, actor, consult, message_id):
        work.announce(stream_of("consult", consult.uid), MESSAGES_READ)


async def list_lines(
    work: UnitOfWork, actor: Actor, consult: Consult, before: int | None = None
) -> Lines:
    """The newest messages (of those before one) of a case the actor has been let into."""
    query = (
        select(Message)
        .where(col(Message.consult_id) == consult.id)
        .order_by(col(Message.id).desc())
        .limit(MESSAGES_SHOWN + 1)
    )
    if before is not None:
        query = query.where(col(Message.id) < min(before, LARGEST_KEY))
    found = list((await work.session.exec(query)).all())
    messages = found[:MESSAGES_SHOWN][::-1]
    earlier = messages[0].id if len(found) > len(messages) else None
    marks_query = select(ReadMark).where(col(ReadMark.consult_id) == consult.id)
    marks = list((await work.session.exec(marks_query)).all())
    people = await get_people(
        work, {*(message.author_id for message in messages), *(mark.person_id for mark in marks)}
    )
    own = next((mark.message_id for mark in marks if mark.person_id == actor.id), 0)
    seen = _seen(messages, [mark for mark in marks if mark.person_id != actor.id], people, actor)
    shown = [
        Line(
            id=message.id or 0,
            uid=message.uid,
            author=people[message.author_id],
            kind=message.kind,
            text=message.text,
            at=message.at,
            is_mine=message.author_id == actor.id,
            is_new=message.author_id != actor.id and (message.id or 0) > own,
            seen=seen.get(message.id or 0),
        )
        for message in messages
    ]
    return Lines(shown, earlier)


def _seen(
    messages: list[Message], marks: list[ReadMark], people: dict[int, PersonCard], actor: Actor
) -> dict[int, Seen]:
    """Each reader stands under the last message of the actor that they have passed."""
    seen: dict[int, Seen] = {}
    for mark in sorted(marks, key=lambda mark: mark.at, reverse=True):
        passed = [
            message.id or 0
            for message in messages
            if message.author_id == actor.id and (message.id or 0) <= mark.message_id
        ]
        if passed:
            seen[passed[-1]] = Seen(people[mark.person_id], mark.at)
    return seen


async def _advance_mark(work: UnitOfWork, actor: Actor, consult: Consult, message_id: int) -> bool:
    """One statement, so that two tabs of one person cannot stumble over each other."""
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    values = {"message_id": message_id, "at": work.now()}
    step = (
        insert(ReadMark)
        .values(consult_id=consult.id, person_id=actor.id, **values)
        .on_conflict_do_update(
            index_elements=["consult_id", "person_id"],
            set_=values,
            where=col(ReadMark.message_id) < message_id,
        )
        .returning(col(ReadMark.id))
    )
    return (await work.session.exec(step)).first() is not None
