"""A patient takes back what they agreed to: what follows, in every state of a case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Role, may
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult
from telemed.consults.service import facts_of
from telemed.core.db import UnitOfWork
from telemed.core.errors import Conflict, Missing
from telemed.core.events import list_events, stream_of
from telemed.patients.models import Consent, ConsentGiver, ConsentPurpose
from telemed.scheduling.models import Booking, BookingState
from telemed.sessions import service as sessions
from telemed.sessions import withdrawal
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.models import LiveSession
from tests.factories import Case, Factory

S, P = ConsultState, ConsentPurpose
# Written down a second time on purpose: what an agreement still carries, and what it no longer can.
ENDS = {
    *(S.REQUESTED, S.NEEDS_INFO, S.DECLINED, S.ACCEPTED, S.SCHEDULED, S.PAUSED),
}
STAYS = {S.ANSWERED, S.CLOSED, S.CANCELLED, S.EXPIRED}


async def in_force(work: UnitOfWork) -> Sequence[Consent]:
    query = select(Consent).where(col(Consent.is_granted), col(Consent.withdrawn_at).is_(None))
    return (await work.session.exec(query)).all()


@pytest.mark.parametrize("state", sorted(ENDS | STAYS))
async def test_an_open_case_ends_and_leaves_its_specialist_a_concluded_one_stays(
    work: UnitOfWork, make: Factory, state: ConsultState
) -> None:
    case = await make.case(state)
    await make.consent(case)
    seen = await withdrawal.foresee(work, case.doctor, case.patient.uid, P.CONSULT)
    assert ([each.uid for each in seen.ends], seen.stays) == (
        ([case.consult.uid], 0) if state in ENDS else ([], 1)
    )
    reads = may(case.specialist, Action.CONSULT_READ, facts_of(case.consult, work))
    await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.CONSULT)
    assert await in_force(work) == []
    after = await work.session.get_one(Consult, case.consult.id, populate_existing=True)
    still = may(case.specialist, Action.CONSULT_READ, facts_of(after, work))
    if state in ENDS:
        assert (after.state, still) == (S.CANCELLED, False)
        events = await list_events(work, stream_of("consult", case.consult.uid))
        assert events[-1].kind == "consent_withdrawn"
    else:
        assert (after.state, still) == (state, reads)


@pytest.mark.usefixtures("both_inside")
async def test_a_call_ends_with_the_case(
    work: UnitOfWork, make: Factory, case: Case, live: LiveSession
) -> None:
    await make.consent(case)
    await sessions.settle(work, live.uid)
    assert case.consult.state is S.IN_SESSION
    await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.CONSULT)
    ended = await work.session.get_one(LiveSession, live.id, populate_existing=True)
    assert ended.state is SessionState.ENDED
    after = await work.session.get_one(Consult, case.consult.id, populate_existing=True)
    assert after.state is S.CANCELLED


async def test_the_appointment_is_free_again(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.SCHEDULED)
    await make.consent(case)
    fields: dict[str, Any] = {
        "consult_id": case.consult.id,
        "specialist_id": case.specialist.id,
        "patient_id": case.patient.id,
        "station_id": case.station.id,
        "start_at": work.now() + timedelta(hours=1),
        "end_at": work.now() + timedelta(hours=2),
        "booked_by_id": case.doctor.id,
        "created_at": work.now(),
    }
    booking = Booking(**fields)
    work.session.add(booking)
    await work.session.flush()
    await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.CONSULT)
    assert booking.state is BookingState.CANCELLED


async def test_the_law_s_own_basis_in_an_emergency_is_nobody_s_to_take_back(
    work: UnitOfWork, make: Factory
) -> None:
    case = await make.case(S.ACCEPTED)
    await make.consent(case, given_by=ConsentGiver.EMERGENCY)
    with pytest.raises(Conflict):
        await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.CONSULT)
    assert case.consult.state is S.ACCEPTED
    assert len(await in_force(work)) == 1


async def test_teaching_ends_nothing_but_itself(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.ACCEPTED)
    for purpose in P:
        await make.consent(case, purpose)
    seen = await withdrawal.foresee(work, case.doctor, case.patient.uid, P.TEACHING)
    assert (list(seen.ends), seen.stays) == ([], 0)
    await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.TEACHING)
    assert {each.purpose for each in await in_force(work)} == {P.CONSULT, P.RECORDING}
    assert case.consult.state is S.ACCEPTED


async def test_cases_of_other_patients_go_on(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.ACCEPTED)
    other = await make.case(S.ACCEPTED, doctor=case.doctor)
    for each in (case, other):
        await make.consent(each)
    await withdrawal.withdraw(work, case.doctor, case.patient.uid, P.CONSULT)
    assert other.consult.state is S.ACCEPTED


async def test_other_stations_neither_foresee_nor_withdraw(work: UnitOfWork, make: Factory) -> None:
    case = await make.case(S.ACCEPTED)
    await make.consent(case)
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    for act in (withdrawal.foresee, withdrawal.withdraw):
        with pytest.raises(Missing):
            await act(work, stranger, case.patient.uid, P.CONSULT)
    assert len(await in_force(work)) == 1
