"""The worklist: who waits, ordered by urgency and clock, and what may be seen before a claim.

Before a claim a specialist of the queue sees how urgent a case is and what is asked, not who it is
(docs/decisions/0005-triage-before-claim.md); a coordinator sees where it waits and nothing clinical.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.consults import repository
from telemed.consults.lifecycle import UNCLAIMED, UNDER_WAY, WAITING, ConsultState
from telemed.consults.models import Consult, ConsultQuestion, MessageKind
from telemed.consults.service import get_case
from telemed.consults.triage.assessment import Assessment
from telemed.consults.vitals.assessing import assess_stored, birth_of
from telemed.consults.vitals.cells import VitalCell, cells_of
from telemed.consults.worklist import lists
from telemed.consults.worklist.rows import CaseRow, Cursor, QueueRow, TriageRow
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid, Missing
from telemed.core.events import stream_of
from telemed.facilities.models import Specialty
from telemed.patients.models import Patient

HELD = UNDER_WAY
ANSWERED = frozenset({ConsultState.ANSWERED, ConsultState.CLOSED})
MOST_HINTED = 200


class Lane(StrEnum):
    """Which part of the work is looked at."""

    WAITING = "waiting"
    NEEDS_INFO = "needs_info"
    MINE = "mine"
    ANSWERED = "answered"
    UNDER_WAY = "under_way"


class Scope(StrEnum):
    """Own queues as a specialist, or the whole hospital as a coordinator."""

    OWN = "own"
    ALL = "all"


_STATES: Mapping[Lane, frozenset[ConsultState]] = {
    Lane.WAITING: WAITING,
    Lane.NEEDS_INFO: UNCLAIMED - WAITING,
    Lane.MINE: HELD,
    Lane.ANSWERED: ANSWERED,
    Lane.UNDER_WAY: UNDER_WAY,
}
LANES: Mapping[Scope, tuple[Lane, ...]] = {
    Scope.OWN: (Lane.WAITING, Lane.NEEDS_INFO, Lane.MINE, Lane.ANSWERED),
    Scope.ALL: (Lane.WAITING, Lane.NEEDS_INFO, Lane.UNDER_WAY),
}
Row = TriageRow | QueueRow | CaseRow


@dataclass(frozen=True)
class Queue:
    """How many wait for one specialty."""

    specialty: Specialty
    count: int


@dataclass(frozen=True)
class Counts:
    """The numbers beside the filters."""

    waiting: int
    needs_info: int
    held: int
    queues: tuple[Queue, ...]


@dataclass(frozen=True)
class Worklist:
    """One page of the list; `older` is where the next page begins, empty on the last."""

    scope: Scope
    lane: Lane
    specialty: str
    rows: Sequence[Row]
    older: str
    counts: Counts
    at: datetime


@dataclass(frozen=True)
class Inquiry:
    """What was asked before the claim, or what the station answered."""

    is_answer: bool
    text: str
    at: datetime


@dataclass(frozen=True)
class TriageCard:
    """Everything that may be known before a claim. There is no name to leak."""

    row: TriageRow
    reason: str
    questions: Sequence[ConsultQuestion]
    cells: Sequence[VitalCell]
    taken_at: datetime | None
    assessment: Assessment | None
    inquiries: Sequence[Inquiry]


Preview = TriageCard | QueueRow | CaseRow


def scope_of(actor: Actor, wanted: Scope | None) -> Scope:
    """What the actor looks at: specialists their own queues, unless they also coordinate and ask."""
    require(actor, Action.WORKLIST)
    if not actor.has(Role.SPECIALIST):
        return Scope.ALL
    return Scope.ALL if wanted is Scope.ALL and actor.has(Role.COORDINATOR) else Scope.OWN


async def open_worklist(
    work: UnitOfWork,
    actor: Actor,
    *,
    scope: Scope | None = None,
    lane: Lane = Lane.WAITING,
    specialty: str = "",
    after: str = "",
) -> Worklist:
    """One page of a lane, and the counts of all; the look is on record."""
    view = scope_of(actor, scope)
    if lane not in LANES[view]:
        raise Invalid("lane_unknown", N_("Chọn một mục trong danh sách"), field="lane")
    cursor = Cursor.read(after)
    counts = await _count(work, actor, view)
    chosen = next((q.specialty for q in counts.queues if q.specialty.code == specialty), None)
    rows = await _list(
        work, actor, view, lane, specialty_id=chosen.id if chosen else None, after=cursor
    )
    shown = rows[: lists.PAGE_SIZE]
    tag = AuditTag.CONSULT_TRIAGE if _is_triage(view, lane) else AuditTag.CONSULT_LIST
    work.audit(
        tag, actor, "worklist", lane=lane.value, scope=view.value, cases=[row.uid for row in shown]
    )
    return Worklist(
        scope=view,
        lane=lane,
        specialty=chosen.code if chosen else "",
        rows=shown,
        older=str(Cursor.of(shown[-1])) if len(rows) > len(shown) else "",
        counts=counts,
        at=work.now(),
    )


def _is_triage(scope: Scope, lane: Lane) -> bool:
    return scope is Scope.OWN and lane in {Lane.WAITING, Lane.NEEDS_INFO}


async def _list(
    work: UnitOfWork,
    actor: Actor,
    scope: Scope,
    lane: Lane,
    *,
    specialty_id: int | None,
    after: Cursor | None,
) -> Sequence[Row]:
    states, limit = _STATES[lane], lists.PAGE_SIZE + 1
    if scope is Scope.ALL:
        return await lists.list_queue(
            work, states, specialty_id=specialty_id, after=after, limit=limit
        )
    if lane in {Lane.MINE, Lane.ANSWERED}:
        return await lists.list_assigned(work, actor, states, after=after, limit=limit)
    return await lists.list_triage(
        work, actor, states, specialty_id=specialty_id, after=after, limit=limit
    )


async def _count(work: UnitOfWork, actor: Actor, scope: Scope) -> Counts:
    whose = actor if scope is Scope.OWN else None
    counts = await lists.count_by_specialty(work, whose, UNCLAIMED)
    waiting, asked = counts[ConsultState.REQUESTED], counts[ConsultState.NEEDS_INFO]
    held = await lists.count_assigned(work, actor, HELD) if whose else 0
    queues = [
        Queue(specialty, waiting.get(specialty.id or 0, 0))
        for specialty in await repository.list_specialties(work)
        if whose is None or specialty.id in actor.specialty_ids
    ]
    return Counts(sum(waiting.values()), sum(asked.values()), held, tuple(queues))


async def list_waiting(work: UnitOfWork, actor: Actor) -> Sequence[TriageRow | QueueRow]:
    """What waits for the actor, for its ids and urgencies: enough to say "2 new" to a page."""
    states = _STATES[Lane.WAITING]
    if scope_of(actor, None) is Scope.ALL:
        return await lists.list_queue(work, states, limit=MOST_HINTED)
    return await lists.list_triage(work, actor, states, limit=MOST_HINTED)


async def find_preview(
    work: UnitOfWork,
    actor: Actor,
    uid: str,
    scope: Scope | None = None,
    *,
    listed: Sequence[Row] = (),
) -> Preview | None:
    """What the actor may see of one case beside the list; None when that is nothing (any more).

    A row that was `listed` in this very transaction need not be asked for again.
    """
    view = scope_of(actor, scope)
    row = next((row for row in listed if row.uid == uid), None)
    if view is Scope.OWN and not isinstance(row, TriageRow):
        held = await _held(work, actor, uid, row)
        if held is not None:
            return held
    try:
        consult = await get_case(work, actor, uid, Action.CONSULT_TRIAGE)
    except Missing:
        return None
    preview: Preview | None
    if view is Scope.ALL:
        preview = row if isinstance(row, QueueRow) else await _queue_row(work, consult)
    else:
        known = row if isinstance(row, TriageRow) else await _triage_row(work, actor, consult)
        preview = await _card(work, consult, known) if known else None
    if preview is not None:
        subject = stream_of("consult", uid)
        work.audit(
            AuditTag.CONSULT_TRIAGE, actor, subject, patient_id=consult.patient_id, scope=view
        )
    return preview


async def _queue_row(work: UnitOfWork, consult: Consult) -> QueueRow | None:
    rows = await lists.list_queue(work, frozenset(ConsultState), uid=consult.uid, limit=1)
    return rows[0] if rows else None


async def _held(work: UnitOfWork, actor: Actor, uid: str, row: Row | None) -> CaseRow | None:
    if isinstance(row, CaseRow):
        return row
    held = await lists.list_assigned(work, actor, HELD | ANSWERED, uid=uid, limit=1)
    if held:
        work.audit(AuditTag.CONSULT_LIST, actor, stream_of("consult", uid))
    return held[0] if held else None


async def _triage_row(work: UnitOfWork, actor: Actor, consult: Consult) -> TriageRow | None:
    rows = await lists.list_triage(work, actor, UNCLAIMED, uid=consult.uid, limit=1)
    return rows[0] if rows else None


async def _card(work: UnitOfWork, consult: Consult, row: TriageRow) -> TriageCard:
    signs = await repository.list_vital_signs(work, consult)
    patient = await work.session.get_one(Patient, consult.patient_id)
    return TriageCard(
        row=row,
        reason=consult.reason,
        questions=await repository.list_questions(work, consult),
        cells=cells_of(signs[0], consult.patient_age_years) if signs else (),
        taken_at=signs[0].taken_at if signs else None,
        assessment=assess_stored(signs[0], birth_of(patient)) if signs else None,
        inquiries=[
            Inquiry(message.kind is MessageKind.ANSWER, message.text, message.at)
            for message in await repository.list_inquiries(work, consult)
        ],
    )
