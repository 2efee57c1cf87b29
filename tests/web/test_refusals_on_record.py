"""What somebody tried to reach and may not is on record; what does not exist leaves none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.columns import new_uid
from telemed.core.db import Database
from tests.conftest import Client
from tests.factories import Case, Factory

SignedIn = Callable[[Actor], Awaitable[Client]]

ADDRESSES = {
    "/consults/{consult}": Action.CONSULT_READ,
    "/consults/{consult}/events": Action.CONSULT_READ,
    "/consults/{consult}/minutes": Action.MINUTES_READ,
    "/patients/{patient}": Action.PATIENT_READ,
}


async def refused_actions(database: Database, actor: Actor) -> list[str]:
    async with database.read() as work:
        kept = select(AuditRecord.subject).where(
            col(AuditRecord.tag) == AuditTag.ACCESS_REFUSED,
            col(AuditRecord.person_id) == actor.id,
        )
        return list(await work.session.exec(kept))


@pytest.fixture
async def case(make: Factory) -> Case:
    return await make.case()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_what_is_not_for_somebody_is_refused_on_record(
    signed_in: SignedIn, make: Factory, database: Database, case: Case, address: str
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    client = await signed_in(stranger)
    url = address.format(consult=case.consult.uid, patient=case.patient.uid)
    assert (await client.get(url)).status == 404
    assert await refused_actions(database, stranger) == [ADDRESSES[address]]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_what_does_not_exist_leaves_no_record(
    signed_in: SignedIn, make: Factory, database: Database, address: str
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    client = await signed_in(stranger)
    assert (await client.get(address.format(consult=new_uid(), patient=new_uid()))).status == 404
    assert await refused_actions(database, stranger) == []


async def test_an_act_that_is_refused_is_undone_and_on_record(
    signed_in: SignedIn, make: Factory, database: Database, case: Case
) -> None:
    stranger = await make.actor(Role.COMMUNE_DOCTOR)
    client = await signed_in(stranger)
    url = f"/consults/{case.consult.uid}/cancel"
    answer = await client.post(url, data={"reason": "x", "idempotency_key": "k"})
    assert answer.status == 404
    assert await refused_actions(database, stranger) == [Action.CONSULT_CANCEL]
