"""A request is made under a contract, or as an emergency, and says which."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from telemed.accounts.permissions import Actor, Role
from telemed.consults import cover, handling
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, Urgency
from telemed.core.clock import LOCAL_ZONE, FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Denied, Invalid, Missing, TelemedError
from telemed.facilities.contracts import service
from telemed.facilities.contracts.models import SupportContract
from telemed.facilities.contracts.service import ContractInput
from telemed.facilities.models import Facility, FacilityKind
from tests.factories import Case, Factory

TODAY = date(2026, 11, 23)
YEAR = timedelta(days=365)


@dataclass
class Office:
    """A coordinator, and a case that a station is about to send."""

    coordinator: Actor
    case: Case

    @property
    def consult(self) -> Consult:
        return self.case.consult


@pytest.fixture
async def office(make: Factory) -> Office:
    await make.hospital()
    await make.specialty("pediatrics")
    case = await make.case(ConsultState.DRAFT)
    return Office(await make.actor(Role.COORDINATOR), case)


def given(office: Office, **changes: object) -> ContractInput:
    fields = {
        "number": "12/HĐ-BVĐK",
        "signed_on": TODAY - YEAR,
        "starts_on": TODAY - YEAR,
        "ends_on": TODAY + YEAR,
        "stations": frozenset({office.case.station.code}),
        "specialties": frozenset(),
    }
    return ContractInput(**(fields | changes))  # type: ignore[arg-type] # a test says what it is about


async def record(work: UnitOfWork, office: Office, **changes: object) -> SupportContract:
    return await service.record(work, office.coordinator, given(office, **changes))


async def sent(work: UnitOfWork, office: Office, urgency: Urgency) -> tuple[str | None, bool]:
    office.consult.urgency = urgency
    await cover.settle(work, office.consult, field="specialty")
    return office.consult.contract_number, office.consult.is_outside_contract


@pytest.mark.parametrize("urgency", Urgency)
async def test_before_the_first_contract_nothing_is_checked(
    work: UnitOfWork, office: Office, urgency: Urgency
) -> None:
    assert await sent(work, office, urgency) == (None, False)
    assert await cover.list_uncovered(work, office.case.station.id or 0) == []


@pytest.mark.parametrize("urgency", Urgency)
@pytest.mark.parametrize(
    ("changes", "is_covered"),
    [
        ({}, True),
        ({"all_stations": True, "stations": frozenset()}, True),
        ({"specialties": frozenset({"internal", "pediatrics"})}, True),
        ({"starts_on": TODAY, "ends_on": TODAY}, True),
        ({"specialties": frozenset({"pediatrics"})}, False),
        ({"ends_on": TODAY - timedelta(days=1)}, False),
        ({"starts_on": TODAY + timedelta(days=1)}, False),
    ],
)
async def test_under_cover_anything_goes_outside_of_it_only_what_cannot_wait(
    work: UnitOfWork,
    office: Office,
    urgency: Urgency,
    changes: dict[str, object],
    is_covered: bool,
) -> None:
    await record(work, office, **changes)
    if is_covered:
        assert await sent(work, office, urgency) == ("12/HĐ-BVĐK", False)
    elif urgency is Urgency.EMERGENCY:
        assert await sent(work, office, urgency) == (None, True)
        assert await cover.count_outside(work) == 1
    else:
        with pytest.raises(Invalid) as refusal:
            await sent(work, office, urgency)
        assert [error.field for error in refusal.value.fields] == ["specialty"]
    uncovered = await cover.list_uncovered(work, office.case.station.id or 0)
    assert ("internal" in uncovered) is not is_covered


async def test_the_contract_of_another_station_is_no_cover(
    work: UnitOfWork, make: Factory, office: Office
) -> None:
    other = await make.facility()
    await record(work, office, stations=frozenset({other.code}))
    with pytest.raises(Invalid):
        await sent(work, office, Urgency.ROUTINE)


async def test_a_contract_that_ended_early_covers_its_last_day_and_no_more(
    work: UnitOfWork, office: Office, clock: FakeClock
) -> None:
    contract = await record(work, office)
    today = work.now().astimezone(LOCAL_ZONE).date()
    await service.end(work, office.coordinator, contract.uid, today, "Hai bên thỏa thuận")
    assert await sent(work, office, Urgency.ROUTINE) == ("12/HĐ-BVĐK", False)
    clock.advance(timedelta(days=1))
    with pytest.raises(Invalid):
        await sent(work, office, Urgency.ROUTINE)
    with pytest.raises(Conflict):
        await service.end(work, office.coordinator, contract.uid, today, "Lần nữa")


async def test_a_declined_request_that_goes_elsewhere_is_looked_at_again(
    work: UnitOfWork, make: Factory, office: Office
) -> None:
    declined = await make.case(ConsultState.DECLINED, doctor=office.case.doctor)
    await record(work, office, specialties=frozenset({"internal"}))
    with pytest.raises(Invalid) as refusal:
        await handling.resubmit(work, office.case.doctor, declined.consult.uid, "pediatrics")
    assert [error.field for error in refusal.value.fields] == ["to"]
    await work.session.refresh(declined.consult)
    await handling.resubmit(work, office.case.doctor, declined.consult.uid, "internal")
    assert declined.consult.contract_number == "12/HĐ-BVĐK"


async def test_what_a_contract_carried_is_counted_by_year(
    work: UnitOfWork, make: Factory, office: Office
) -> None:
    for number in ("HC-2025-000901", "HC-2026-000901", "HC-2026-000902"):
        await make.case(
            ConsultState.REQUESTED,
            doctor=office.case.doctor,
            number=number,
            contract_number="12/HĐ-BVĐK",
        )
    counts = await cover.count_by_year(work, "12/HĐ-BVĐK")
    assert [(each.year, each.consults) for each in counts] == [(2026, 2), (2025, 1)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stations": frozenset({"nowhere"})}, "stations"),
        ({"stations": frozenset()}, "stations"),
        ({"specialties": frozenset({"astrology"})}, "specialties"),
        ({"number": "  "}, "number"),
        ({"ends_on": TODAY - 2 * YEAR}, "ends_on"),
    ],
)
async def test_a_refused_contract_names_the_field(
    work: UnitOfWork, office: Office, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await record(work, office, **changes)
    assert field in [error.field for error in refusal.value.fields]
    assert await service.list_contracts(work, office.coordinator) == []


async def test_only_coordinators_and_administrators_see_contracts(
    work: UnitOfWork, make: Factory, office: Office
) -> None:
    for role in set(Role) - {Role.COORDINATOR, Role.ADMINISTRATOR}:
        actor = await make.actor(role)
        with pytest.raises(Denied):
            await service.record(work, actor, given(office))
        with pytest.raises(Denied):
            await service.list_contracts(work, actor)
    with pytest.raises(Missing):
        await service.get_contract(work, office.coordinator, "x" * 22)


async def test_a_hospital_that_is_missing_is_said(work: UnitOfWork, make: Factory) -> None:
    station = await make.facility(FacilityKind.STATION)
    coordinator = await make.actor(Role.COORDINATOR, at=station)
    given = ContractInput("1", TODAY, TODAY, TODAY, frozenset({station.code}), frozenset())
    with pytest.raises(Conflict) as refusal:
        await service.record(work, coordinator, given)
    assert refusal.value.code == "no_hospital"


async def test_fifty_who_record_one_number_record_it_once(
    database: Database, work: UnitOfWork, office: Office
) -> None:
    await work.commit()

    async def attempt() -> str:
        try:
            async with database.work() as other:
                await record(other, office)
        except TelemedError as refusal:
            return refusal.code
        return "done"

    said = Counter(await asyncio.gather(*(attempt() for _ in range(50))))
    assert said == {"done": 1, "contract_exists": 49}
    async with database.read() as reading:
        (row,) = await service.list_contracts(reading, office.coordinator)
    assert [place.code for place in row.stations] == [office.case.station.code]
    assert isinstance(row.stations[0], Facility)
