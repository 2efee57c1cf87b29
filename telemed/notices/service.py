"""Telling people: a notice each, and its ways out, in the transaction of the fact itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, or_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import LOCAL_ZONE
from telemed.core.columns import new_uid
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.events import stream_of
from telemed.core.jobs import enqueue
from telemed.notices.kinds import NoticeKind, sendings
from telemed.notices.models import Delivery, DeliveryState, Notice
from telemed.notices.preferences import Contact, list_contacts

PAGE: Final = 30
MOST_ROWS: Final = 500
SWEEP_JOB: Final = "notices.sweep"
SWEEP_EVERY: Final = timedelta(days=1)
KEPT: Final = timedelta(days=180)
NEWS: Final = "noticed"
# What is read where it was asked for, and is no news to anybody.
_UNLISTED = frozenset({NoticeKind.MAIL_CODE})


@dataclass(frozen=True)
class News:
    """A fact, and who is to be told of it; each of them once for one `key`.

    `data` is shown in the application (station, specialty, a time); nothing of it goes outside.
    """

    kind: NoticeKind
    person_ids: Collection[int]
    key: str
    about: str = ""
    is_urgent: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """How far a notice came by one way."""

    channel: str
    state: DeliveryState
    at: datetime | None


@dataclass(frozen=True)
class Reached:
    """Whether somebody has read what they were told, and how far it came outside."""

    read_at: datetime | None
    proofs: Sequence[Proof]


@dataclass(frozen=True)
class NoticeRow:
    """A notice as its reader sees it."""

    notice: Notice
    proofs: Sequence[Proof]


@dataclass(frozen=True)
class NoticePage:
    """Newest first; `after` asks for the ones before them."""

    rows: Sequence[NoticeRow]
    unread: int
    after: str


async def notify(work: UnitOfWork, news: News) -> None:
    """Tell of one fact."""
    await notify_all(work, [news])


async def notify_all(work: UnitOfWork, news: Sequence[News]) -> None:
    """Tell of several facts; whoever is not active is told nothing."""
    contacts = await list_contacts(work, {key for each in news for key in each.person_ids})
    rows = [
        {
            "uid": new_uid(),
            "person_id": person_id,
            "kind": each.kind,
            "key": each.key,
            "about": each.about,
            "is_urgent": each.is_urgent,
            "data": dict(each.data),
            "created_at": work.now(),
        }
        for each in news
        for person_id in each.person_ids
        if person_id in contacts
    ]
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    for chunk in _chunks(rows):
        told = insert(Notice).values(chunk).on_conflict_do_nothing()
        made = told.returning(Notice.id, Notice.person_id, Notice.kind, Notice.is_urgent)  # type: ignore[call-overload] # columns
        found = (await work.session.exec(made)).all()
        await _send(work, [_Told(*row) for row in found], contacts)
        for person_id in {row[1] for row in found}:
            work.announce(stream_of("person", contacts[person_id].uid), NEWS)


@dataclass(frozen=True)
class _Told:
    notice_id: int
    person_id: int
    kind: NoticeKind
    is_urgent: bool


async def _send(work: UnitOfWork, told: Sequence[_Told], contacts: Mapping[int, Contact]) -> None:
    rows = [
        {
            "uid": new_uid(),
            "notice_id": each.notice_id,
            "channel": sending.channel,
            "due_at": sending.due_at,
            "state": DeliveryState.WAITING,
            "tries": 0,
            "reference": "",
            "problem": "",
        }
        for each in told
        for sending in sendings(
            each.kind,
            is_urgent=each.is_urgent,
            wishes=contacts[each.person_id].wishes,
            reach=contacts[each.person_id].reach,
            now=work.now(),
            zone=LOCAL_ZONE,
        )
    ]
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    for chunk in _chunks(rows):
        await work.session.exec(insert(Delivery).values(chunk))


def _chunks(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


async def is_unread(work: UnitOfWork, person_id: int, kind: NoticeKind, about: str) -> bool:
    """Whether somebody has news of this kind about a case that they have not read."""
    query = (
        select(Notice.id)
        .where(
            Notice.person_id == person_id,
            Notice.kind == kind,
            Notice.about == about,
            col(Notice.read_at).is_(None),
        )
        .limit(1)
    )
    return (await work.session.exec(query)).first() is not None


async def mark_read(work: UnitOfWork, actor: Actor, about: str) -> None:
    """Whoever looks at a case has read what they were told about it."""
    unread = (
        col(Notice.person_id) == actor.id,
        col(Notice.about) == about,
        col(Notice.read_at).is_(None),
    )
    await _end(work, unread, {"read_at": work.now()})


async def mark_all_read(work: UnitOfWork, actor: Actor) -> None:
    """Nothing is news to them any more."""
    require(actor, Action.ACCOUNT)
    unread = (Notice.person_id == actor.id, col(Notice.read_at).is_(None))
    await _end(work, unread, {"read_at": work.now()})
    work.announce(stream_of("person", actor.uid), NEWS)


async def open_notice(work: UnitOfWork, actor: Actor, uid: str) -> Notice:
    """A notice of one's own, read from now on. Raises Missing."""
    require(actor, Action.ACCOUNT)
    query = select(Notice).where(Notice.uid == uid, Notice.person_id == actor.id)
    found = (await work.session.exec(query)).one_or_none()
    if found is None:
        raise Missing
    if found.read_at is None:
        await _end(work, (col(Notice.id) == found.id,), {"read_at": work.now()})
    return found


async def end_news(work: UnitOfWork, kind: NoticeKind, about: str) -> None:
    """The fact is one no longer: nobody needs to be told of it any more."""
    open_still = (
        Notice.kind == kind,
        Notice.about == about,
        col(Notice.over_at).is_(None),
        col(Notice.read_at).is_(None),
    )
    await _end(work, open_still, {"over_at": work.now()})


async def _end(work: UnitOfWork, which: Sequence[Any], values: Mapping[str, datetime]) -> None:
    """Notices that need to go out no more; what is on its way at this moment goes on."""
    ids = list(
        (
            await work.session.exec(
                update(Notice)
                .where(*which)
                .values(**values)
                .returning(col(Notice.id))
                .execution_options(synchronize_session=False)
            )
        )
        .scalars()
        .all()
    )
    if not ids:
        return
    now = work.now()
    idle = or_(col(Delivery.claimed_until).is_(None), col(Delivery.claimed_until) < now)
    await work.session.exec(
        update(Delivery)
        .where(col(Delivery.notice_id).in_(ids), col(Delivery.state) == DeliveryState.WAITING, idle)
        .values(state=DeliveryState.UNNEEDED)
        .execution_options(synchronize_session=False)
    )


async def count_unread(work: UnitOfWork, actor: Actor) -> int:
    """How much somebody has not read; what is over counts no more."""
    require(actor, Action.ACCOUNT)
    query = select(func.count()).where(*_unread(actor))
    return (await work.session.exec(query)).one()


def _unread(actor: Actor) -> tuple[Any, ...]:
    return (
        Notice.person_id == actor.id,
        col(Notice.read_at).is_(None),
        col(Notice.over_at).is_(None),
        col(Notice.kind).not_in(_UNLISTED),
    )


async def list_notices(work: UnitOfWork, actor: Actor, *, before: int | None) -> NoticePage:
    """A page of one's own notices, newest first."""
    require(actor, Action.ACCOUNT)
    query = select(Notice).where(Notice.person_id == actor.id, col(Notice.kind).not_in(_UNLISTED))
    if before is not None:
        query = query.where(col(Notice.id) < before)
    found = (await work.session.exec(query.order_by(col(Notice.id).desc()).limit(PAGE + 1))).all()
    shown = found[:PAGE]
    proofs = await list_proofs(work, [row.id or 0 for row in shown])
    return NoticePage(
        [NoticeRow(row, proofs.get(row.id or 0, [])) for row in shown],
        await count_unread(work, actor),
        str(shown[-1].id) if len(found) > PAGE else "",
    )


async def list_proofs(work: UnitOfWork, notice_ids: Collection[int]) -> dict[int, list[Proof]]:
    """How far each notice came, by way."""
    query = select(Delivery).where(col(Delivery.notice_id).in_(notice_ids))
    proofs: dict[int, list[Proof]] = {}
    for row in (await work.session.exec(query.order_by(col(Delivery.id)))).all():
        at = row.arrived_at or row.sent_at
        proofs.setdefault(row.notice_id, []).append(Proof(row.channel.value, row.state, at))
    return proofs


async def list_reached(work: UnitOfWork, about: str) -> dict[tuple[int, str], Reached]:
    """How far each notice about a case came, by person and key; the caller has let the reader in."""
    query = select(Notice).where(Notice.about == about, Notice.kind == NoticeKind.REQUEST_WAITS)
    rows = (await work.session.exec(query)).all()
    proofs = await list_proofs(work, [row.id or 0 for row in rows])
    return {
        (row.person_id, row.key): Reached(row.read_at, proofs.get(row.id or 0, [])) for row in rows
    }


async def sweep(work: UnitOfWork, _payload: Mapping[str, Any]) -> None:
    """Forget what is half a year old; a job that plans itself."""
    old = col(Notice.created_at) < work.now() - KEPT
    await work.session.exec(
        delete(Delivery).where(col(Delivery.notice_id).in_(select(Notice.id).where(old)))
    )
    await work.session.exec(delete(Notice).where(old))
    await enqueue(work, SWEEP_JOB, SWEEP_JOB, work.now() + SWEEP_EVERY)


async def plan_sweep(work: UnitOfWork) -> None:
    """Forget what is old, now and every day."""
    await enqueue(work, SWEEP_JOB, SWEEP_JOB, work.now())
