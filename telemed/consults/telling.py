"""Who is told of what happens to a case, beyond the page that they look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import WAITING, ConsultEvent, ConsultState
from telemed.consults.models import Consult, Urgency
from telemed.core.db import UnitOfWork
from telemed.core.events import stream_of
from telemed.facilities.models import Facility, Specialty
from telemed.notices import service as notices
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News


@dataclass(frozen=True)
class _Told:
    """What is told, to the one who asked, to the one who answers, or to both."""

    kind: NoticeKind
    requester: bool = False
    specialist: bool = False


_TELLING: Mapping[ConsultEvent, _Told] = MappingProxyType(
    {
        ConsultEvent.ASK_INFO: _Told(NoticeKind.INFO_ASKED, requester=True),
        ConsultEvent.ANSWER_INFO: _Told(NoticeKind.INFO_ANSWERED, specialist=True),
        ConsultEvent.CLAIM: _Told(NoticeKind.REQUEST_ACCEPTED, requester=True),
        ConsultEvent.DECLINE: _Told(NoticeKind.REQUEST_DECLINED, requester=True),
        ConsultEvent.SCHEDULE: _Told(NoticeKind.BOOKING_MADE, requester=True, specialist=True),
        ConsultEvent.UNSCHEDULE: _Told(
            NoticeKind.BOOKING_CANCELLED, requester=True, specialist=True
        ),
        ConsultEvent.START_SESSION: _Told(
            NoticeKind.SESSION_STARTED, requester=True, specialist=True
        ),
        ConsultEvent.ANSWER: _Told(NoticeKind.CASE_ANSWERED, requester=True),
        ConsultEvent.CLOSE: _Told(NoticeKind.CASE_CLOSED, specialist=True),
        ConsultEvent.CANCEL: _Told(NoticeKind.REQUEST_CANCELLED, requester=True, specialist=True),
        ConsultEvent.WITHDRAW_CONSENT: _Told(
            NoticeKind.REQUEST_CANCELLED, requester=True, specialist=True
        ),
        ConsultEvent.EXPIRE: _Told(NoticeKind.REQUEST_EXPIRED, requester=True),
    }
)


async def tell_transition(
    work: UnitOfWork,
    actor: Actor | None,
    consult: Consult,
    event: ConsultEvent,
    *,
    before: ConsultState,
    number: int,
    specialist_id: int | None,
) -> None:
    """Tell those of the case whom it concerns, but not whoever did it.

    `specialist_id` is who had the case before the event; what no longer waits calls nobody.
    """
    about = stream_of("consult", consult.uid)
    if before in WAITING and consult.state not in WAITING:
        await notices.end_news(work, NoticeKind.REQUEST_WAITS, about)
    told = _TELLING.get(event)
    if told is None:
        return
    people = {consult.requester_id} if told.requester else set[int | None]()
    people |= {consult.assigned_id or specialist_id} if told.specialist else set()
    await _tell(work, actor, consult, told.kind, people, number)


async def tell_moved(work: UnitOfWork, actor: Actor, consult: Consult, number: int) -> None:
    """The appointment is at another time."""
    people = {consult.requester_id, consult.assigned_id}
    await _tell(work, actor, consult, NoticeKind.BOOKING_MOVED, people, number)


async def tell_soon(work: UnitOfWork, consult: Consult, moment: str) -> None:
    """The appointment is near; once for each time it was put to."""
    people = {consult.requester_id, consult.assigned_id}
    await _tell(work, None, consult, NoticeKind.BOOKING_SOON, people, moment)


async def tell_message(work: UnitOfWork, actor: Actor, consult: Consult, number: int) -> None:
    """Somebody has written; one notice stands for all until it is read."""
    kind, about = NoticeKind.MESSAGE_CAME, stream_of("consult", consult.uid)
    people = {consult.requester_id, consult.assigned_id}
    new = {key for key in people if key and not await notices.is_unread(work, key, kind, about)}
    await _tell(work, actor, consult, kind, new, number)


async def _tell(  # noqa: PLR0917 # one sentence: who did what to whom
    work: UnitOfWork,
    actor: Actor | None,
    consult: Consult,
    kind: NoticeKind,
    people: Collection[int | None],
    mark: int | str,
) -> None:
    ids = {key for key in people if key is not None} - {actor.id if actor else 0}
    if not ids:
        return
    about = stream_of("consult", consult.uid)
    await notices.notify(
        work,
        News(
            kind,
            ids,
            key=f"{about}:{kind.value}:{mark}"[:80],
            about=about,
            # A call that rings is about somebody who lies there now.
            is_urgent=kind is NoticeKind.SESSION_STARTED and consult.urgency is Urgency.EMERGENCY,
            data=await _words(work, consult),
        ),
    )


async def _words(work: UnitOfWork, consult: Consult) -> dict[str, Any]:
    """What tells a case from another without a word about the patient."""
    query = (
        select(Facility.name, Specialty.name)
        .outerjoin(Specialty, col(Specialty.id) == consult.specialty_id)
        .where(col(Facility.id) == consult.station_id)
    )
    station, specialty = (await work.session.exec(query)).one()
    return {"station": station, "specialty": specialty or ""}
