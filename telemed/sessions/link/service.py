"""The link profile of a station: what is learned of it, and what it says to both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.facilities.models import Facility, FacilityKind
from telemed.media.link import VOICE_LOSS_PERMILLE, LinkProfile, Look, profile_of
from telemed.sessions.link.models import LinkObservation, LinkSource

KEPT = timedelta(days=90)
MOST_LOOKS = 200
STATIONS_A_PAGE = 50
# Without a drill or a call for this long nobody knows whether the station can be reached.
KNOWN_FOR = timedelta(hours=24)
# So often a station is to show by itself that it can be called.
DRILL_EVERY = timedelta(hours=6)
# What shows that a call would come about: a call, or what does the same as one.
PROOFS = frozenset({LinkSource.DRILL, LinkSource.CALL})
# Enough traffic to say something of the link.
LEAST_CALL_MS = 10_000
ALL_LOST = 1000
# Less than this may have been in some buffer before anybody looked at the clock.
LEAST_UPLOAD_BYTES = 64 * 1024


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


class Finding(StrEnum):
    """Why a station is red."""

    NEVER = "never"
    SILENT = "silent"
    NO_MEDIA = "no_media"
    LOSSY = "lossy"
    FAILED = "failed"


@dataclass(frozen=True)
class StationLink:
    """A station and what is known of its link; `finding` is None while a call would come about.

    `proof` is the last drill or call.
    """

    station: Facility
    profile: LinkProfile | None
    proof: LinkObservation | None
    finding: Finding | None

    @property
    def is_red(self) -> bool:
        """True when somebody has to look at it before an emergency does."""
        return self.finding is not None


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
    if source is LinkSource.DRILL:
        loss = found.loss_permille
        # Answers without a word of voice are no call.
        found = replace(
            found, is_well=found.is_well and loss is not None and loss <= VOICE_LOSS_PERMILLE
        )
    for station in actor.station_ids:
        await observe(work, station, source, f"{actor.id}:{key}", found)


async def note_upload(
    work: UnitOfWork, actor: Actor, station_id: int, *, size_bytes: int, seconds: float
) -> None:
    """Learn from a file how fast the station of its sender sends; the last of each hour counts."""
    is_there = station_id in actor.station_ids
    if not is_there or size_bytes < LEAST_UPLOAD_BYTES or seconds <= 0:
        return
    found = Measured(up_kbps=round(size_bytes * 8 / seconds / 1000))
    key = f"upload-{work.now().astimezone(LOCAL_ZONE):%Y%m%d%H}"
    await observe(work, station_id, LinkSource.CHECK, key, found)


async def find_profile(work: UnitOfWork, station_id: int) -> LinkProfile | None:
    """What is known of the link of one station; None while nothing is."""
    return _profile(await _list_looks(work, station_id))


async def list_own(work: UnitOfWork, actor: Actor) -> list[LinkProfile]:
    """What is known of the links of the stations where the actor works."""
    found = [await find_profile(work, station) for station in sorted(actor.station_ids)]
    return [profile for profile in found if profile is not None]


async def is_drill_due(work: UnitOfWork, actor: Actor) -> bool:
    """Whether a station where the actor works has shown nothing for too long, or nothing good."""
    return any([await next_drill_at(work, each) <= work.now() for each in actor.station_ids])


async def next_drill_at(work: UnitOfWork, station_id: int) -> datetime:
    """When a station is to show again that it can be called; now for one that has not."""
    proof = await _find_proof(work, station_id)
    if proof is None or not proof.is_well:
        return work.now()
    return proof.at + DRILL_EVERY


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
    return [await _link_of(work, each) for each in stations], more


async def _link_of(work: UnitOfWork, station: Facility) -> StationLink:
    looks = await _list_looks(work, station.id or 0)
    proof = await _find_proof(work, station.id or 0)
    return StationLink(station, _profile(looks), proof, _finding_of(proof, work.now()))


def _finding_of(proof: LinkObservation | None, now: datetime) -> Finding | None:
    if proof is None:
        return Finding.NEVER
    if proof.at <= now - KNOWN_FOR:
        return Finding.SILENT
    if proof.is_well:
        return None
    loss = proof.loss_permille
    if loss is not None and loss >= ALL_LOST:
        return Finding.NO_MEDIA
    return Finding.LOSSY if (loss or 0) > VOICE_LOSS_PERMILLE else Finding.FAILED


async def _find_proof(work: UnitOfWork, station_id: int) -> LinkObservation | None:
    query = (
        select(LinkObservation)
        .where(
            col(LinkObservation.station_id) == station_id,
            col(LinkObservation.source).in_(PROOFS),
        )
        .order_by(col(LinkObservation.at).desc(), col(LinkObservation.id).desc())
        .limit(1)
        # Written past the session's back.
        .execution_options(populate_existing=True)
    )
    return (await work.session.exec(query)).one_or_none()


async def _list_looks(work: UnitOfWork, station_id: int) -> Sequence[LinkObservation]:
    query = (
        select(LinkObservation)
        .where(
            col(LinkObservation.station_id) == station_id,
            col(LinkObservation.at) >= work.now() - KEPT,
        )
        .order_by(col(LinkObservation.at).desc(), col(LinkObservation.id).desc())
        .limit(MOST_LOOKS)
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
