"""What may be asked for at all, and which roles may ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


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
    RIGHTS_WRITE = "rights:write"
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
    REFERRAL_SIGN = "referral:sign"
    OUTCOME_WRITE = "outcome:write"
    OUTCOME_LIST = "outcome:list"
    SCHEDULE_READ = "schedule:read"
    HOURS_WRITE = "schedule:hours"
    BOOKING_WRITE = "booking:write"
    DUTY_WRITE = "duty:write"
    ROTATION_READ = "rotation:read"
    ROTATION_WRITE = "rotation:write"
    ROTATION_REPORT = "rotation:report"
    CASELOG_READ = "caselog:read"
    CASELOG_WRITE = "caselog:write"
    CASELOG_CONFIRM = "caselog:confirm"
    ENTRUSTMENT_READ = "entrustment:read"
    ENTRUSTMENT_WRITE = "entrustment:write"
    ACCEPTANCE_WRITE = "acceptance:write"
    ACCEPTANCE_APPROVE = "acceptance:approve"
    RECHECK_WRITE = "recheck:write"
    TRANSFER_READ = "transfer:read"
    TRANSFER_WRITE = "transfer:write"
    TRANSFER_SIGN = "transfer:sign"
    PACKAGE_READ = "package:read"
    PACKAGE_WRITE = "package:write"
    HISTORY_SEARCH = "history:search"
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    FACILITY_WRITE = "facility:write"
    CONTRACT_WRITE = "contract:write"
    AUDIT_READ = "audit:read"
    SOCKET = "socket"
    LINK_CHECK = "link:check"
    QUALITY_READ = "quality:read"
    DELIVERY_READ = "delivery:read"


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
    Action.RIGHTS_WRITE: _STATION,
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
    Action.REFERRAL_SIGN: _STATION,
    Action.OUTCOME_WRITE: _STATION,
    Action.OUTCOME_LIST: _CARE | {Role.COORDINATOR, Role.TRAINER},
    Action.SCHEDULE_READ: _CARE | {Role.COORDINATOR},
    Action.HOURS_WRITE: frozenset({Role.SPECIALIST}),
    Action.BOOKING_WRITE: _CARE,
    Action.DUTY_WRITE: frozenset({Role.COORDINATOR}),
    Action.ROTATION_READ: _TRAINING,
    Action.ROTATION_WRITE: frozenset({Role.COORDINATOR}),
    Action.ROTATION_REPORT: _TRAINING,
    Action.CASELOG_READ: _TRAINING,
    Action.CASELOG_WRITE: frozenset({Role.COMMUNE_DOCTOR}),
    Action.CASELOG_CONFIRM: frozenset({Role.ROTATED_DOCTOR, Role.TRAINER}),
    Action.ENTRUSTMENT_READ: _TRAINING,
    Action.ENTRUSTMENT_WRITE: frozenset({Role.ROTATED_DOCTOR, Role.TRAINER}),
    Action.ACCEPTANCE_WRITE: frozenset({Role.SPECIALIST, Role.TRAINER}),
    Action.ACCEPTANCE_APPROVE: frozenset({Role.TRAINER, Role.COORDINATOR}),
    Action.RECHECK_WRITE: _STATION,
    Action.TRANSFER_READ: _TRAINING,
    Action.TRANSFER_WRITE: frozenset({Role.ROTATED_DOCTOR, Role.TRAINER}),
    Action.TRANSFER_SIGN: _TRAINING,
    Action.PACKAGE_READ: _TRAINING,
    Action.PACKAGE_WRITE: frozenset({Role.TRAINER, Role.COORDINATOR}),
    Action.HISTORY_SEARCH: _CARE | {Role.TRAINER},
    Action.PEOPLE_READ: frozenset({Role.COORDINATOR, Role.ADMINISTRATOR}),
    Action.PEOPLE_WRITE: frozenset({Role.ADMINISTRATOR}),
    Action.FACILITY_WRITE: frozenset({Role.ADMINISTRATOR}),
    Action.CONTRACT_WRITE: frozenset({Role.COORDINATOR, Role.ADMINISTRATOR}),
    Action.AUDIT_READ: frozenset({Role.ADMINISTRATOR}),
    Action.LINK_CHECK: _EVERYBODY,
    Action.QUALITY_READ: frozenset({Role.TRAINER, Role.COORDINATOR}),
    Action.DELIVERY_READ: frozenset({Role.ADMINISTRATOR}),
}
