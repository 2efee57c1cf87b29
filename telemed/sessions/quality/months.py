"""The quality of calls by month and station, for those who see to the links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.models import Consult
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility
from telemed.sessions.models import LiveSession
from telemed.sessions.quality.models import CallQuality
from telemed.sessions.quality.service import permille

MONTHS = 3
MOST_PAGES = 5_000


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
    first = _first_of_month(work.now(), MONTHS - 1)
    query = (
        select(CallQuality, Facility.name)
        .join(LiveSession, col(LiveSession.id) == col(CallQuality.session_id))
        .outerjoin(Consult, col(Consult.id) == col(LiveSession.consult_id))
        .join(
            Facility,
            (col(Facility.id) == col(Consult.station_id))
            | (col(Consult.id).is_(None) & (col(Facility.id) == col(LiveSession.station_id))),
        )
        .where(col(CallQuality.began_at) >= first)
        .order_by(col(CallQuality.id).desc())
        .limit(MOST_PAGES)
    )
    groups: dict[tuple[str, str], list[CallQuality]] = {}
    for page, station in (await work.session.exec(query)).all():
        month = page.began_at.astimezone(LOCAL_ZONE).strftime("%Y-%m")
        groups.setdefault((month, station), []).append(page)
    newest_first = sorted(groups, key=lambda key: key[1])
    newest_first.sort(key=lambda key: key[0], reverse=True)
    return [_sum_up(month, station, groups[month, station]) for month, station in newest_first]


def _sum_up(month: str, station: str, pages: Sequence[CallQuality]) -> MonthOfStation:
    lost = sum(page.packets_lost for page in pages)
    setups = sorted(page.setup_ms for page in pages if page.setup_ms is not None)
    return MonthOfStation(
        month=month,
        station=station,
        calls=len({page.session_id for page in pages}),
        minutes=round(sum(page.media_ms for page in pages) / 60_000),
        setup_ms=setups[len(setups) // 2] if setups else None,
        loss_permille=permille(lost, lost + sum(page.packets_received for page in pages)),
        concealed_permille=permille(
            sum(page.concealed_ms for page in pages), sum(page.audio_ms for page in pages)
        ),
        freezes=sum(page.freezes for page in pages),
        bytes=sum(page.bytes_up + page.bytes_down for page in pages),
    )


def _first_of_month(now: datetime, months_before: int) -> datetime:
    day = now.astimezone(LOCAL_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(months_before):
        day = (day - timedelta(days=1)).replace(day=1)
    return day
