"""The event log of a session as the people inside see it, and what they say in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telemed.accounts.permissions import Actor
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.core.events import Event, append_event, last_number, list_events, stream_of
from telemed.sessions.access import Meeting, get_meeting
from telemed.sessions.repository import names_of

PAGE = 500


@dataclass(frozen=True)
class LogEntry:
    """One fact of a session, with the names that a reader needs."""

    number: int
    at: datetime
    kind: str
    participant: str | None
    person: str | None
    name: str | None
    data: dict[str, Any]


@dataclass(frozen=True)
class LogPage:
    """Some facts of a session in order; `has_more` when further ones are there."""

    entries: tuple[LogEntry, ...]
    last_number: int
    has_more: bool


async def read_log(work: UnitOfWork, meeting: Meeting, after: int, limit: int = PAGE) -> LogPage:
    """The facts after a number, of a session that the reader was let into."""
    stream = stream_of("session", meeting.session.uid)
    found = await list_events(work, stream, after=after, limit=limit + 1)
    shown = found[:limit]
    members = {each.participant.person_id: each for each in meeting.members}
    others = {each.person_id for each in shown if each.person_id is not None} - members.keys()
    people = await names_of(work, others) if others else {}
    entries = []
    for each in shown:
        member = members.get(each.person_id or 0)
        person = member.person if member else people.get(each.person_id or 0)
        entries.append(
            LogEntry(
                number=each.number,
                at=each.at,
                kind=each.kind,
                participant=member.participant.uid if member else None,
                person=person.uid if person else None,
                name=person.full_name if person else None,
                data=each.data,
            )
        )
    last = shown[-1].number if shown else await last_number(work, stream)
    return LogPage(tuple(entries), last, len(found) > limit)


async def list_said(work: UnitOfWork, actor: Actor, meeting: Meeting) -> list[LogEntry]:
    """Everything that was written in the room, for whoever may look back; the look is on record."""
    said: list[LogEntry] = []
    page = await read_log(work, meeting, 0)
    said += page.entries
    while page.has_more:
        page = await read_log(work, meeting, page.last_number)
        said += page.entries
    consult, subject = meeting.consult, stream_of("session", meeting.session.uid)
    if consult is not None:
        work.audit(AuditTag.CONSULT_READ, actor, subject, patient_id=consult.patient_id)
    else:
        work.audit(AuditTag.TRANSFER_READ, actor, subject)
    return [entry for entry in said if entry.kind == "chat"]


async def say(work: UnitOfWork, actor: Actor, uid: str, text: str, key: str) -> int:
    """A message to everybody inside; the same key again is the same message. Its number."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    said = await _find_said(work, meeting, actor, key)
    if said is not None:
        return said.number
    stream = stream_of("session", uid)
    return await append_event(work, stream, "chat", actor.id, text=text, key=key)


async def note_mode(
    work: UnitOfWork, actor: Actor, uid: str, *, kind: str, rung: str, reason: str
) -> None:
    """Write down that somebody inside sends or receives more or less, and why. Raises Conflict."""
    meeting = await get_meeting(work, actor, uid, lock=True)
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    stream = stream_of("session", uid)
    await append_event(work, stream, kind, actor.id, rung=rung, reason=reason)


async def _find_said(work: UnitOfWork, meeting: Meeting, actor: Actor, key: str) -> Event | None:
    stream = stream_of("session", meeting.session.uid)
    newest = await last_number(work, stream)
    recent = await list_events(work, stream, after=max(0, newest - PAGE), limit=PAGE)
    return next(
        (
            each
            for each in recent
            if each.kind == "chat" and each.person_id == actor.id and each.data.get("key") == key
        ),
        None,
    )
