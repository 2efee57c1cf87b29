"""Who may do what: the whole product of roles and actions, and the rules object by object.

Letters of actors: a, x commune doctors of station 1 and 2; r rotated doctor posted to station 1,
u one posted nowhere; s specialist (assigned), q another of the same specialty, o one of another;
t trainer, c coordinator, d administrator.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.accounts.permissions import (
    GRANTS,
    Action,
    Actor,
    ConsultFacts,
    PatientFacts,
    PersonFacts,
    Role,
    SessionFacts,
    Subject,
    TransferFacts,
    may,
    require,
)
from telemed.core.errors import Denied, Missing
from tests.grants import FUNCTIONS, ROLES

CLINICAL = {
    action
    for action in Action
    if action.value.split(":")[0]
    in {"patient", "consult", "file", "minutes", "decision", "history", "session", "worklist"}
}

STATION, ELSEWHERE, HOSPITAL = 1, 2, 3
CHEST, SKIN = 10, 11


def person(number: int, role: Role, **facts: object) -> Actor:
    """Somebody of one role."""
    known = {"facility_id": HOSPITAL} | facts
    return Actor(
        id=number,
        uid=f"p{number}",
        name=f"P {number}",
        roles=frozenset({role}),
        **known,  # type: ignore[arg-type] # as named
    )


ACTORS = {
    "a": person(1, Role.COMMUNE_DOCTOR, facility_id=STATION),
    "x": person(2, Role.COMMUNE_DOCTOR, facility_id=ELSEWHERE),
    "r": person(3, Role.ROTATED_DOCTOR, posted_station_id=STATION),
    "u": person(4, Role.ROTATED_DOCTOR),
    "s": person(5, Role.SPECIALIST, specialty_ids=frozenset({CHEST})),
    "q": person(6, Role.SPECIALIST, specialty_ids=frozenset({CHEST})),
    "o": person(7, Role.SPECIALIST, specialty_ids=frozenset({SKIN})),
    "t": person(8, Role.TRAINER, specialty_ids=frozenset({CHEST})),
    "c": person(9, Role.COORDINATOR),
    "d": person(10, Role.ADMINISTRATOR),
}
ID = {letter: actor.id for letter, actor in ACTORS.items()}

DRAFT = ConsultFacts(STATION, ID["a"], CHEST, None, is_draft=True)
WAITING = replace(DRAFT, is_draft=False, is_waiting=True)
TAKEN = replace(WAITING, is_waiting=False, assigned_id=ID["s"])
PAST = replace(TAKEN, is_within_access=False)
STATES = (DRAFT, WAITING, TAKEN, PAST)
# Action: who may, while it is a draft | waits | is taken | is past the days of access.
CASES = {
    Action.CONSULT_REQUEST: "ar|ar|ar|ar",
    Action.CONSULT_READ: "ar|ar|ars|ar",
    Action.CONSULT_TRIAGE: "|sqc|c|c",
    Action.CONSULT_CLAIM: "|sq|sq|sq",
    Action.CONSULT_DECLINE: "|sq|s|s",
    Action.CONSULT_ASK: "|sq|s|s",
    Action.CONSULT_ANSWER_INFO: "ar|ar|ar|ar",
    Action.CONSULT_RELEASE: "|c|sc|sc",
    Action.CONSULT_PASS_ON: "|sqc|sc|sc",
    Action.CONSULT_CANCEL: "ar|arc|arc|arc",
    Action.CONSULT_MESSAGE: "|ar|ars|ar",
    Action.FILE_WRITE: "ar|ar|ars|ar",
    Action.FILE_READ: "ar|ar|ars|ar",
    Action.SESSION_START: "|ar|ars|ar",
    Action.MINUTES_READ: "|ar|ars|ar",
    **dict.fromkeys((Action.MINUTES_WRITE, Action.MINUTES_SIGN), "||s|"),
    Action.DECISION_SIGN: "ar|ar|ar|ar",
    **dict.fromkeys((Action.REFERRAL_SIGN, Action.OUTCOME_WRITE), "|ar|ar|ar"),
    Action.BOOKING_WRITE: "|ar|ars|ar",
    Action.SCHEDULE_READ: "|ar|ars|ar",
}
PATIENTS = {
    Action.PATIENT_READ: "ar",
    Action.PATIENT_WRITE: "ar",
    Action.RIGHTS_WRITE: "ar",
    Action.CONSULT_REQUEST: "ar",
}
LOG = TransferFacts(
    author_id=ID["r"],
    station_id=STATION,
    trainer_ids=frozenset({ID["r"], ID["s"]}),
    trainee_ids=frozenset({ID["x"]}),
)
# Action: who may, while it is a draft | once it is signed. `s` teaches, `x` learns.
TRANSFERS = {
    Action.TRANSFER_READ: "rs|axrstc",
    Action.TRANSFER_WRITE: "r|r",
    Action.TRANSFER_SIGN: "rsx|rsx",
    Action.SESSION_START: "rs|rs",
}


def allowed(action: Action, subject: Subject) -> str:
    """The letters of those who may."""
    return "".join(letter for letter, actor in ACTORS.items() if may(actor, action, subject))


def sorted_letters(letters: str) -> str:
    """In the order of ACTORS."""
    return "".join(letter for letter in ACTORS if letter in letters)


@pytest.mark.parametrize(("action", "letter"), list(product(FUNCTIONS, ROLES)))
def test_function_of_every_role(action: Action, letter: str) -> None:
    actor = person(1, ROLES[letter])

    assert may(actor, action) is (letter in FUNCTIONS[action])


def test_every_action_but_the_public_one_is_granted_by_name() -> None:
    assert set(GRANTS) == set(FUNCTIONS) == set(Action) - {Action.PUBLIC}


@pytest.mark.parametrize("action", list(Action))
def test_nobody_may_only_what_is_public(action: Action) -> None:
    assert may(None, action) is (action is Action.PUBLIC)
    assert may(None, action, TAKEN) is (action is Action.PUBLIC)


@pytest.mark.parametrize("action", list(GRANTS))
def test_somebody_without_a_role_may_nothing(action: Action) -> None:
    nobody = replace(ACTORS["a"], roles=frozenset())

    assert not may(nobody, action)


@pytest.mark.parametrize("action", sorted(CLINICAL))
def test_an_administrator_sees_nothing_clinical(action: Action) -> None:
    assert not may(ACTORS["d"], action)
    assert not any(may(ACTORS["d"], action, state) for state in STATES)


@pytest.mark.parametrize("action", list(CASES))
def test_case_rules_of_every_actor_in_every_state(action: Action) -> None:
    expected = [sorted_letters(letters) for letters in CASES[action].split("|")]

    assert [allowed(action, state) for state in STATES] == expected


@pytest.mark.parametrize("action", sorted(set(GRANTS) - set(CASES)))
def test_actions_without_a_case_rule_are_refused_for_every_case(action: Action) -> None:
    assert [allowed(action, state) for state in STATES] == [""] * 4


@pytest.mark.parametrize("action", list(GRANTS))
def test_another_station_never_gains_by_the_state_of_a_case(action: Action) -> None:
    assert not any(may(ACTORS["x"], action, state) for state in STATES)


@pytest.mark.parametrize("action", [Action.CONSULT_TRIAGE, Action.CONSULT_CLAIM])
def test_a_case_waits_for_its_named_specialist_too(action: Action) -> None:
    named = replace(WAITING, named_id=ID["o"])

    assert may(ACTORS["o"], action, named)
    assert not may(ACTORS["t"], action, replace(WAITING, named_id=ID["t"]))


def test_whoever_gave_a_case_back_does_not_read_it_any_more() -> None:
    given_back = replace(TAKEN, assigned_id=ID["q"])

    assert not may(ACTORS["s"], Action.CONSULT_READ, given_back)
    assert may(ACTORS["q"], Action.CONSULT_READ, given_back)


def test_an_assignment_counts_only_while_one_is_a_specialist() -> None:
    former = replace(ACTORS["s"], roles=frozenset({Role.TRAINER, Role.COMMUNE_DOCTOR}))

    assert not any(may(former, action, TAKEN) for action in CASES)


def test_a_posting_gives_a_station_only_to_a_rotated_doctor() -> None:
    coordinator = replace(ACTORS["c"], posted_station_id=STATION)
    both = replace(ACTORS["x"], posted_station_id=STATION)

    assert coordinator.station_ids == both.station_ids - {ELSEWHERE} == frozenset()
    assert ACTORS["r"].station_ids == {STATION}
    assert ACTORS["u"].station_ids == frozenset()


@pytest.mark.parametrize("action", list(PATIENTS))
def test_patient_rules(action: Action) -> None:
    patient = PatientFacts(STATION)

    assert allowed(action, patient) == sorted_letters(PATIENTS[action])


@pytest.mark.parametrize("action", sorted(set(GRANTS) - set(PATIENTS)))
def test_actions_without_a_patient_rule_are_refused_for_every_patient(action: Action) -> None:
    assert allowed(action, PatientFacts(STATION)) == ""


@pytest.mark.parametrize("action", list(TRANSFERS))
def test_transfer_rules(action: Action) -> None:
    expected = [sorted_letters(letters) for letters in TRANSFERS[action].split("|")]
    found = [allowed(action, log) for log in (replace(LOG, is_draft=True), LOG)]

    assert found == expected


@pytest.mark.parametrize("action", sorted(set(GRANTS) - set(TRANSFERS)))
def test_actions_without_a_transfer_rule_are_refused_for_every_log(action: Action) -> None:
    assert allowed(action, LOG) == ""


def test_a_session_is_joined_by_its_case_and_by_those_invited() -> None:
    guests = frozenset({ID["o"], ID["t"], ID["d"]})

    assert allowed(Action.SESSION_JOIN, SessionFacts(guests, TAKEN)) == "arsot"
    assert allowed(Action.SESSION_JOIN, SessionFacts(frozenset(), PAST)) == "ar"
    assert allowed(Action.SESSION_JOIN, SessionFacts(guests)) == "ot"
    assert allowed(Action.SESSION_JOIN, SessionFacts(frozenset(), DRAFT)) == ""
    assert allowed(Action.SESSION_INVITE, SessionFacts(guests, TAKEN)) == "ars"
    assert allowed(Action.SESSION_INVITE, SessionFacts(guests)) == ""


def test_who_watches_a_recording() -> None:
    guests = frozenset({ID["o"], ID["t"]})
    watch = Action.RECORDING_READ
    assert allowed(watch, SessionFacts(guests, TAKEN)) == "ars"
    assert allowed(watch, SessionFacts(guests, TAKEN, may_teach=True)) == "arst"
    assert allowed(watch, SessionFacts(frozenset(), TAKEN, may_teach=True)) == "ars"
    assert allowed(watch, SessionFacts(guests, PAST)) == "ar"
    assert allowed(watch, SessionFacts(guests, TAKEN, is_agreed=False, may_teach=True)) == ""
    assert allowed(watch, SessionFacts(guests)) == "ot"


@pytest.mark.parametrize(
    "action",
    sorted(set(GRANTS) - {Action.SESSION_JOIN, Action.SESSION_INVITE, Action.RECORDING_READ}),
)
def test_other_actions_are_refused_for_every_session(action: Action) -> None:
    everybody = frozenset(ID.values())

    assert allowed(action, SessionFacts(everybody, TAKEN)) == ""


def test_an_account_is_its_owners_and_hours_are_their_specialists() -> None:
    assert allowed(Action.ACCOUNT, PersonFacts(ID["t"])) == "t"
    assert allowed(Action.HOURS_WRITE, PersonFacts(ID["s"])) == "s"
    both = replace(ACTORS["c"], roles=frozenset({Role.COORDINATOR, Role.SPECIALIST}))
    assert may(both, Action.HOURS_WRITE, PersonFacts(ID["s"]))
    assert allowed(Action.PEOPLE_WRITE, PersonFacts(ID["t"])) == ""


def test_a_missing_function_is_denied_and_an_object_out_of_reach_is_missing() -> None:
    require(ACTORS["a"], Action.CONSULT_READ, TAKEN)
    with pytest.raises(Denied):
        require(ACTORS["d"], Action.CONSULT_READ, TAKEN)
    with pytest.raises(Missing):
        require(ACTORS["x"], Action.CONSULT_READ, TAKEN)
    with pytest.raises(Denied):
        require(None, Action.HOME)


keys = st.integers(1, 4)
some = st.none() | keys
actors = st.builds(
    Actor,
    id=keys,
    uid=st.just("u"),
    name=st.just("n"),
    roles=st.frozensets(st.sampled_from(Role)),
    facility_id=some,
    posted_station_id=some,
    specialty_ids=st.frozensets(keys, max_size=2),
)
cases = st.builds(
    ConsultFacts,
    station_id=keys,
    requester_id=keys,
    specialty_id=some,
    assigned_id=some,
    named_id=some,
    is_waiting=st.booleans(),
    is_draft=st.booleans(),
    is_within_access=st.booleans(),
)
actions = st.sampled_from(sorted(GRANTS))


@given(actors, actions, cases)
def test_an_object_never_gives_what_the_function_does_not(
    actor: Actor, action: Action, case: ConsultFacts
) -> None:
    assert may(actor, action) >= may(actor, action, case)


@given(actors, actions, cases)
def test_a_draft_is_nobodys_but_its_stations(
    actor: Actor, action: Action, case: ConsultFacts
) -> None:
    draft = replace(case, is_draft=True, is_waiting=False, assigned_id=None)

    assert may(actor, action, draft) <= (case.station_id in actor.station_ids)


@given(actors, st.sampled_from(Role), actions, cases)
def test_a_further_role_takes_nothing_away(
    actor: Actor, role: Role, action: Action, case: ConsultFacts
) -> None:
    more = replace(actor, roles=actor.roles | {role})

    assert may(actor, action) <= may(more, action)
    assert may(actor, action, case) <= may(more, action, case)


@given(actors, cases)
def test_content_is_read_at_the_station_or_by_the_assigned_specialist_in_time(
    actor: Actor, case: ConsultFacts
) -> None:
    at_station = case.station_id in actor.station_ids
    is_assigned = case.assigned_id == actor.id and Role.SPECIALIST in actor.roles

    reads = may(actor, Action.CONSULT_READ, case)
    assert reads <= (at_station or (is_assigned and case.is_within_access))
    assert reads == may(actor, Action.FILE_READ, case)
