"""The link profile of a station: what is learned of it, and what it says to both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility, FacilityKind
from telemed.media.link import LinkProfile, Look, profile_of
from telemed.sessions.link.models import LinkObservation, LinkSource

KEPT = timedelta(days=90)
MOST_LOOKS = 200
STATIONS_A_PAGE = 50
# Without a good look for this long nobody knows whether the station can be reached.
KNOWN_FOR = timedelta(days=7)
# Enough traffic to say something of the link.
LEAST_CALL_MS = 10_000


@dataclass(frozen=True)
class Measured:
    """What one look at a link found; what was not looked at is None."""

    is_well: bool = True
    up_kbps: int | None = None
    down_kbps: int | None = None
    rtt_ms: int | None = None
    loss_permille: int | None = None
    relay_udp: bool | None = None
    relay_tcp: bool | None = None
    relay_tls: bool | None = None


@dataclass(frozen=True)
class StationLink:
    """A station and what is known of its link."""

    station: Facility
    profile: LinkProfile | None
    last: LinkObservation | None
    last_well_at: datetime | None
    is_red: bool


async def observe(
    work: UnitOfWork, station_id: int, source: LinkSource, key: str, found: Measured
) -> None:
    """Keep one look at the link of a station; the same source and key replaces what was kept."""
    values: dict[str, Any] = {"at": work.now(), **vars(found)}
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    await work.session.exec(
        insert(LinkObservation)
        .values(station_id=station_id, source=source, key=key, **values)
        .on_conflict_do_update(index_elements=["station_id", "source", "key"], set_=values)
    )
    await work.session.exec(
        delete(LinkObservation).where(
            col(LinkObservation.station_id) == station_id,
            col(LinkObservation.at) < work.now() - KEPT,
        )
    )


async def save_check(
    work: UnitOfWork, actor: Actor, source: LinkSource, key: str, found: Measured
) -> None:
    """Keep what somebody's check found, under the station they work at; elsewhere it is for them."""
    require(actor, Action.LINK_CHECK)
    for station in actor.station_ids:
        await observe(work, station, source, f"{actor.id}:{key}", found)


async def find_profile(work: UnitOfWork, station_id: int) -> LinkProfile | None:
    """What is known of the link of one station; None while nothing is."""
    return _profile(await _list_looks(work, station_id))


async def list_own(work: UnitOfWork, actor: Actor) -> list[LinkProfile]:
    """What is known of the links of the stations where the actor works."""
    found = [await find_profile(work, station) for station in sorted(actor.station_ids)]
    return [profile for profile in found if profile is not None]


async def is_check_due(work: UnitOfWork, actor: Actor) -> bool:
    """Whether a station where the actor works has had no good look for too long."""
    for station in actor.station_ids:
        looks = await _list_looks(work, station, limit=1)
        if not looks or not looks[0].is_well or looks[0].at < work.now() - KNOWN_FOR / 2:
            return True
    return False


async def list_stations(
    work: UnitOfWork, actor: Actor, after: str = ""
) -> tuple[list[StationLink], str | None]:
    """Stations after a code, a page of them, and the code to go on from. Raises Denied."""
    require(actor, Action.QUALITY_READ)
    query = (
        select(Facility)
        .where(
            col(Facility.kind) == FacilityKind.STATION,
            col(Facility.is_active),
            col(Facility.code) > after,
        )
        .order_by(col(Facility.code))
        .limit(STATIONS_A_PAGE + 1)
    )
    found = (await work.session.exec(query)).all()
    stations = found[:STATIONS_A_PAGE]
    more = stations[-1].code if len(found) > STATIONS_A_PAGE else None
    links = [_link_of(work, each, await _list_looks(work, each.id or 0)) for each in stations]
    return links, more


def _link_of(work: UnitOfWork, station: Facility, looks: Sequence[LinkObservation]) -> StationLink:
    last = looks[0] if looks else None
    last_well_at = next((each.at for each in looks if each.is_well), None)
    is_known = last_well_at is not None and last_well_at > work.now() - KNOWN_FOR
    is_red = last is None or not last.is_well or not is_known
    return StationLink(station, _profile(looks), last, last_well_at, is_red)


async def _list_looks(
    work: UnitOfWork, station_id: int, limit: int = MOST_LOOKS
) -> Sequence[LinkObservation]:
    query = (
        select(LinkObservation)
        .where(
            col(LinkObservation.station_id) == station_id,
            col(LinkObservation.at) >= work.now() - KEPT,
        )
        .order_by(col(LinkObservation.at).desc(), col(LinkObservation.id).desc())
        .limit(limit)
        # Written past the session's back.
        .execution_options(populate_existing=True)
    )
    return (await work.session.exec(query)).all()


def _profile(looks: Sequence[LinkObservation]) -> LinkProfile | None:
    return profile_of(
        Look(
            at=each.at.astimezone(LOCAL_ZONE),
            up_kbps=each.up_kbps,
            down_kbps=each.down_kbps,
            rtt_ms=each.rtt_ms,
            loss_permille=each.loss_permille,
            is_floor=each.source is LinkSource.CALL,
            relay_udp=each.relay_udp,
            relay_tcp=each.relay_tcp,
            relay_tls=each.relay_tls,
        )
        for each in looks
    )
