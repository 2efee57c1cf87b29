"""Rotations to stations, and logs of techniques handed over there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from telemed.accounts.models import Posting
from telemed.accounts.permissions import Actor
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.records import RecordKind, Signature, SignedRecord
from telemed.demo.meetings import Room, Stays
from telemed.demo.packages import RunningPackage
from telemed.demo.signatures import signature, signed_record
from telemed.demo.texts import Technique
from telemed.demo.world import World
from telemed.facilities.models import Facility
from telemed.sessions.lifecycle import SessionKind
from telemed.sessions.models import LiveSession, ParticipantRole
from telemed.training.models import (
    TransferLog,
    TransferMember,
    TransferPart,
    TransferPlace,
    TransferState,
    TransferType,
)
from telemed.training.packages.models import TransferPackage
from telemed.training.rotations.models import Rotation, RotationWeek, SecondmentDecision
from telemed.training.rotations.rules import Span, mondays
from telemed.training.transfer_input import TransferInput, log_columns
from telemed.training.transfers import fixed_content

ROTATIONS = 20
STATES = (
    *(TransferState.COMPLETE,) * 17,
    *(TransferState.SUBMITTED,) * 8,
    *(TransferState.DRAFT,) * 5,
)
_DECISION_MONTH = 100
_BODY = "Sở Y tế tỉnh Điện Biên"
# Days from today on which postings of one person begin and end: past, present, to come.
_PAST, _PRESENT, _AHEAD = (-175, -92), (-80, 60), (75, 165)
_ENDING = (-80, 16)


@dataclass
class Placement:
    """Somebody at a station for a while."""

    person: Actor
    station: Facility
    posting: Posting
    decision: SecondmentDecision
    rotation: Rotation
    weeks: list[RotationWeek] = field(default_factory=list)


@dataclass
class Transfer:
    """One log with everything that hangs on it."""

    log: TransferLog
    members: list[TransferMember]
    papers: list[tuple[SignedRecord, list[Signature]]] = field(default_factory=list)
    session: LiveSession | None = None
    stays: Stays = field(default_factory=list)


def make_placements(world: World) -> list[Placement]:
    """Twenty rotations; the first rotated doctor is at the first station today."""
    stations, people = list(world.stations.values()), world.cast.rotated
    placements = []
    for number in range(ROTATIONS):
        person = people[number % len(people)]
        span = (_PRESENT, _PAST, _AHEAD)[number // len(people) % 3]
        is_shown = number == 0
        station = stations[0] if is_shown else stations[(number * 7) % len(stations)]
        shift = 0 if is_shown else world.chance.randint(-6, 6)
        if number == 1:
            span = _ENDING
        if number >= 3 * len(people):
            # Those who answer at the hospital have been away, and are back.
            person, span = world.cast.specialists[number % 5], _PAST
        placements.append(_placement(world, person, station, (span[0] + shift, span[1] + shift)))
    return placements


def _placement(world: World, person: Actor, station: Facility, days: tuple[int, int]) -> Placement:
    today = world.now.astimezone(LOCAL_ZONE).date()
    starts_on, ends_on = (today + timedelta(days=offset) for offset in days)
    decided_on = starts_on - timedelta(days=12)
    decided_at = min(_at(decided_on, 9), world.now - timedelta(hours=2))
    posting = Posting(
        person_id=person.id, facility_id=station.id or 0, starts_on=starts_on, ends_on=ends_on
    )
    decision = SecondmentDecision(
        number=f"{world.chance.randint(_DECISION_MONTH, 999)}/QĐ-SYT",
        issuing_body=_BODY,
        signed_on=decided_at.astimezone(LOCAL_ZONE).date(),
        created_by_id=world.cast.coordinator.id,
        created_at=decided_at,
    )
    rotation = Rotation(
        decision_id=0,
        person_id=person.id,
        home_unit_id=person.facility_id or 0,
        station_id=station.id or 0,
        starts_on=starts_on,
        ends_on=ends_on,
        tasks=world.chance.choice(world.texts.tasks),
        created_by_id=world.cast.coordinator.id,
        created_at=decided_at,
    )
    subject = f"rotation:{rotation.uid}"
    world.ledger.note(decided_at, AuditTag.ROTATION_CHANGE, world.cast.coordinator, subject)
    return Placement(person, station, posting, decision, rotation, _weeks(world, rotation))


def _weeks(world: World, rotation: Rotation) -> list[RotationWeek]:
    """What was done in the weeks that are over; now and then nobody wrote of one."""
    past = [
        monday
        for monday in mondays(Span(rotation.starts_on, rotation.ends_on))
        if monday + timedelta(days=7) <= _today(world)
    ]
    return [
        RotationWeek(
            rotation_id=0,
            monday=monday,
            text=world.texts.weeks[number % len(world.texts.weeks)],
            written_at=_at(monday + timedelta(days=5), 16),
        )
        for number, monday in enumerate(past)
        if number % 7 != 5
    ]


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), LOCAL_ZONE).astimezone(UTC)


def make_transfers(
    world: World, placements: Sequence[Placement], packages: Sequence[RunningPackage]
) -> list[Transfer]:
    """Thirty logs of every state, taught where their trainers have been sent, or by video."""
    here = [each for each in placements if each.rotation.starts_on <= _today(world)]
    transfers = []
    for number, state in enumerate(STATES):
        # The station that is shown has something to sign and something to read.
        place = here[0] if number % 6 in {0, 5} else here[number % len(here)]
        technique = world.texts.techniques[number % 10]
        transfers.append(_transfer(world, place, technique, state, packages))
    return sorted(transfers, key=lambda each: each.log.created_at)


def _today(world: World) -> date:
    return world.now.astimezone(LOCAL_ZONE).date()


def _transfer(
    world: World,
    place: Placement,
    technique: Technique,
    state: TransferState,
    packages: Sequence[RunningPackage],
) -> Transfer:
    is_remote = technique.type is TransferType.TELE_GUIDED
    author = world.cast.trainer if is_remote else place.person
    trainee = world.cast.doctors[place.station.id or 0]
    starts_at = _session_day(world, place, state)
    ends_at = starts_at + timedelta(minutes=world.chance.choice((60, 90, 120, 150)))
    station_id = place.station.id or 0
    held_under = (p.package for p in packages if p.covers(station_id, technique.name, starts_at))
    package = next(held_under, None)
    given = TransferInput(
        station_id=station_id,
        package_id=package.id if package else None,
        technique_name=technique.name,
        type=technique.type,
        place=TransferPlace.LIVE_SESSION if is_remote else TransferPlace.ON_SITE,
        starts_at=starts_at,
        ends_at=ends_at,
        trainer_ids=[author.id],
        trainee_ids=[trainee.id],
        observed=world.chance.randint(1, 6),
        assisted=world.chance.randint(0, 4),
        performed=world.chance.randint(0, 3),
        evaluation=technique.evaluation,
    )
    log = TransferLog(
        author_id=author.id,
        created_at=ends_at + timedelta(minutes=15),
        is_synthetic=True,
        state=state,
        **log_columns(given, place.station),
    )
    members = [
        TransferMember(log_id=0, person_id=author.id, part=TransferPart.TRAINER),
        TransferMember(log_id=0, person_id=trainee.id, part=TransferPart.TRAINEE),
    ]
    transfer = Transfer(log, members)
    if is_remote:
        _meet(world, transfer, author, trainee)
    world.ledger.note(log.created_at, AuditTag.TRANSFER_WRITE, author, _subject(log))
    _sign(world, transfer, (author, trainee), place.station, package)
    return transfer


def _session_day(world: World, place: Placement, state: TransferState) -> datetime:
    last = min(place.rotation.ends_on, _today(world) - timedelta(days=1))
    first = max(place.rotation.starts_on, last - timedelta(days=60))
    if state is not TransferState.COMPLETE:
        first = max(first, last - timedelta(days=6))
    day = first + timedelta(days=world.chance.randint(0, max((last - first).days, 0)))
    return _at(day, world.chance.choice((8, 9, 14)))


def _meet(world: World, transfer: Transfer, trainer: Actor, trainee: Actor) -> None:
    log = transfer.log
    session = LiveSession(
        kind=SessionKind.TECHNICAL_TRANSFER,
        title=log.technique_name,
        station_id=log.station_id,
        opened_by_id=trainer.id,
        opened_at=log.starts_at,
    )
    room = Room(world, session, log.starts_at)
    room.open(trainer, [(trainer, ParticipantRole.TRAINER), (trainee, ParticipantRole.TRAINEE)])
    room.at = log.ends_at
    room.end(trainer)
    transfer.session, transfer.stays = session, room.stays


def _sign(
    world: World,
    transfer: Transfer,
    signers: tuple[Actor, Actor],
    station: Facility,
    package: TransferPackage | None,
) -> None:
    log = transfer.log
    if log.state is TransferState.DRAFT:
        return
    is_complete = log.state is TransferState.COMPLETE
    at = log.created_at + timedelta(minutes=20)
    people = [
        (member, world.cast.people[member.person_id])
        for member in sorted(transfer.members, key=lambda each: each.part, reverse=True)
    ]
    content = fixed_content(log, station, people, package=package)
    record = signed_record(RecordKind.TRANSFER_LOG, _subject(log), signers[0], content, at)
    log.record_uid = record.uid
    evidence = []
    who = list(zip(signers, transfer.members, strict=True))
    for signer, member in who if is_complete else who[:1]:
        evidence.append(signature(record, signer, member.part.value, at))
        member.signed_at = at
        world.ledger.note(
            at,
            AuditTag.RECORD_SIGN,
            signer,
            _subject(log),
            record=record.uid,
            as_=member.part.value,
        )
        at += timedelta(minutes=40)
    transfer.papers.append((record, evidence))


def _subject(log: TransferLog) -> str:
    return f"transfer:{log.uid}"
