"""The rules over the facts of one object: what a role may do to this patient, case or session."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from telemed.accounts.permissions.actions import Action, Role
from telemed.accounts.permissions.facts import (
    Actor,
    ConsultFacts,
    PatientFacts,
    PersonFacts,
    SessionFacts,
    Subject,
    TransferFacts,
)


def _of_station(actor: Actor, patient_station_id: int) -> bool:
    return patient_station_id in actor.station_ids


def _assigned(actor: Actor, case: ConsultFacts) -> bool:
    return actor.has(Role.SPECIALIST) and case.assigned_id == actor.id


def _writes_minutes(actor: Actor, case: ConsultFacts) -> bool:
    return _assigned(actor, case) and case.is_within_access


def _in_queue(actor: Actor, case: ConsultFacts) -> bool:
    mine = case.specialty_id in actor.specialty_ids or case.named_id == actor.id
    return actor.has(Role.SPECIALIST) and mine


def _reads_case(actor: Actor, case: ConsultFacts) -> bool:
    if case.is_draft:
        return _of_station(actor, case.station_id)
    return _of_station(actor, case.station_id) or (_assigned(actor, case) and case.is_within_access)


def _triages(actor: Actor, case: ConsultFacts) -> bool:
    is_theirs = (case.is_waiting and _in_queue(actor, case)) or actor.has(Role.COORDINATOR)
    return is_theirs and not case.is_draft


def _claims(actor: Actor, case: ConsultFacts) -> bool:
    # Whoever lost the race still has the case in their queue and is told so in words.
    return not case.is_draft and _in_queue(actor, case)


def _station_only(actor: Actor, case: ConsultFacts) -> bool:
    return _of_station(actor, case.station_id)


def _writes_letter(actor: Actor, case: ConsultFacts) -> bool:
    return not case.is_draft and _of_station(actor, case.station_id)


def _assigned_or_coordinator(actor: Actor, case: ConsultFacts) -> bool:
    return _assigned(actor, case) or (actor.has(Role.COORDINATOR) and not case.is_draft)


def _queue_or_assigned(actor: Actor, case: ConsultFacts) -> bool:
    return _assigned(actor, case) or (case.is_waiting and _in_queue(actor, case))


def _passes_on(actor: Actor, case: ConsultFacts) -> bool:
    return _queue_or_assigned(actor, case) or (actor.has(Role.COORDINATOR) and not case.is_draft)


def _cancels(actor: Actor, case: ConsultFacts) -> bool:
    return _station_only(actor, case) or (actor.has(Role.COORDINATOR) and not case.is_draft)


def _talks(actor: Actor, case: ConsultFacts) -> bool:
    return not case.is_draft and _reads_case(actor, case)


def _keeps_patient(actor: Actor, patient: PatientFacts) -> bool:
    return _of_station(actor, patient.station_id)


def _joins(actor: Actor, live: SessionFacts) -> bool:
    return actor.id in live.member_ids or (live.case is not None and _talks(actor, live.case))


def _watches(actor: Actor, live: SessionFacts) -> bool:
    if live.case is None:
        return actor.id in live.member_ids
    # A picture cannot be de-identified: who teaches needs the patient's word, and was announced.
    teaches = live.may_teach and actor.has(Role.TRAINER) and actor.id in live.member_ids
    return live.is_agreed and (_talks(actor, live.case) or teaches)


def _invites(actor: Actor, live: SessionFacts) -> bool:
    return _talks(actor, live.case) if live.case else actor.id in live.host_ids


def _reads_transfer(actor: Actor, log: TransferFacts) -> bool:
    if log.is_draft:
        return _writes_transfer(actor, log)
    return (
        actor.has(Role.TRAINER, Role.COORDINATOR)
        or actor.id in log.trainer_ids | log.trainee_ids | {log.author_id}
        or log.station_id in actor.station_ids
    )


def _writes_transfer(actor: Actor, log: TransferFacts) -> bool:
    return actor.id == log.author_id or actor.id in log.trainer_ids


def _signs_transfer(actor: Actor, log: TransferFacts) -> bool:
    return actor.id in log.trainer_ids | log.trainee_ids


def _own(actor: Actor, person: PersonFacts) -> bool:
    return person.person_id == actor.id


def _own_or_coordinator(actor: Actor, person: PersonFacts) -> bool:
    return _own(actor, person) or actor.has(Role.COORDINATOR)


_CASE_RULES: Mapping[Action, Callable[[Actor, ConsultFacts], bool]] = {
    Action.CONSULT_REQUEST: _station_only,
    Action.CONSULT_READ: _reads_case,
    Action.CONSULT_TRIAGE: _triages,
    Action.CONSULT_CLAIM: _claims,
    Action.CONSULT_DECLINE: _queue_or_assigned,
    Action.CONSULT_ASK: _queue_or_assigned,
    Action.CONSULT_ANSWER_INFO: _station_only,
    Action.CONSULT_RELEASE: _assigned_or_coordinator,
    Action.CONSULT_PASS_ON: _passes_on,
    Action.CONSULT_CANCEL: _cancels,
    Action.CONSULT_MESSAGE: _talks,
    Action.FILE_WRITE: _reads_case,
    Action.FILE_READ: _reads_case,
    Action.SESSION_START: _talks,
    Action.MINUTES_READ: _talks,
    Action.MINUTES_WRITE: _writes_minutes,
    Action.MINUTES_SIGN: _writes_minutes,
    Action.DECISION_SIGN: _station_only,
    Action.REFERRAL_SIGN: _writes_letter,
    Action.OUTCOME_WRITE: _writes_letter,
    Action.BOOKING_WRITE: _talks,
    Action.SCHEDULE_READ: _talks,
}
_SESSION_RULES: Mapping[Action, Callable[[Actor, SessionFacts], bool]] = {
    Action.SESSION_JOIN: _joins,
    Action.SESSION_INVITE: _invites,
    Action.RECORDING_READ: _watches,
}
_PATIENT_RULES: Mapping[Action, Callable[[Actor, PatientFacts], bool]] = {
    Action.PATIENT_READ: _keeps_patient,
    Action.PATIENT_WRITE: _keeps_patient,
    Action.RIGHTS_WRITE: _keeps_patient,
    Action.CONSULT_REQUEST: _keeps_patient,
}
_TRANSFER_RULES: Mapping[Action, Callable[[Actor, TransferFacts], bool]] = {
    Action.TRANSFER_READ: _reads_transfer,
    Action.TRANSFER_WRITE: _writes_transfer,
    Action.TRANSFER_SIGN: _signs_transfer,
    Action.SESSION_START: _writes_transfer,
}
_PERSON_RULES: Mapping[Action, Callable[[Actor, PersonFacts], bool]] = {
    Action.ACCOUNT: _own,
    Action.HOURS_WRITE: _own_or_coordinator,
    Action.ROTATION_REPORT: _own,
}


def allows(actor: Actor, action: Action, subject: Subject) -> bool:
    """Whether the rule of this action holds for the object. An action without one is refused."""
    match subject:
        case ConsultFacts():
            case_rule = _CASE_RULES.get(action)
            return case_rule is not None and case_rule(actor, subject)
        case PatientFacts():
            patient_rule = _PATIENT_RULES.get(action)
            return patient_rule is not None and patient_rule(actor, subject)
        case SessionFacts():
            session_rule = _SESSION_RULES.get(action)
            return session_rule is not None and session_rule(actor, subject)
        case TransferFacts():
            transfer_rule = _TRANSFER_RULES.get(action)
            return transfer_rule is not None and transfer_rule(actor, subject)
        case PersonFacts():
            person_rule = _PERSON_RULES.get(action)
            return person_rule is not None and person_rule(actor, subject)
