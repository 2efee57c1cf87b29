"""The way out: deliveries that are due are claimed, handed over, and what became of them is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, func, or_, update
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonState
from telemed.core.db import UnitOfWork
from telemed.notices.kinds import Channel, NoticeKind
from telemed.notices.models import (
    MOST_WORDS,
    Delivery,
    DeliveryState,
    Notice,
    NoticeSetting,
    PushSubscription,
)
from telemed.notices.preferences import list_subscriptions, sms_number

# Longer than any attempt lasts: two never go on at once.
LEASE: Final = timedelta(minutes=2)
AT_ONCE: Final = 20
# 10 s, 30 s, 90 s … an hour: a gateway may be away for a night.
FIRST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(hours=1)
MOST_TRIES: Final = 16


@dataclass(frozen=True)
class Parcel:
    """What one gateway is to hand over, and to whom; `uid` is the same in every attempt."""

    uid: str
    notice_uid: str
    kind: NoticeKind
    is_urgent: bool
    data: Mapping[str, Any]
    locale: str
    mail: str = ""
    phone: str = ""
    browsers: Sequence[PushSubscription] = field(default_factory=tuple)


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt: taken over, to be tried again, or never to be taken.

    `reference` is the gateway's own name for it; `problem` a code without a word of the message.
    """

    is_taken: bool
    is_final: bool = True
    problem: str = ""
    reference: str = ""
    pause: timedelta | None = None
    dead_endpoints: Sequence[str] = ()

    @classmethod
    def taken(cls, reference: str = "") -> Outcome:
        """The next one has it."""
        return cls(True, reference=reference[:MOST_WORDS])

    @classmethod
    def again(cls, problem: str, pause: timedelta | None = None) -> Outcome:
        """Nobody knows, or not now: the same once more."""
        return cls(False, is_final=False, problem=problem[:MOST_WORDS], pause=pause)

    @classmethod
    def refused(cls, problem: str) -> Outcome:
        """It will never be taken."""
        return cls(False, problem=problem[:MOST_WORDS])


async def has_due(work: UnitOfWork, channel: Channel) -> bool:
    """Whether there is anything to claim, asked on a reading connection."""
    query = select(Delivery.id).where(*_due(work, channel)).limit(1)
    return (await work.session.exec(query)).first() is not None


def _due(work: UnitOfWork, channel: Channel) -> tuple[Any, ...]:
    now = work.now()
    free = or_(col(Delivery.claimed_until).is_(None), col(Delivery.claimed_until) < now)
    return (
        Delivery.channel == channel,
        Delivery.state == DeliveryState.WAITING,
        col(Delivery.due_at) <= now,
        free,
    )


async def take_due(work: UnitOfWork, channel: Channel, owner: str) -> list[Parcel]:
    """Claim what has been due longest, for a lease; every delivery gets exactly one owner."""
    query = select(Delivery.id).where(*_due(work, channel)).order_by(col(Delivery.due_at))
    chosen = query.limit(AT_ONCE).with_for_update(skip_locked=True).cte()
    claim = (
        update(Delivery)
        .where(col(Delivery.id).in_(select(chosen.c.id)))
        .values(claimed_by=owner, claimed_until=work.now() + LEASE, tries=Delivery.tries + 1)
        .returning(col(Delivery.id))
        .execution_options(synchronize_session=False)
    )
    ids = list((await work.session.exec(claim)).scalars().all())
    rows = (
        await work.session.exec(
            select(Delivery, Notice, Person, NoticeSetting)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .join(Person, col(Person.id) == col(Notice.person_id))
            .outerjoin(NoticeSetting, col(NoticeSetting.person_id) == col(Person.id))
            .where(col(Delivery.id).in_(ids))
        )
    ).all()
    return [await _parcel(work, *row) for row in rows]


async def _parcel(
    work: UnitOfWork,
    delivery: Delivery,
    notice: Notice,
    person: Person,
    setting: NoticeSetting | None,
) -> Parcel:
    """Where somebody is reached now; nowhere once the account is closed."""
    is_open = person.state is PersonState.ACTIVE
    mail = ""
    if setting and is_open:
        is_proof = notice.kind is NoticeKind.MAIL_CODE
        mail = setting.asked_mail if is_proof else setting.mail
    is_push = delivery.channel is Channel.PUSH and is_open
    return Parcel(
        uid=delivery.uid,
        notice_uid=notice.uid,
        kind=notice.kind,
        is_urgent=notice.is_urgent,
        data=notice.data,
        locale=person.locale,
        mail=mail,
        phone=sms_number(person.phone) if is_open else "",
        browsers=await list_subscriptions(work, notice.person_id) if is_push else (),
    )


async def settle(work: UnitOfWork, owner: str, parcel: Parcel, outcome: Outcome) -> None:
    """Keep what became of an attempt; nothing where somebody else has claimed it since."""
    query = select(Delivery).where(Delivery.uid == parcel.uid, Delivery.claimed_by == owner)
    row = (await work.session.exec(query.with_for_update())).one_or_none()
    if row is None:
        return
    row.claimed_by = row.claimed_until = None
    row.problem = outcome.problem
    if outcome.dead_endpoints:
        await work.session.exec(
            delete(PushSubscription).where(
                col(PushSubscription.endpoint).in_(outcome.dead_endpoints)
            )
        )
    if outcome.is_taken:
        # Whoever received it may have said so before the gateway answered.
        row.sent_at, row.reference = work.now(), outcome.reference
        if row.state is DeliveryState.WAITING:
            row.state = DeliveryState.SENT
    elif row.state is DeliveryState.WAITING:
        if outcome.is_final or row.tries >= MOST_TRIES:
            row.state = DeliveryState.FAILED
        else:
            row.due_at = work.now() + (outcome.pause or pause_after(row.tries))
    work.session.add(row)


def pause_after(tries: int) -> timedelta:
    """How long to wait after so many attempts."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * int(3 ** min(tries - 1, 10)))


async def note_arrival(work: UnitOfWork, uid: str) -> None:
    """The other end says that it has it. What it says twice, or of nothing known, changes nothing."""
    await _report(work, Delivery.uid == uid, is_arrived=True)


async def note_report(work: UnitOfWork, reference: str, *, is_arrived: bool) -> None:
    """A gateway says what became of a message, by our name for it or by its own.

    One that was lost on the way is sent once more, a bounded number of times.
    """
    ours_or_theirs = or_(col(Delivery.uid) == reference, col(Delivery.reference) == reference)
    await _report(work, ours_or_theirs, is_arrived=is_arrived)


async def _report(work: UnitOfWork, which: Any, *, is_arrived: bool) -> None:
    query = select(Delivery).where(
        which, col(Delivery.state).in_([DeliveryState.SENT, DeliveryState.WAITING])
    )
    rows = (await work.session.exec(query.with_for_update())).all()
    if len(rows) != 1:
        return
    (row,) = rows
    if is_arrived:
        row.state, row.arrived_at = DeliveryState.ARRIVED, work.now()
    elif row.state is DeliveryState.SENT:
        is_over = row.tries >= MOST_TRIES
        row.state = DeliveryState.FAILED if is_over else DeliveryState.WAITING
        row.due_at, row.problem = work.now() + pause_after(row.tries), "lost"
    work.session.add(row)


@dataclass(frozen=True)
class ChannelReport:
    """How one way does: what waits, what left and what failed since yesterday."""

    channel: Channel
    waiting: int
    sent: int
    failed: int
    problem: str


async def report(work: UnitOfWork) -> list[ChannelReport]:
    """How every way does, for whoever looks after the installation."""
    since = work.now() - timedelta(days=1)
    counted = (
        select(Delivery.channel, Delivery.state, func.count())
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(or_(col(Notice.created_at) >= since, col(Delivery.state) == DeliveryState.WAITING))
        .group_by(col(Delivery.channel), col(Delivery.state))
    )
    counts = {
        (channel, state): number
        for channel, state, number in (await work.session.exec(counted)).all()
    }
    return [
        ChannelReport(
            channel,
            waiting=counts.get((channel, DeliveryState.WAITING), 0),
            sent=sum(
                counts.get((channel, state), 0)
                for state in (DeliveryState.SENT, DeliveryState.ARRIVED)
            ),
            failed=counts.get((channel, DeliveryState.FAILED), 0),
            problem=await _last_problem(work, channel),
        )
        for channel in Channel
    ]


async def _last_problem(work: UnitOfWork, channel: Channel) -> str:
    query = (
        select(Delivery.problem)
        .where(
            Delivery.channel == channel,
            Delivery.problem != "",
            col(Delivery.state).in_([DeliveryState.WAITING, DeliveryState.FAILED]),
        )
        .order_by(col(Delivery.id).desc())
        .limit(1)
    )
    return (await work.session.exec(query)).first() or ""
