"""Under which contract a request is made; outside of one only an emergency may be (Decree 96/2023)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import col, select

from telemed.consults.models import Consult, Urgency
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.facilities.contracts import service as contracts
from telemed.facilities.contracts.rules import is_in_scope
from telemed.facilities.service import list_specialties
from telemed.patients.service import local_today


@dataclass(frozen=True)
class YearCount:
    """How many requests of a year a contract carried, for the supporter's yearly report."""

    year: int
    consults: int


async def settle(work: UnitOfWork, consult: Consult, *, field: str) -> None:
    """Note the contract that covers a request which is about to be sent.

    Raises Invalid at `field` where there is none and nobody's life hangs on it. An installation
    that has recorded no contract yet is not held up.
    """
    consult.contract_number, consult.is_outside_contract = None, False
    today = local_today(work)
    found = await contracts.find_cover(work, consult.station_id, consult.specialty_id, today)
    if found is not None:
        consult.contract_number = found.number
    elif await contracts.has_any(work):
        if consult.urgency is not Urgency.EMERGENCY:
            message = N_(
                "Trạm chưa có hợp đồng hỗ trợ còn hạn với bệnh viện cho chuyên khoa này."
                " Chỉ gửi được khi là cấp cứu. Báo điều phối để ký hợp đồng."
            )
            raise Invalid("contract_missing", message, field=field)
        consult.is_outside_contract = True
    work.session.add(consult)


async def list_uncovered(work: UnitOfWork, station_id: int) -> list[str]:
    """Codes of the specialties that a station may ask today in an emergency only."""
    if not await contracts.has_any(work):
        return []
    cover = await contracts.list_cover(work, station_id, local_today(work))
    return [
        each.code
        for each in await list_specialties(work)
        if not any(is_in_scope(each.id, named) for _, named in cover)
    ]


async def count_by_year(work: UnitOfWork, number: str) -> list[YearCount]:
    """Requests by the year of their number, the newest year first."""
    year = func.substr(Consult.number, 4, 4)
    query = (
        select(year, func.count())
        .where(col(Consult.contract_number) == number, col(Consult.number).is_not(None))
        .group_by(year)
        .order_by(year.desc())
    )
    return [YearCount(int(of), count) for of, count in (await work.session.exec(query)).all()]


async def count_outside(work: UnitOfWork) -> int:
    """Emergencies that were asked outside of any contract."""
    query = select(func.count()).select_from(Consult).where(col(Consult.is_outside_contract))
    return (await work.session.exec(query)).one()
