"""Who may do what: one pure table of roles, and rules over the facts of one object.

`may(actor, action)` answers for the function alone (403 where it says no); with the facts of an
object it answers for that object, and a no means the object is not to be known of (404).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from telemed.core.errors import Denied, Missing


class Role(StrEnum):
    """What a person is here; a person may be several."""

    COMMUNE_DOCTOR = "commune_doctor"
    SPECIALIST = "specialist"
    ROTATED_DOCTOR = "rotated_doctor"
    TRAINER = "trainer"
    COORDINATOR = "coordinator"
    ADMINISTRATOR = "administrator"


SECOND_FACTOR_ROLES = frozenset(
    {Role.SPECIALIST, Role.TRAINER, Role.COORDINATOR, Role.ADMINISTRATOR}
)


class Action(StrEnum):
    """Everything that a route, a socket event or a command may ask for."""

    PUBLIC = "public"
    SIGN_OUT = "account:sign_out"
    ACCOUNT = "account:own"
    HOME = "home"
    PATIENT_SEARCH = "patient:search"
    PATIENT_READ = "patient:read"
    PATIENT_WRITE = "patient:write"
    CONSULT_REQUEST = "consult:request"
    CONSULT_READ = "consult:read"
    CONSULT_TRIAGE = "consult:triage"
    CONSULT_CLAIM = "consult:claim"
    CONSULT_DECLINE = "consult:decline"
    CONSULT_ASK = "consult:ask"
    CONSULT_ANSWER_INFO = "consult:answer_info"
    CONSULT_RELEASE = "consult:release"
    CONSULT_PASS_ON = "consult:pass_on"  # noqa: S105 - the name of an action
    CONSULT_CANCEL = "consult:cancel"
    CONSULT_MESSAGE = "consult:message"
    WORKLIST = "worklist"
    FILE_WRITE = "file:write"
    FILE_READ = "file:read"
    SESSION_START = "session:start"
    SESSION_JOIN = "session:join"
    SESSION_INVITE = "session:invite"
    RECORDING_READ = "recording:read"
    MINUTES_READ = "minutes:read"
    MINUTES_WRITE = "minutes:write"
    MINUTES_SIGN = "minutes:sign"
    DECISION_SIGN = "decision:sign"
    SCHEDULE_READ = "schedule:read"
    HOURS_WRITE = "schedule:hours"
    BOOKING_WRITE = "booking:write"
    ROTATION_READ = "rotation:read"
    ROTATION_WRITE = "rotation:write"
    TRANSFER_READ = "transfer:read"
    TRANSFER_WRITE = "transfer:write"
    TRANSFER_SIGN = "transfer:sign"
    HISTORY_SEARCH = "history:search"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    FACILITY_WRITE = "facility:write"
    AUDIT_READ = "audit:read"
    SOCKET = "socket"
    LINK_CHECK = "link:check"
    QUALITY_READ = "quality:read"


@dataclass(frozen=True)
class Actor:
    """Who asks. Stations and specialties come from here, never from a body."""

    id: int
    uid: str
    name: str
    roles: frozenset[Role]
    facility_id: int | None = None
    posted_station_id: int | None = None
    specialty_ids: frozenset[int] = frozenset()
    title: str = ""
    place: str = ""
    initials: str = ""
    locale: str = "vi"
    login_session_id: int = 0
    login_seen_at: datetime | None = None

    @property
    def station_ids(self) -> frozenset[int]:
        """Stations whose patients this person looks after now."""
        own = self.facility_id if Role.COMMUNE_DOCTOR in self.roles else None
        posted = self.posted_station_id if Role.ROTATED_DOCTOR in self.roles else None
        return frozenset(station for station in (own, posted) if station is not None)

    def has(self, *roles: Role) -> bool:
        """True when the person holds one of the roles."""
        return not self.roles.isdisjoint(roles)


@dataclass(frozen=True)
class PatientFacts:
    """What the rules need to know of a patient."""

    station_id: int


@dataclass(frozen=True)
class ConsultFacts:
    """What the rules need to know of a consult."""

    station_id: int
    requester_id: int
    specialty_id: int | None
    assigned_id: int | None
    named_id: int | None = None
    is_waiting: bool = False
    is_draft: bool = False
    is_within_access: bool = True


@dataclass(frozen=True)
class SessionFacts:
    """What the rules need to know of a live session; `case`, or who leads it without one."""

    member_ids: frozenset[int]
    case: ConsultFacts | None = None
    host_ids: frozenset[int] = frozenset()
    # What the patient agrees to now: that it is recorded at all, that it is used in teaching.
    is_agreed: bool = True
    may_teach: bool = False


@dataclass(frozen=True)
class TransferFacts:
    """What the rules need to know of a technical-transfer log."""

    author_id: int
    station_id: int
    is_draft: bool = False
    trainer_ids: frozenset[int] = field(default_factory=frozenset)
    trainee_ids: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class PersonFacts:
    """What the rules need to know of an account or of something that belongs to a person."""

    person_id: int
    facility_id: int | None = None


Subject = PatientFacts | ConsultFacts | SessionFacts | TransferFacts | PersonFacts

_STATION = frozenset({Role.COMMUNE_DOCTOR, Role.ROTATED_DOCTOR})
_CARE = _STATION | {Role.SPECIALIST}
_EVERYBODY = frozenset(Role)
_TRAINING = _STATION | {Role.SPECIALIST, Role.TRAINER, Role.COORDINATOR}

GRANTS: Mapping[Action, frozenset[Role]] = {
    Action.SIGN_OUT: _EVERYBODY,
    Action.ACCOUNT: _EVERYBODY,
    Action.HOME: _EVERYBODY,
    Action.SOCKET: _EVERYBODY,
    Action.PATIENT_SEARCH: _STATION,
    Action.PATIENT_READ: _STATION,
    Action.PATIENT_WRITE: _STATION,
    Action.CONSULT_REQUEST: _STATION,
    Action.CONSULT_READ: _CARE,
    Action.CONSULT_TRIAGE: frozenset({Role.SPECIALIST, Role.COORDINATOR}),
    Action.CONSULT_CLAIM: frozenset({Role.SPECIALIST}),
    Action.CONSULT_DECLINE: frozenset({Role.SPECIALIST}),
    Action.CONSULT_ASK: frozenset({Role.SPECIALIST}),
    Action.CONSULT_ANSWER_INFO: _STATION,
    Action.CONSULT_RELEASE: frozenset({Role.SPECIALIST, Role.COORDINATOR}),
    Action.CONSULT_PASS_ON: frozenset({Role.SPECIALIST, Role.COORDINATOR}),
    Action.CONSULT_CANCEL: _STATION | {Role.COORDINATOR},
    Action.CONSULT_MESSAGE: _CARE,
    Action.WORKLIST: frozenset({Role.SPECIALIST, Role.COORDINATOR}),
    Action.FILE_WRITE: _CARE,
    Action.FILE_READ: _CARE,
    Action.SESSION_START: _CARE,
    Action.SESSION_JOIN: _TRAINING,
    Action.SESSION_INVITE: _CARE | {Role.TRAINER},
    Action.RECORDING_READ: _CARE | {Role.TRAINER},
    Action.MINUTES_READ: _CARE,
    Action.MINUTES_WRITE: frozenset({Role.SPECIALIST}),
    Action.MINUTES_SIGN: frozenset({Role.SPECIALIST}),
    Action.DECISION_SIGN: _STATION,
    Action.SCHEDULE_READ: _CARE | {Role.COORDINATOR},
    Action.HOURS_WRITE: frozenset({Role.SPECIALIST}),
    Action.BOOKING_WRITE: _CARE,
    Action.ROTATION_READ: _TRAINING,
    Action.ROTATION_WRITE: frozenset({Role.COORDINATOR}),
    Action.TRANSFER_READ: _TRAINING,
    Action.TRANSFER_WRITE: frozenset({Role.ROTATED_DOCTOR, Role.TRAINER}),
    Action.TRANSFER_SIGN: _TRAINING,
    Action.HISTORY_SEARCH: _CARE | {Role.TRAINER},
    Action.PEOPLE_READ: frozenset({Role.COORDINATOR, Role.ADMINISTRATOR}),
    Action.PEOPLE_WRITE: frozenset({Role.ADMINISTRATOR}),
    Action.FACILITY_WRITE: frozenset({Role.ADMINISTRATOR}),
    Action.AUDIT_READ: frozenset({Role.ADMINISTRATOR}),
    Action.LINK_CHECK: _EVERYBODY,
    Action.QUALITY_READ: frozenset({Role.TRAINER, Role.COORDINATOR}),
}


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
}


def may(actor: Actor | None, action: Action, subject: Subject | None = None) -> bool:
    """Whether the actor may do this, in general or to this object. Unknown pairs are refused."""
    if action is Action.PUBLIC:
        return True
    if actor is None or actor.roles.isdisjoint(GRANTS[action]):
        return False
    return subject is None or _may_with(actor, action, subject)


def _may_with(actor: Actor, action: Action, subject: Subject) -> bool:
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


def require(actor: Actor | None, action: Action, subject: Subject | None = None) -> None:
    """Raise Denied for a function the role lacks, Missing for an object not to be known of."""
    if not may(actor, action):
        raise Denied(refused_action=action)
    if subject is not None and not may(actor, action, subject):
        raise Missing(refused_action=action)
