"""Rules of consults: who may open one, and the one place where a consult changes its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm.exc import StaleDataError

from telemed.accounts.permissions import Action, Actor, ConsultFacts, require
from telemed.consults import repository
from telemed.consults.clocks import DEFAULT_LIMITS, RANKS, Limits, response_limits
from telemed.consults.lifecycle import (
    OVER,
    TRANSITIONS,
    UNCLAIMED,
    UNDER_WAY,
    WAITING,
    ConsultEvent,
    ConsultState,
    next_state,
)
from telemed.consults.models import Consult, still_open_to_specialist
from telemed.consults.outcomes.planning import plan_loops
from telemed.consults.telling import tell_moved, tell_transition
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, IllegalTransition, Missing
from telemed.core.events import append_event, stream_of
from telemed.core.jobs import cancel as cancel_job
from telemed.core.jobs import enqueue

EXPIRE_JOB = "consult.expire"
WATCH_JOB = "consult.watch"
WORKLIST_CHANNEL = "worklist"

# Facts in the numbered log are told in the past tense.
FACTS: Mapping[ConsultEvent, str] = {
    ConsultEvent.SUBMIT: "consult_requested",
    ConsultEvent.ASK_INFO: "info_asked",
    ConsultEvent.ANSWER_INFO: "info_answered",
    ConsultEvent.CLAIM: "consult_claimed",
    ConsultEvent.DECLINE: "consult_declined",
    ConsultEvent.PASS_ON: "consult_passed_on",
    ConsultEvent.RELEASE: "consult_released",
    ConsultEvent.SCHEDULE: "consult_scheduled",
    ConsultEvent.UNSCHEDULE: "consult_unscheduled",
    ConsultEvent.START_SESSION: "session_started",
    ConsultEvent.PAUSE_SESSION: "session_paused",
    ConsultEvent.ANSWER: "consult_answered",
    ConsultEvent.CLOSE: "consult_closed",
    ConsultEvent.CANCEL: "consult_cancelled",
    ConsultEvent.EXPIRE: "consult_expired",
    ConsultEvent.WITHDRAW_CONSENT: "consent_withdrawn",
}
MOVED = "consult_moved"
_GIVES_UP = frozenset(
    {
        *(ConsultEvent.DECLINE, ConsultEvent.RELEASE, ConsultEvent.PASS_ON),
        # Without the patient's word nobody outside the station goes on reading.
        ConsultEvent.WITHDRAW_CONSENT,
    }
)


def facts_of(consult: Consult, work: UnitOfWork) -> ConsultFacts:
    """What the table of permissions needs to know of a consult, at this moment."""
    return ConsultFacts(
        station_id=consult.station_id,
        requester_id=consult.requester_id,
        specialty_id=consult.specialty_id,
        assigned_id=consult.assigned_id,
        named_id=consult.named_id,
        is_waiting=consult.state in UNCLAIMED,
        # A draft that was thrown away was never sent, so nobody but its station knows of it.
        is_draft=consult.requested_at is None,
        is_within_access=_is_within_access(consult, work),
    )


def _is_within_access(consult: Consult, work: UnitOfWork) -> bool:
    days = timedelta(days=work.settings.case_access_days_after_close)
    if consult.closed_at is None:
        return True
    return not consult.is_restricted and work.now() <= consult.closed_at + days


def within_access(work: UnitOfWork) -> ColumnElement[bool]:
    """The same as a condition of a query: cases that a specialist may still open."""
    days = timedelta(days=work.settings.case_access_days_after_close)
    return still_open_to_specialist(work.now() - days)


async def get_case(
    work: UnitOfWork,
    actor: Actor,
    uid: str,
    action: Action = Action.CONSULT_READ,
    *,
    lock: bool = False,
) -> Consult:
    """The consult, if the actor may do this to it; unknown and forbidden look alike.

    Locked, nobody else writes about the case until the transaction ends.
    """
    require(actor, action)
    consult = await repository.find_consult(work, uid, lock=lock)
    if consult is None:
        raise Missing
    require(actor, action, facts_of(consult, work))
    return consult


async def transition(
    work: UnitOfWork,
    actor: Actor | None,
    consult: Consult,
    event: ConsultEvent,
    *,
    reason: str = "",
    tell: Iterable[int] = (),
    **data: Any,
) -> int:
    """Move a consult by one event; nobody is the actor of what falls due. Its number in the log.

    `data` goes into the log; `tell` names people to be told beyond those of the case.
    Raises IllegalTransition, or Conflict when somebody else has moved the consult meanwhile.
    """
    before, specialist_id = consult.state, consult.assigned_id
    after = next_state(before, event)
    concerned = {consult.requester_id, consult.assigned_id, consult.named_id, *tell}
    await _save(work)
    limits = await response_limits(work) if event is ConsultEvent.SUBMIT else DEFAULT_LIMITS
    columns = columns_after(work.now(), actor, consult, event, reason, limits=limits)
    columns["state"] = after
    if not await repository.move(work, consult, columns):
        raise await _overtaken(work, consult, event)
    stream = stream_of("consult", consult.uid)
    facts = data | ({"reason": reason} if reason else {})
    number = await append_event(work, stream, FACTS[event], actor.id if actor else None, **facts)
    work.audit(
        AuditTag.CONSULT_TRANSITION,
        actor,
        stream,
        patient_id=consult.patient_id,
        event=event.value,
        before=before.value,
        after=after.value,
        number=number,
    )
    work.announce(WORKLIST_CHANNEL, FACTS[event])
    concerned |= {consult.assigned_id, consult.named_id}
    await _tell(work, actor, concerned, FACTS[event], number)
    await tell_transition(
        work, actor, consult, event, before=before, number=number, specialist_id=specialist_id
    )
    await _plan_expiry(work, consult)
    await _plan_watch(work, consult, event)
    await plan_loops(work, consult, event)
    return number


def columns_after(
    now: datetime,
    actor: Actor | None,
    consult: Consult,
    event: ConsultEvent,
    reason: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Any]:
    """What a state brings with it."""
    columns: dict[str, Any] = {"state_at": now, "state_reason": reason}
    if event is ConsultEvent.SUBMIT:
        assert consult.urgency
        columns["rank"] = RANKS[consult.urgency]
        columns["requested_at"] = consult.requested_at or now
        columns["due_at"] = now + limits[consult.urgency]
    elif event is ConsultEvent.ANSWER_INFO and consult.due_at and consult.state_at:
        # The hospital's clock stood still while the station was asked.
        columns["due_at"] = consult.due_at + (now - consult.state_at)
    elif event is ConsultEvent.CLAIM:
        assert actor
        columns |= {"assigned_id": actor.id, "accepted_at": now}
    elif event in _GIVES_UP:
        columns |= {"assigned_id": None, "accepted_at": None}
    elif event is ConsultEvent.ANSWER:
        columns["answered_at"] = now
    if TRANSITIONS[consult.state, event] in OVER:
        columns["closed_at"] = now
    return columns


async def _save(work: UnitOfWork) -> None:
    """What the caller has changed on the row counts only if the row is still the one it read."""
    try:
        await work.session.flush()
    except StaleDataError as error:
        raise _changed() from error


def _changed() -> Conflict:
    return Conflict(
        "changed_meanwhile", N_("Nội dung vừa được người khác đổi. Tải lại để xem bản mới.")
    )


async def _overtaken(work: UnitOfWork, consult: Consult, event: ConsultEvent) -> Conflict:
    before = consult.state
    now = await repository.reread(work, consult)
    if event is ConsultEvent.CLAIM and now.assigned_id is not None:
        return claimed_by_other(work, now)
    return _changed() if now.state is before else IllegalTransition(now.state, event)


def claimed_by_other(work: UnitOfWork, consult: Consult) -> Conflict:
    """The words for whoever came second."""
    at = (consult.accepted_at or work.now()).astimezone(LOCAL_ZONE)
    is_today = at.date() == work.now().astimezone(LOCAL_ZONE).date()
    return Conflict(
        "claimed_by_other",
        N_("Bác sĩ khác vừa nhận ca này lúc {time}. Danh sách đã cập nhật."),
        time=f"{at:%H:%M}" if is_today else f"{at:%H:%M %d/%m/%Y}",
    )


async def _tell(
    work: UnitOfWork, actor: Actor | None, ids: Iterable[int | None], fact: str, number: int
) -> None:
    people = await repository.get_people(work, set(ids) - {actor.id if actor else None})
    for person in people.values():
        work.announce(stream_of("person", person.uid), fact, number)


async def _plan_expiry(work: UnitOfWork, consult: Consult) -> None:
    if (consult.state, ConsultEvent.EXPIRE) in TRANSITIONS:
        days = timedelta(days=work.settings.request_expires_days)
        payload = {"uid": consult.uid}
        await enqueue(work, EXPIRE_JOB, consult.uid, work.now() + days, payload)
    else:
        await cancel_job(work, EXPIRE_JOB, consult.uid)


async def _plan_watch(work: UnitOfWork, consult: Consult, event: ConsultEvent) -> None:
    """What waits is watched over; what was only asked about goes on where it had climbed to."""
    if consult.state in WAITING:
        payload = {"uid": consult.uid, "anew": event is not ConsultEvent.ANSWER_INFO}
        await enqueue(work, WATCH_JOB, consult.uid, work.now(), payload)
    else:
        await cancel_job(work, WATCH_JOB, consult.uid)


async def expire(work: UnitOfWork, payload: dict[str, Any]) -> None:
    """Job `consult.expire`: end a request that nobody has moved for too long."""
    consult = await repository.find_consult(work, str(payload["uid"]))
    if consult and (consult.state, ConsultEvent.EXPIRE) in TRANSITIONS:
        await transition(work, None, consult, ConsultEvent.EXPIRE)


async def schedule(work: UnitOfWork, actor: Actor, consult: Consult, **data: Any) -> int:
    """A time was booked."""
    require(actor, Action.BOOKING_WRITE, facts_of(consult, work))
    return await transition(work, actor, consult, ConsultEvent.SCHEDULE, **data)


async def unschedule(
    work: UnitOfWork, actor: Actor, consult: Consult, *, reason: str = "", **data: Any
) -> int:
    """The booked time was given up."""
    require(actor, Action.BOOKING_WRITE, facts_of(consult, work))
    return await transition(work, actor, consult, ConsultEvent.UNSCHEDULE, reason=reason, **data)


async def note_moved(work: UnitOfWork, actor: Actor, consult: Consult, **data: Any) -> int:
    """The booked time is another one now; the case stays where it stands."""
    require(actor, Action.BOOKING_WRITE, facts_of(consult, work))
    stream = stream_of("consult", consult.uid)
    number = await append_event(work, stream, MOVED, actor.id, **data)
    await _tell(work, actor, [consult.requester_id, consult.assigned_id], MOVED, number)
    await tell_moved(work, actor, consult, number)
    return number


async def start_session(work: UnitOfWork, actor: Actor, consult: Consult, **data: Any) -> int:
    """Somebody of the case calls the other side."""
    require(actor, Action.SESSION_START, facts_of(consult, work))
    return await transition(work, actor, consult, ConsultEvent.START_SESSION, **data)


async def pause_session(
    work: UnitOfWork, actor: Actor | None, consult: Consult, **data: Any
) -> int:
    """The meeting is over, the case is not. The room decides; guests may have been the last."""
    return await transition(work, actor, consult, ConsultEvent.PAUSE_SESSION, **data)


async def mark_answered(work: UnitOfWork, actor: Actor, consult: Consult, **data: Any) -> int:
    """The specialist has signed a conclusion."""
    require(actor, Action.MINUTES_SIGN, facts_of(consult, work))
    return await transition(work, actor, consult, ConsultEvent.ANSWER, **data)


async def close(work: UnitOfWork, actor: Actor, consult: Consult, **data: Any) -> int:
    """The station has signed what it does with the advice."""
    require(actor, Action.DECISION_SIGN, facts_of(consult, work))
    return await transition(work, actor, consult, ConsultEvent.CLOSE, **data)


def is_held_by(consult: Consult, actor: Actor) -> bool:
    """True when the case is in this specialist's hands."""
    return consult.assigned_id == actor.id and consult.state in UNDER_WAY | {ConsultState.ANSWERED}
