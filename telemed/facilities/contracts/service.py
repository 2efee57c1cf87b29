"""Recording support contracts, ending them early, and finding the one that covers a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing
from telemed.core.text import clean_line, clean_text
from telemed.facilities.contracts.models import (
    ContractSpecialty,
    ContractStation,
    SupportContract,
)
from telemed.facilities.contracts.rules import (
    ContractState,
    Draft,
    Term,
    check,
    check_end,
    is_in_scope,
)
from telemed.facilities.models import Facility, FacilityKind, Specialty
from telemed.facilities.service import list_facilities, list_specialties


@dataclass(frozen=True)
class ContractInput:
    """A contract as the form has it; stations by code, all of them where `all_stations` says so."""

    number: str
    signed_on: date
    starts_on: date
    ends_on: date
    stations: frozenset[str]
    specialties: frozenset[str]
    all_stations: bool = False
    scope: str = ""


@dataclass(frozen=True)
class ContractRow:
    """A contract with its parties and scope."""

    contract: SupportContract
    state: ContractState
    supporter: str
    stations: Sequence[Facility]
    specialties: Sequence[Specialty]


def term_of(contract: SupportContract) -> Term:
    """The days on which a contract is in force."""
    return Term(contract.starts_on, contract.ends_on, contract.ended_on)


async def record(work: UnitOfWork, actor: Actor, given: ContractInput) -> SupportContract:
    """Write a signed contract down. Raises Invalid with every field, Conflict for a known number."""
    require(actor, Action.CONTRACT_WRITE)
    hospital = await _hospital(work)
    known = {each.code: each for each in await list_facilities(work, FacilityKind.STATION)}
    wanted = frozenset(known) if given.all_stations else given.stations
    draft = Draft(
        clean_line(given.number),
        given.signed_on,
        Term(given.starts_on, given.ends_on),
        wanted,
        clean_text(given.scope).strip(),
    )
    specialties = {each.code: each for each in await list_specialties(work)}
    errors = check(draft)
    if wanted - known.keys():
        errors.append(FieldError("stations", "station_unknown", N_("Chọn trạm trong danh sách")))
    if given.specialties - specialties.keys():
        message = N_("Chọn chuyên khoa trong danh sách")
        errors.append(FieldError("specialties", "specialty_unknown", message))
    if errors:
        raise Invalid.of(errors)
    contract = SupportContract(
        number=draft.number,
        supporter_id=hospital.id or 0,
        signed_on=draft.signed_on,
        starts_on=given.starts_on,
        ends_on=given.ends_on,
        scope=draft.scope,
        created_by_id=actor.id,
        created_at=work.now(),
    )
    await _insert(work, contract)
    assert contract.id
    work.session.add_all(
        ContractStation(contract_id=contract.id, station_id=known[code].id or 0)
        for code in sorted(wanted)
    )
    work.session.add_all(
        ContractSpecialty(contract_id=contract.id, specialty_id=specialties[code].id or 0)
        for code in sorted(given.specialties)
    )
    await work.session.flush()
    work.audit(AuditTag.CONTRACT_CHANGE, actor, contract.uid, act="record", number=contract.number)
    return contract


async def end(work: UnitOfWork, actor: Actor, uid: str, ended_on: date, reason: str) -> None:
    """End a contract before its time; the day given is its last. Raises Missing, Invalid, Conflict."""
    require(actor, Action.CONTRACT_WRITE)
    query = select(SupportContract).where(col(SupportContract.uid) == uid).with_for_update()
    contract = (await work.session.exec(query)).one_or_none()
    if contract is None:
        raise Missing
    if contract.ended_on is not None:
        raise Conflict("contract_ended", N_("Hợp đồng này đã chấm dứt trước hạn"))
    given = clean_line(reason)
    errors = check_end(term_of(contract), ended_on, given)
    if errors:
        raise Invalid.of(errors)
    contract.ended_on, contract.end_reason = ended_on, given
    work.session.add(contract)
    work.audit(AuditTag.CONTRACT_CHANGE, actor, contract.uid, act="end", number=contract.number)


async def list_contracts(work: UnitOfWork, actor: Actor) -> list[ContractRow]:
    """Every contract, the one that ends last first."""
    require(actor, Action.CONTRACT_WRITE)
    query = select(SupportContract).order_by(
        col(SupportContract.ends_on).desc(), col(SupportContract.id).desc()
    )
    return await _rows(work, (await work.session.exec(query)).all())


async def get_contract(work: UnitOfWork, actor: Actor, uid: str) -> ContractRow:
    """One contract. Raises Missing."""
    require(actor, Action.CONTRACT_WRITE)
    query = select(SupportContract).where(col(SupportContract.uid) == uid)
    contract = (await work.session.exec(query)).one_or_none()
    if contract is None:
        raise Missing
    return (await _rows(work, [contract]))[0]


async def has_any(work: UnitOfWork) -> bool:
    """Whether this installation keeps contracts here at all; before the first nothing is checked."""
    return (await work.session.exec(select(SupportContract.id).limit(1))).first() is not None


async def list_cover(
    work: UnitOfWork, station_id: int, day: date
) -> list[tuple[SupportContract, frozenset[int]]]:
    """Contracts of a station in force on a day, each with the specialties that it names."""
    query = (
        select(SupportContract)
        .join(ContractStation, col(ContractStation.contract_id) == col(SupportContract.id))
        .where(
            col(ContractStation.station_id) == station_id,
            col(SupportContract.starts_on) <= day,
            col(SupportContract.ends_on) >= day,
        )
        .order_by(col(SupportContract.starts_on), col(SupportContract.id))
    )
    found = [row for row in (await work.session.exec(query)).all() if term_of(row).covers(day)]
    named = await _specialty_ids(work, found)
    return [(row, frozenset(named.get(row.id or 0, []))) for row in found]


async def find_cover(
    work: UnitOfWork, station_id: int, specialty_id: int | None, day: date
) -> SupportContract | None:
    """The contract under which a station may ask a specialty on a day."""
    for contract, named in await list_cover(work, station_id, day):
        if is_in_scope(specialty_id, named):
            return contract
    return None


async def _hospital(work: UnitOfWork) -> Facility:
    found = await list_facilities(work, FacilityKind.HOSPITAL)
    if not found:
        raise Conflict("no_hospital", N_("Chưa có bệnh viện nào trong danh sách cơ sở"))
    return found[0]


async def _insert(work: UnitOfWork, contract: SupportContract) -> None:
    work.session.add(contract)
    try:
        await work.session.flush()
    except IntegrityError as error:
        message = N_("Số hợp đồng này đã có")
        field = FieldError("number", "contract_exists", message)
        raise Conflict("contract_exists", message, fields=[field]) from error


async def _specialty_ids(
    work: UnitOfWork, contracts: Sequence[SupportContract]
) -> dict[int, list[int]]:
    query = select(ContractSpecialty).where(
        col(ContractSpecialty.contract_id).in_([each.id for each in contracts])
    )
    named: dict[int, list[int]] = {}
    for row in (await work.session.exec(query)).all() if contracts else []:
        named.setdefault(row.contract_id, []).append(row.specialty_id)
    return named


async def _rows(work: UnitOfWork, contracts: Sequence[SupportContract]) -> list[ContractRow]:
    today = work.now().astimezone(LOCAL_ZONE).date()
    places = {each.id: each for each in await list_facilities(work, with_closed=True)}
    specialties = await list_specialties(work)
    named = await _specialty_ids(work, contracts)
    query = select(ContractStation).where(
        col(ContractStation.contract_id).in_([each.id for each in contracts])
    )
    of_contract: dict[int, set[int]] = {}
    for row in (await work.session.exec(query)).all() if contracts else []:
        of_contract.setdefault(row.contract_id, set()).add(row.station_id)
    return [
        ContractRow(
            each,
            term_of(each).state(today),
            places[each.supporter_id].name,
            [place for key, place in places.items() if key in of_contract.get(each.id or 0, ())],
            [one for one in specialties if one.id in named.get(each.id or 0, [])],
        )
        for each in contracts
    ]
