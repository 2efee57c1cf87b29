"""What is reported of a rotation: its weeks, its end, and the paper that ordered it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, PersonFacts, Role, require
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, Missing, require_short
from telemed.core.text import clean_text
from telemed.facilities.models import Facility
from telemed.imaging.service import Arrival
from telemed.training.rotations.board import today_of
from telemed.training.rotations.models import (
    Rotation,
    RotationLeave,
    RotationWeek,
    SecondmentDecision,
)
from telemed.training.rotations.repository import (
    RotationRow,
    get_decision,
    get_row,
    list_leaves,
    list_weeks,
)
from telemed.training.rotations.rules import (
    WEEK,
    Span,
    is_excused,
    monday_of,
    mondays,
    served_days,
)

LONGEST_WEEK, LONGEST_REPORT = 4000, 8000
# What somebody did is still known a fortnight later.
WRITTEN_UNTIL = timedelta(days=14)


@dataclass(frozen=True)
class Week:
    """One week of a rotation: `text` is empty where nothing was written."""

    monday: date
    text: str
    is_excused: bool
    is_over: bool
    may_write: bool

    @property
    def is_unwritten(self) -> bool:
        """It was worked, at least in part, and nobody has written of it."""
        return not self.text and not self.is_excused


@dataclass(frozen=True)
class OpenRotation:
    """A rotation as the actor sees it; `weeks`, newest first, are those that have begun."""

    row: RotationRow
    home_unit: Facility
    leaves: Sequence[RotationLeave]
    weeks: Sequence[Week]
    served_days: int
    planned_days: int
    is_over: bool
    may_change: bool
    may_report: bool
    reads_reports: bool

    @property
    def week_to_write(self) -> Week | None:
        """The oldest week that may still be written and is not."""
        open_weeks = [week for week in reversed(self.weeks) if week.may_write and week.is_unwritten]
        return open_weeks[0] if open_weeks else None


def _owner(rotation: Rotation) -> PersonFacts:
    return PersonFacts(person_id=rotation.person_id)


async def open_rotation(work: UnitOfWork, actor: Actor, uid: str) -> OpenRotation:
    """A rotation with its leave; its weeks and report for those concerned. Raises Missing."""
    require(actor, Action.ROTATION_READ)
    row = await get_row(work, uid)
    rotation, today = row.rotation, await today_of(work)
    leaves = await list_leaves(work, [rotation.id or 0])
    spans = [Span(leave.starts_on, leave.ends_on) for leave in leaves]
    owns = actor.id == rotation.person_id
    return OpenRotation(
        row=row,
        home_unit=await work.session.get_one(Facility, rotation.home_unit_id),
        leaves=leaves,
        weeks=await _weeks(work, row, spans, today),
        served_days=served_days(row.span, spans, today),
        planned_days=Span(rotation.starts_on, rotation.ends_on).days,
        is_over=rotation.last_day < today,
        may_change=actor.has(Role.COORDINATOR),
        may_report=owns,
        reads_reports=owns or actor.has(Role.COORDINATOR, Role.TRAINER),
    )


async def _weeks(
    work: UnitOfWork, row: RotationRow, leaves: Sequence[Span], today: date
) -> list[Week]:
    written = await list_weeks(work, row.rotation.id or 0)
    return [
        Week(
            monday=monday,
            text=written[monday].text if monday in written else "",
            is_excused=is_excused(monday, row.span, leaves),
            is_over=monday + WEEK <= today,
            may_write=_may_write(monday, today),
        )
        for monday in reversed(list(mondays(row.span)))
        if monday <= today
    ]


def _may_write(monday: date, today: date) -> bool:
    return monday <= today < monday + WEEK + WRITTEN_UNTIL


async def write_week(
    work: UnitOfWork, actor: Actor, uid: str, monday: date, text: str
) -> RotationWeek:
    """What was done in a week, by whoever was sent; it may be changed for a fortnight after it.

    Raises Missing, Invalid.
    """
    row = await _own(work, actor, uid)
    today, given = await today_of(work), clean_text(text).strip()
    if monday not in set(mondays(row.span)) or not _may_write(monday, today):
        raise Invalid("week_unknown", N_("Tuần này không ghi được nữa"), field="week")
    if not given:
        raise Invalid("text_missing", N_("Ghi việc đã làm trong tuần"), field="text")
    require_short("text", given, LONGEST_WEEK)
    week = (await list_weeks(work, row.rotation.id or 0)).get(monday)
    if week is None:
        week = RotationWeek(
            rotation_id=row.rotation.id or 0, monday=monday, text=given, written_at=work.now()
        )
    week.text, week.written_at = given, work.now()
    work.session.add(week)
    await work.session.flush()
    subject = f"rotation:{row.rotation.uid}"
    work.audit(AuditTag.ROTATION_REPORT, actor, subject, week=monday.isoformat())
    return week


async def write_report(
    work: UnitOfWork, actor: Actor, uid: str, text: str, *, send: bool
) -> Rotation:
    """The end report: kept while it is written, fixed once it is sent.

    Raises Missing, Conflict (sent), Invalid.
    """
    row = await _own(work, actor, uid)
    rotation, given = row.rotation, clean_text(text).strip()
    if rotation.report_sent_at is not None:
        raise Conflict("report_sent", N_("Báo cáo đã gửi nên không sửa được"))
    require_short("report", given, LONGEST_REPORT)
    if send:
        _check_sending(row, given, await today_of(work))
        rotation.report_sent_at = work.now()
    rotation.report = given
    work.session.add(rotation)
    await work.session.flush()
    work.audit(AuditTag.ROTATION_REPORT, actor, f"rotation:{rotation.uid}", sent=send)
    return rotation


def _check_sending(row: RotationRow, text: str, today: date) -> None:
    if not text:
        raise Invalid("text_missing", N_("Ghi nội dung báo cáo"), field="report")
    if today < monday_of(row.rotation.last_day):
        text = N_("Báo cáo gửi được từ tuần cuối của đợt luân phiên")
        raise Invalid("report_early", text, field="report")


async def _own(work: UnitOfWork, actor: Actor, uid: str) -> RotationRow:
    require(actor, Action.ROTATION_REPORT)
    row = await get_row(work, uid)
    require(actor, Action.ROTATION_REPORT, _owner(row.rotation))
    # Two pages of one person that save at once do it in turn.
    query = select(Person).where(col(Person.id) == actor.id)
    await work.session.exec(query.with_for_update(key_share=True))
    return row


async def attach_paper(
    work: UnitOfWork, actor: Actor, decision_uid: str, arrival: Arrival
) -> SecondmentDecision:
    """Keep the scanned decision; another one takes its place. Raises Missing."""
    require(actor, Action.ROTATION_WRITE)
    decision = await get_decision(work, decision_uid)
    decision.file_sha256 = arrival.received.sha256
    decision.file_name, decision.file_type = arrival.name, arrival.media_type.value
    work.session.add(decision)
    await work.session.flush()
    sha256 = arrival.received.sha256
    work.audit(AuditTag.DECISION_FILE, actor, f"decision:{decision.uid}", sha256=sha256)
    return decision


async def open_paper(work: UnitOfWork, actor: Actor, decision_uid: str) -> SecondmentDecision:
    """A decision whose paper may be read by the office and by those whom it sends.

    Raises Missing.
    """
    require(actor, Action.ROTATION_READ)
    decision = await get_decision(work, decision_uid)
    if not decision.file_sha256:
        raise Missing
    if not actor.has(Role.COORDINATOR, Role.TRAINER):
        sent = select(Rotation.id).where(
            col(Rotation.decision_id) == decision.id, col(Rotation.person_id) == actor.id
        )
        if (await work.session.exec(sent.limit(1))).first() is None:
            raise Missing
    return decision
