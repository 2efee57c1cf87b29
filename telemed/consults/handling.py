"""What people do with a request: take it, refuse it, ask, answer, hand it on, give it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telemed.accounts.permissions import Action, Actor
from telemed.consults import cover, repository
from telemed.consults.case.conversation import add_message
from telemed.consults.lifecycle import ConsultEvent, ConsultState
from telemed.consults.models import Consult, MessageKind
from telemed.consults.repository import PersonCard
from telemed.consults.rights.restriction import check_may_send
from telemed.consults.service import claimed_by_other, get_case, is_held_by, transition
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, IllegalTransition, Invalid, require_short
from telemed.core.text import clean_text
from telemed.facilities.models import Specialty
from telemed.patients.models import Patient

REASON_LIMIT = 500
ANSWER_LIMIT = 4000


@dataclass(frozen=True)
class Target:
    """Whom a request is for: a specialty, and maybe one person of it."""

    specialty: Specialty
    person: PersonCard | None = None


async def claim(work: UnitOfWork, actor: Actor, uid: str) -> Consult:
    """Take a case. Exactly one wins; for whoever already holds it nothing changes."""
    consult = await get_case(work, actor, uid, Action.CONSULT_CLAIM)
    if is_held_by(consult, actor):
        return consult
    if consult.assigned_id is not None:
        raise claimed_by_other(work, consult)
    await transition(work, actor, consult, ConsultEvent.CLAIM)
    return consult


async def decline(work: UnitOfWork, actor: Actor, uid: str, reason: str) -> Consult:
    """Send a request back; the station may turn to somebody else."""
    consult = await get_case(work, actor, uid, Action.CONSULT_DECLINE)
    given = _required(reason, N_("Ghi lý do từ chối, trạm sẽ đọc câu này"))
    await transition(work, actor, consult, ConsultEvent.DECLINE, reason=given)
    return consult


async def ask_info(work: UnitOfWork, actor: Actor, uid: str, question: str) -> Consult:
    """Ask the station for what is missing before somebody can take the case."""
    consult = await get_case(work, actor, uid, Action.CONSULT_ASK)
    text = _required(question, N_("Ghi điều cần hỏi trạm"))
    message = await add_message(work, actor, consult, text, MessageKind.QUESTION)
    await transition(work, actor, consult, ConsultEvent.ASK_INFO, reason=text, message=message.uid)
    return consult


async def answer_info(work: UnitOfWork, actor: Actor, uid: str, answer: str) -> Consult:
    """Give what was asked for; the request goes back into its queue, its clock goes on."""
    consult = await get_case(work, actor, uid, Action.CONSULT_ANSWER_INFO)
    text = _required(answer, N_("Ghi câu trả lời cho bác sĩ chuyên khoa"), ANSWER_LIMIT)
    message = await add_message(work, actor, consult, text, MessageKind.ANSWER)
    asker = await repository.find_last_asker(work, consult)
    await transition(
        work,
        actor,
        consult,
        ConsultEvent.ANSWER_INFO,
        tell=[asker] if asker else [],
        message=message.uid,
    )
    return consult


async def release(work: UnitOfWork, actor: Actor, uid: str, reason: str) -> Consult:
    """Give a case back to its queue."""
    consult = await get_case(work, actor, uid, Action.CONSULT_RELEASE)
    given = _required(reason, N_("Ghi lý do trả ca, người nhận sau sẽ đọc câu này"))
    was_named = consult.assigned_id is not None and consult.named_id == consult.assigned_id
    if was_named:
        consult.named_id = None
    await transition(work, actor, consult, ConsultEvent.RELEASE, reason=given)
    return consult


async def pass_on(work: UnitOfWork, actor: Actor, uid: str, to: str, reason: str) -> Consult:
    """Hand a case to another specialty or person; `to` is `CODE` or `CODE/person`."""
    consult = await get_case(work, actor, uid, Action.CONSULT_PASS_ON)
    given = _required(reason, N_("Ghi lý do chuyển, người nhận sẽ đọc câu này"))
    target = await find_target(work, to)
    _refuse_same(consult, target)
    _address(consult, target)
    await transition(work, actor, consult, ConsultEvent.PASS_ON, reason=given, **_told(target))
    return consult


async def resubmit(work: UnitOfWork, actor: Actor, uid: str, to: str) -> Consult:
    """Send a declined request to another specialty or person."""
    consult = await get_case(work, actor, uid, Action.CONSULT_REQUEST)
    if consult.urgency is None:
        # A draft is sent by its own form, which sees to it that it is complete.
        raise IllegalTransition(consult.state, ConsultEvent.SUBMIT)
    target = await find_target(work, to)
    if consult.state is ConsultState.DECLINED:
        _address(consult, target)
        patient = await work.session.get_one(Patient, consult.patient_id)
        check_may_send(consult, patient, field="to")
        await cover.settle(work, consult, field="to")
    await transition(work, actor, consult, ConsultEvent.SUBMIT, **_told(target))
    return consult


async def cancel(work: UnitOfWork, actor: Actor, uid: str, reason: str) -> Consult:
    """End a request before it is answered; a draft may go without a word."""
    consult = await get_case(work, actor, uid, Action.CONSULT_CANCEL)
    given = clean_text(reason)[:REASON_LIMIT]
    if consult.state is not ConsultState.DRAFT:
        given = _required(reason, N_("Ghi lý do hủy"))
    await transition(work, actor, consult, ConsultEvent.CANCEL, reason=given)
    return consult


async def find_target(work: UnitOfWork, to: str) -> Target:
    """Read `CODE` or `CODE/person`. Raises Invalid for what cannot be asked."""
    code, _, person_uid = to.partition("/")
    specialties = await repository.list_specialties(work)
    specialty = next((s for s in specialties if s.code == code), None)
    if specialty is None:
        raise Invalid("to_unknown", N_("Chọn chuyên khoa hoặc bác sĩ trong danh sách"), field="to")
    if not person_uid:
        return Target(specialty)
    for specialty_id, person in await repository.list_specialists(work):
        if specialty_id == specialty.id and person.uid == person_uid:
            return Target(specialty, person)
    raise Invalid("to_unknown", N_("Chọn chuyên khoa hoặc bác sĩ trong danh sách"), field="to")


async def list_targets(work: UnitOfWork) -> list[tuple[Specialty, list[PersonCard]]]:
    """Every specialty with the people who can be asked by name."""
    people = await repository.list_specialists(work)
    return [
        (specialty, [person for owner, person in people if owner == specialty.id])
        for specialty in await repository.list_specialties(work)
    ]


def _refuse_same(consult: Consult, target: Target) -> None:
    person_id = target.person.id if target.person else None
    is_elsewhere = target.specialty.id != consult.specialty_id
    is_somebody_else = person_id not in {None, consult.named_id, consult.assigned_id}
    if not (is_elsewhere or is_somebody_else):
        message = N_("Ca đang ở đúng chỗ này. Chọn chuyên khoa hoặc bác sĩ khác.")
        raise Invalid("to_same", message, field="to")


def _address(consult: Consult, target: Target) -> None:
    consult.specialty_id = target.specialty.id
    consult.named_id = target.person.id if target.person else None


def _told(target: Target) -> dict[str, Any]:
    person = {"person": target.person.full_title} if target.person else {}
    return {"specialty": target.specialty.name, **person}


def _required(text: str, missing: str, limit: int = REASON_LIMIT) -> str:
    clean = clean_text(text).strip()
    if not clean:
        raise Invalid("reason_missing", missing, field="reason")
    require_short("reason", clean, limit)
    return clean
