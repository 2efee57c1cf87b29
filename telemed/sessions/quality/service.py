"""The quality record of a call: taken from those who are in it, shown to those who may see the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Actor
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.sessions.access import Meeting, get_meeting
from telemed.sessions.link.models import LinkSource
from telemed.sessions.link.service import LEAST_CALL_MS, Measured, observe
from telemed.sessions.models import Attendance, LiveSession, Participant
from telemed.sessions.quality.models import CallQuality
from telemed.sessions.quality.summary import Summary

MOST_PAGES = 50
# The last word of a page may come a little after the end.
TAKEN_AFTER_END = timedelta(minutes=10)


@dataclass(frozen=True)
class Record:
    """What one participant had of a call, over all the pages they had it on."""

    name: str
    pages: tuple[CallQuality, ...]

    @property
    def setup_ms(self) -> int | None:
        """From coming in until the first picture, the first time."""
        return next((each.setup_ms for each in self.pages if each.setup_ms is not None), None)

    @property
    def loss_permille(self) -> int:
        """Packets that never came, of a thousand."""
        lost = self.sum("packets_lost")
        return permille(lost, lost + self.sum("packets_received"))

    @property
    def concealed_permille(self) -> int:
        """Voice that had to be made up, of a thousand."""
        return permille(self.sum("concealed_ms"), self.sum("audio_ms"))

    @property
    def rtt_ms(self) -> int | None:
        """Middle of the round trips, the longer pages weighing more."""
        known = [(each.rtt_ms, each.media_ms) for each in self.pages if each.rtt_ms is not None]
        weight = sum(ms for _, ms in known)
        return round(sum(rtt * ms for rtt, ms in known) / weight) if weight else None

    @property
    def timeline(self) -> list[list[int]]:
        """The course of the call: a slot after the other, over all pages."""
        shown = []
        for page in self.pages:
            began = round((page.began_at - self.pages[0].began_at).total_seconds())
            shown += [[began + slot[0], *slot[1:]] for slot in page.timeline]
        return shown

    def sum(self, name: str) -> int:
        """The sum of one figure over all pages."""
        return sum(getattr(page, name) for page in self.pages)


def permille(part: int, whole: int) -> int:
    """Of a thousand; nothing of nothing."""
    return round(1000 * part / whole) if whole else 0


async def record(work: UnitOfWork, actor: Actor, uid: str, summary: Summary) -> bool:
    """Keep what the actor's own page measured; False when something newer is there already.

    Raises Missing for a session not to be known of, Conflict for one never entered or long over.
    """
    meeting = await get_meeting(work, actor, uid)
    own = meeting.find(actor.id)
    if own is None or not await _has_entered(work, own.participant):
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    ended_at = meeting.session.ended_at
    if ended_at is not None and work.now() > ended_at + TAKEN_AFTER_END:
        raise Conflict("session_ended", N_("Buổi hội chẩn này đã kết thúc"))
    known = await _list_pages(work, own.participant)
    is_new = summary.page not in {each.page for each in known}
    if is_new and len(known) >= MOST_PAGES:
        raise Conflict("too_many_pages", N_("Quá nhiều trang đã báo số đo của buổi này"))
    if not await _keep(work, meeting.session, own.participant, summary):
        return False
    await _learn(work, actor, meeting, summary)
    return True


async def list_records(work: UnitOfWork, session: LiveSession) -> list[Record]:
    """What each participant had of a session that the caller was let into."""
    query = (
        select(CallQuality, Person)
        .join(Participant, col(Participant.id) == col(CallQuality.participant_id))
        .join(Person, col(Person.id) == col(Participant.person_id))
        .where(col(CallQuality.session_id) == session.id)
        .order_by(col(CallQuality.participant_id), col(CallQuality.began_at), col(CallQuality.id))
        # Written past the session's back.
        .execution_options(populate_existing=True)
    )
    pages: dict[int, list[CallQuality]] = {}
    names: dict[int, str] = {}
    for page, person in await work.session.exec(query):
        pages.setdefault(page.participant_id, []).append(page)
        names[page.participant_id] = person.full_name
    return [Record(names[key], tuple(some)) for key, some in pages.items()]


async def _has_entered(work: UnitOfWork, participant: Participant) -> bool:
    stays = select(func.count()).where(col(Attendance.participant_id) == participant.id)
    return (await work.session.exec(stays)).one() > 0


async def _list_pages(work: UnitOfWork, participant: Participant) -> Sequence[CallQuality]:
    query = select(CallQuality).where(col(CallQuality.participant_id) == participant.id)
    return (await work.session.exec(query)).all()


async def _keep(
    work: UnitOfWork, session: LiveSession, participant: Participant, summary: Summary
) -> bool:
    values: dict[str, Any] = {**summary.model_dump(), "heard_at": work.now()}
    values["timeline"] = [list(slot) for slot in summary.timeline]
    began_at = work.now() - timedelta(milliseconds=summary.media_ms)
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    statement = insert(CallQuality).values(
        session_id=session.id, participant_id=participant.id, began_at=began_at, **values
    )
    kept = await work.session.exec(
        statement.on_conflict_do_update(
            index_elements=["participant_id", "page"],
            set_=values,
            where=col(CallQuality.number) < statement.excluded.number,
        ).returning(col(CallQuality.id))
    )
    return kept.one_or_none() is not None


async def _learn(work: UnitOfWork, actor: Actor, meeting: Meeting, summary: Summary) -> None:
    """The link of the station learns from what its own side measured."""
    consult = meeting.consult
    station = consult.station_id if consult else meeting.session.station_id
    if station is None or station not in actor.station_ids or summary.media_ms < LEAST_CALL_MS:
        return
    lost = summary.packets_lost
    found = Measured(
        up_kbps=summary.up_kbps,
        down_kbps=summary.down_kbps,
        rtt_ms=summary.rtt_ms,
        loss_permille=permille(lost, lost + summary.packets_received),
    )
    await observe(work, station, LinkSource.CALL, summary.page, found)
