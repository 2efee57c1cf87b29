"""The quality of calls by month and station, for those who see to the links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Subquery, case, distinct, func, select
from sqlmodel import col

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.models import Consult
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.sessions.models import LiveSession
from telemed.sessions.quality.models import CallQuality
from telemed.sessions.quality.service import permille

MONTHS = 3
# More than the stations of a province.
MOST_ROWS = 1_000
SUMMED = (
    *("media_ms", "packets_lost", "packets_received", "audio_ms", "concealed_ms"),
    *("freezes", "bytes_up", "bytes_down"),
)


@dataclass(frozen=True)
class MonthOfStation:
    """The calls of one station in one month (`2026-11`); sides are people in calls."""

    month: str
    station: str
    calls: int
    minutes: int
    setup_ms: int | None
    loss_permille: int
    concealed_permille: int
    freezes: int
    bytes: int


async def list_months(work: UnitOfWork, actor: Actor) -> list[MonthOfStation]:
    """This month and those before it, newest first, stations by name. Raises Denied."""
    require(actor, Action.QUALITY_READ)
    firsts = [_first_of_month(work.now(), before) for before in range(MONTHS)]
    pages = _pages_since(firsts)
    setups = await _middle_setups(work, pages)
    totals = (
        select(
            pages.c.age,
            pages.c.station_id,
            pages.c.station,
            func.count(distinct(pages.c.session_id)),
            *(func.sum(pages.c[name]) for name in SUMMED),
        )
        .group_by(pages.c.age, pages.c.station_id, pages.c.station)
        .order_by(pages.c.age, pages.c.station, pages.c.station_id)
        .limit(MOST_ROWS)
    )
    connection = await work.session.connection()
    rows = await connection.execute(totals)
    return [
        _month(
            f"{firsts[age]:%Y-%m}",
            station,
            calls,
            setups.get((age, station_id)),
            # PostgreSQL adds whole numbers up to decimals.
            {name: int(value) for name, value in zip(SUMMED, sums, strict=True)},
        )
        for age, station_id, station, calls, *sums in rows
    ]


def _pages_since(firsts: Sequence[datetime]) -> Subquery:
    """The pages of some months with their station; `age` counts the months before this one."""
    age = case(
        *((col(CallQuality.began_at) >= first, number) for number, first in enumerate(firsts)),
        else_=len(firsts),
    )
    station_id = func.coalesce(col(Consult.station_id), col(LiveSession.station_id))
    query = (
        select(
            age.label("age"),
            col(Facility.id).label("station_id"),
            col(Facility.name).label("station"),
            col(CallQuality.session_id),
            col(CallQuality.setup_ms),
            *(getattr(CallQuality, name) for name in SUMMED),
        )
        .join(LiveSession, col(LiveSession.id) == col(CallQuality.session_id))
        .outerjoin(Consult, col(Consult.id) == col(LiveSession.consult_id))
        .join(Facility, col(Facility.id) == station_id)
        .where(col(CallQuality.began_at) >= firsts[-1])
    )
    return query.subquery()


async def _middle_setups(work: UnitOfWork, pages: Subquery) -> dict[tuple[int, int], int]:
    """The middle set-up time of each month and station; both engines know window functions."""
    group = [pages.c.age, pages.c.station_id]
    place = func.row_number().over(partition_by=group, order_by=pages.c.setup_ms)
    count = func.count().over(partition_by=group)
    ranked = (
        select(*group, pages.c.setup_ms, place.label("place"), count.label("count"))
        .where(pages.c.setup_ms.is_not(None))
        .subquery()
    )
    query = select(ranked.c.age, ranked.c.station_id, ranked.c.setup_ms).where(
        # Of four the third: a list that begins at nought has it at the half.
        ranked.c.place * 2 > ranked.c.count,
        ranked.c.place * 2 <= ranked.c.count + 2,
    )
    found = await (await work.session.connection()).execute(query)
    return {(age, station): ms for age, station, ms in found}


def _month(
    month: str, station: str, calls: int, setup_ms: int | None, sums: Mapping[str, int]
) -> MonthOfStation:
    lost = sums["packets_lost"]
    return MonthOfStation(
        month=month,
        station=station,
        calls=calls,
        minutes=round(sums["media_ms"] / 60_000),
        setup_ms=setup_ms,
        loss_permille=permille(lost, lost + sums["packets_received"]),
        concealed_permille=permille(sums["concealed_ms"], sums["audio_ms"]),
        freezes=sums["freezes"],
        bytes=sums["bytes_up"] + sums["bytes_down"],
    )


def _first_of_month(now: datetime, months_before: int) -> datetime:
    day = now.astimezone(LOCAL_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(months_before):
        day = (day - timedelta(days=1)).replace(day=1)
    return day
