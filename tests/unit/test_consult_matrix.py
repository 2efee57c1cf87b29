"""Who may do what to a consult in which state: the whole product, through the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults import handling, service
from telemed.consults.lifecycle import (
    TRANSITIONS,
    UNCLAIMED,
    UNDER_WAY,
    ConsultEvent,
    ConsultState,
)
from telemed.consults.models import Consult
from telemed.core.db import UnitOfWork
from telemed.core.errors import Denied, Invalid, Missing, TelemedError
from tests.factories import Case, Factory

S, E = ConsultState, ConsultEvent
Step = Callable[[UnitOfWork, Actor, Consult], Awaitable[Any]]
REASON = "Vì một lẽ đủ rõ"

STEPS: dict[ConsultEvent, Step] = {
    E.SUBMIT: lambda work, who, consult: handling.resubmit(work, who, consult.uid, "surgery"),
    E.ASK_INFO: lambda work, who, consult: handling.ask_info(work, who, consult.uid, REASON),
    E.ANSWER_INFO: lambda work, who, consult: handling.answer_info(work, who, consult.uid, REASON),
    E.CLAIM: lambda work, who, consult: handling.claim(work, who, consult.uid),
    E.DECLINE: lambda work, who, consult: handling.decline(work, who, consult.uid, REASON),
    E.PASS_ON: lambda work, who, consult: handling.pass_on(
        work, who, consult.uid, "surgery", REASON
    ),
    E.RELEASE: lambda work, who, consult: handling.release(work, who, consult.uid, REASON),
    E.SCHEDULE: service.schedule,
    E.UNSCHEDULE: service.unschedule,
    E.START_SESSION: service.start_session,
    E.ANSWER: service.mark_answered,
    E.CLOSE: service.close,
    E.CANCEL: lambda work, who, consult: handling.cancel(work, who, consult.uid, REASON),
}
STATION = frozenset({"requester", "colleague"})
ASKED = frozenset({"assigned", "queue", "named"})
DOCTORS = STATION | ASKED | {"other station", "other specialty"}
SPECIALISTS = ASKED | {"other specialty"}
STATION_PEOPLE = STATION | {"other station"}
HAS_SPECIALIST = UNDER_WAY | {S.ANSWERED, S.CLOSED}

# Whose role has the function at all; everybody else is refused before anything is looked up.
FUNCTION: dict[ConsultEvent, frozenset[str]] = {
    **dict.fromkeys((E.SUBMIT, E.ANSWER_INFO, E.CLOSE), STATION_PEOPLE),
    **dict.fromkeys((E.CLAIM, E.DECLINE, E.ASK_INFO, E.ANSWER), SPECIALISTS),
    **dict.fromkeys((E.PASS_ON, E.RELEASE), SPECIALISTS | {"coordinator"}),
    **dict.fromkeys((E.SCHEDULE, E.UNSCHEDULE, E.START_SESSION), DOCTORS),
    E.CANCEL: STATION_PEOPLE | {"coordinator"},
}


def _asked(state: ConsultState) -> frozenset[str]:
    waiting = ASKED if state in UNCLAIMED else frozenset()
    holding = {"assigned"} if state in HAS_SPECIALIST else frozenset()
    return waiting | holding


def _sent(state: ConsultState, *who: str) -> frozenset[str]:
    return frozenset(who) if state is not S.DRAFT else frozenset()


def _holding(state: ConsultState) -> frozenset[str]:
    return _asked(state) & {"assigned"} if state in HAS_SPECIALIST else frozenset()


def _people(event: ConsultEvent, state: ConsultState) -> frozenset[str]:
    """To whose case it is, of those who have the function."""
    both_sides = _sent(state, *STATION) | _holding(state)
    return {
        E.SUBMIT: STATION,
        E.ANSWER_INFO: STATION,
        E.CLOSE: STATION,
        E.CLAIM: _sent(state, *ASKED),
        E.DECLINE: _asked(state),
        E.ASK_INFO: _asked(state),
        E.PASS_ON: _asked(state) | _sent(state, "coordinator"),
        E.RELEASE: _holding(state) | _sent(state, "coordinator"),
        E.SCHEDULE: both_sides,
        E.UNSCHEDULE: both_sides,
        E.START_SESSION: both_sides,
        E.ANSWER: _holding(state),
        E.CANCEL: STATION | _sent(state, "coordinator"),
    }[event]


def _expected(state: ConsultState, event: ConsultEvent, who: str) -> str:
    if who not in FUNCTION[event]:
        return "not_allowed"
    if who not in _people(event, state):
        return "not_found"
    if event is E.CLAIM and who == "assigned" and state in UNDER_WAY | {S.ANSWERED}:
        return state
    if event is E.CLAIM and state in HAS_SPECIALIST:
        return "claimed_by_other"
    return TRANSITIONS.get((state, event), "illegal_transition")


@dataclass(frozen=True)
class Cast:
    """Everybody who may come near a case."""

    people: dict[str, Actor]

    @classmethod
    async def gather(cls, make: Factory) -> Cast:
        internal = await make.specialty()
        surgery = await make.specialty("surgery")
        station = await make.facility()
        return cls(
            {
                "requester": await make.actor(Role.COMMUNE_DOCTOR, at=station),
                "colleague": await make.actor(Role.ROTATED_DOCTOR, posted_to=station),
                "other station": await make.actor(Role.COMMUNE_DOCTOR),
                "assigned": await make.actor(Role.SPECIALIST, specialty=internal),
                "queue": await make.actor(Role.SPECIALIST, specialty=internal),
                "named": await make.actor(Role.SPECIALIST, specialty=await make.specialty("eye")),
                "other specialty": await make.actor(Role.SPECIALIST, specialty=surgery),
                "trainer": await make.actor(Role.TRAINER),
                "coordinator": await make.actor(Role.COORDINATOR),
                "administrator": await make.actor(Role.ADMINISTRATOR),
            }
        )

    async def case(self, make: Factory, state: ConsultState, **changes: Any) -> Case:
        return await make.case(
            state,
            doctor=self.people["requester"],
            specialist=self.people["assigned"],
            named_id=self.people["named"].id,
            **changes,
        )


async def _outcome(work: UnitOfWork, step: Step, who: Actor, consult: Consult) -> str:
    try:
        await step(work, who, consult)
    except TelemedError as refusal:
        return refusal.code
    return consult.state


@pytest.mark.parametrize("state", ConsultState)
async def test_every_event_by_every_role_does_what_the_rules_say(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    cast = await Cast.gather(make)
    found, expected = {}, {}
    for (event, step), (who, actor) in product(STEPS.items(), cast.people.items()):
        case = await cast.case(make, state)
        found[event, who] = await _outcome(work, step, actor, case.consult)
        expected[event, who] = _expected(state, event, who)
    assert found == expected


@pytest.mark.parametrize("state", ConsultState)
async def test_a_refused_step_changes_nothing_of_the_row(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    cast = await Cast.gather(make)
    case = await cast.case(make, state)
    before = case.consult.model_dump()
    for step, who in product(STEPS.values(), ("trainer", "administrator", "other station")):
        with pytest.raises((Denied, Missing)):
            await step(work, cast.people[who], case.consult)
    now = await work.session.get_one(Consult, case.consult.id, populate_existing=True)
    assert now.model_dump() == before


@pytest.mark.parametrize("role", ["trainer", "coordinator", "administrator", "other station"])
async def test_an_unknown_case_and_a_forbidden_one_are_refused_alike(
    work: UnitOfWork, make: Factory, role: str
) -> None:
    cast = await Cast.gather(make)
    case = await cast.case(make, S.ACCEPTED)
    actor = cast.people[role]
    refusals = []
    for uid in (case.consult.uid, "A" * 22):
        with pytest.raises((Denied, Missing)) as refusal:
            await service.get_case(work, actor, uid)
        refusals.append((refusal.value.code, refusal.value.message, refusal.value.params))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("give_up", [E.RELEASE, E.PASS_ON, E.DECLINE])
async def test_who_gives_a_case_up_can_no_longer_open_it(
    work: UnitOfWork, make: Factory, give_up: ConsultEvent
) -> None:
    await make.specialty("surgery")
    case = await make.case(S.ACCEPTED, named_id=None)
    await service.get_case(work, case.specialist, case.consult.uid)
    await STEPS[give_up](work, case.specialist, case.consult)
    assert (case.consult.assigned_id, case.consult.accepted_at) == (None, None)
    with pytest.raises(Missing):
        await service.get_case(work, case.specialist, case.consult.uid)


@pytest.mark.parametrize("event", [E.DECLINE, E.ASK_INFO, E.PASS_ON, E.RELEASE, E.CANCEL])
@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501])
async def test_a_step_that_others_must_understand_needs_its_reason(
    work: UnitOfWork,
    make: Factory,
    monkeypatch: pytest.MonkeyPatch,
    event: ConsultEvent,
    reason: str,
) -> None:
    await make.specialty("surgery")
    state = {E.RELEASE: S.ACCEPTED}.get(event, S.REQUESTED)
    case = await make.case(state)
    who = {E.CANCEL: case.doctor}.get(event, case.specialist)
    monkeypatch.setattr(f"{__name__}.REASON", reason)
    with pytest.raises(Invalid) as refusal:
        await STEPS[event](work, who, case.consult)
    assert [error.field for error in refusal.value.fields] == ["reason"]
    assert case.consult.state is state


@pytest.mark.parametrize("state", ConsultState)
async def test_the_mutator_follows_the_table_for_what_happens_by_itself(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    async def happen(event: ConsultEvent) -> str:
        case = await make.case(state)

        async def step(work: UnitOfWork, _: Actor, consult: Consult) -> object:
            return await service.transition(work, None, consult, event)

        return await _outcome(work, step, case.doctor, case.consult)

    events = set(ConsultEvent) - {E.CLAIM}
    assert {event: await happen(event) for event in events} == {
        event: TRANSITIONS.get((state, event), "illegal_transition") for event in events
    }
