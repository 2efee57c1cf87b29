"""Telling the people of a step: in the log of the case, on their screens, and outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from telemed.accounts.models import Person, PersonRole, PersonSpecialty, PersonState
from telemed.accounts.permissions import Role
from telemed.consults.models import Consult, Urgency
from telemed.core.db import UnitOfWork
from telemed.core.events import Fact, append_events, stream_of
from telemed.facilities.models import Facility, Specialty
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify_all
from telemed.scheduling.duty.roster import Colleague
from telemed.scheduling.escalation.models import EscalationStep
from telemed.scheduling.escalation.rungs import Place, Rung


@dataclass(frozen=True)
class Rise:
    """A case has come to a place on its ladder, in which round."""

    consult: Consult
    place: Place
    round: int


def fact_of(rung: Rung) -> str:
    """What the log of a case calls the telling of a rung."""
    return f"escalated_{rung.value}"


def key_of(about: str, number: int, rung: Rung) -> str:
    """What a rung of a round is told under, once to each person."""
    return f"{about}:{number}:{rung.value}"


async def tell(work: UnitOfWork, news: Sequence[Rise]) -> None:
    """Put each step down, in the log of its case too, and tell its people."""
    for each in news:
        work.session.add(
            EscalationStep(
                consult_id=each.consult.id or 0,
                round=each.round,
                rung=each.place.rung,
                person_id=each.place.person_id,
                told_at=work.now(),
            )
        )
    await work.session.flush()
    named = await list_colleagues(work, {each.place.person_id for each in news})
    crowds = dict[tuple[Rung, int | None], list[Colleague]]()
    facts, listeners = list[Fact](), dict[str, list[Colleague]]()
    for each in news:
        stream, person_id = stream_of("consult", each.consult.uid), each.place.person_id
        if person_id is not None:
            listeners[stream] = [named[person_id]] if person_id in named else []
        else:
            crowd = (each.place.rung, each.consult.specialty_id)
            if crowd not in crowds:
                crowds[crowd] = await _crowd(work, *crowd)
            listeners[stream] = crowds[crowd]
        told = {"person": named[person_id].full_title} if person_id in named else {}
        facts.append(Fact(stream, fact_of(each.place.rung), None, told))
    numbers = await append_events(work, facts) if facts else {}
    await notify_all(work, await _list_news(work, news, listeners))
    for stream, people in listeners.items():
        for person in people:
            work.announce(stream_of("person", person.uid), "escalated", numbers[stream])


async def _list_news(
    work: UnitOfWork, news: Sequence[Rise], listeners: Mapping[str, Sequence[Colleague]]
) -> list[News]:
    stations = select(Facility.id, Facility.name).where(
        col(Facility.id).in_({each.consult.station_id for each in news})
    )
    specialties = select(Specialty.id, Specialty.name)
    station_names = dict((await work.session.exec(stations)).all())
    specialty_names = dict((await work.session.exec(specialties)).all())
    found = []
    for each in news:
        about = stream_of("consult", each.consult.uid)
        found.append(
            News(
                NoticeKind.REQUEST_WAITS,
                {person.id for person in listeners[about]},
                key=key_of(about, each.round, each.place.rung),
                about=about,
                is_urgent=each.consult.urgency is Urgency.EMERGENCY,
                data={
                    "station": station_names[each.consult.station_id],
                    "specialty": specialty_names.get(each.consult.specialty_id, ""),
                },
            )
        )
    return found


async def _crowd(work: UnitOfWork, rung: Rung, specialty_id: int | None) -> list[Colleague]:
    """Everybody of a rung that nobody stands on in person."""
    is_all = rung is Rung.COORDINATOR
    role = Role.COORDINATOR if is_all else Role.SPECIALIST
    query = (
        select(Person)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(col(PersonRole.role) == role, col(Person.state) == PersonState.ACTIVE)
    )
    if not is_all:
        query = query.join(PersonSpecialty, col(PersonSpecialty.person_id) == col(Person.id)).where(
            col(PersonSpecialty.specialty_id) == specialty_id
        )
    return [Colleague.of(row) for row in (await work.session.exec(query)).all()]


async def list_colleagues(work: UnitOfWork, ids: Collection[int | None]) -> dict[int, Colleague]:
    """People by their key; None among the keys is nobody."""
    query = select(Person).where(col(Person.id).in_([key for key in ids if key is not None]))
    rows = (await work.session.exec(query)).all()
    return {row.id or 0: Colleague.of(row) for row in rows}
