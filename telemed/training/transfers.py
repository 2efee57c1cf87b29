"""Technical-transfer logs: written by whoever taught, fixed by signature, countersigned by all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import col

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, TransferFacts, require
from telemed.core import records
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, Invalid, Missing
from telemed.core.records import RecordKind, SignatureMethod, SignedRecord
from telemed.facilities.models import Facility
from telemed.sessions.models import LiveSession, ParticipantRole
from telemed.sessions.opening import call_for_transfer, open_for_transfer
from telemed.training.models import (
    TransferLog,
    TransferMember,
    TransferPart,
    TransferPlace,
    TransferState,
)
from telemed.training.packages.models import TransferPackage
from telemed.training.repository import PAGE, LogFilter, find_log, list_logs, list_members
from telemed.training.signature_reminders import ask_for_signatures, forget
from telemed.training.transfer_input import TransferInput, check_input, log_columns

# The title of a meeting is shorter than the longest name of a technique.
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class OpenLog:
    """A log as the actor sees it."""

    log: TransferLog
    station: Facility
    members: Sequence[tuple[TransferMember, Person]]
    record: SignedRecord | None
    is_intact: bool
    may_edit: bool
    may_sign: bool
    session: LiveSession | None = None
    package: TransferPackage | None = None
    addenda: Sequence[SignedRecord] = field(default_factory=tuple)


def _subject(log: TransferLog) -> str:
    return f"transfer:{log.uid}"


def _facts(log: TransferLog, members: Sequence[tuple[TransferMember, Person]]) -> TransferFacts:
    def ids(part: TransferPart) -> frozenset[int]:
        return frozenset(member.person_id for member, _ in members if member.part is part)

    return TransferFacts(
        author_id=log.author_id,
        station_id=log.station_id,
        is_draft=log.state is TransferState.DRAFT,
        trainer_ids=ids(TransferPart.TRAINER),
        trainee_ids=ids(TransferPart.TRAINEE),
    )


async def _get(
    work: UnitOfWork, actor: Actor, uid: str, action: Action, *, lock: bool = False
) -> tuple[TransferLog, list[tuple[TransferMember, Person]]]:
    require(actor, action)
    log = await find_log(work, uid, lock=lock)
    if log is None:
        raise Missing
    members = await list_members(work, [log.id or 0])
    require(actor, action, _facts(log, members))
    return log, members


async def start(work: UnitOfWork, actor: Actor, given: TransferInput) -> TransferLog:
    """A new log, not signed yet. Raises Invalid."""
    require(actor, Action.TRANSFER_WRITE)
    station = await check_input(work, actor, given)
    columns = log_columns(given, station)
    log = TransferLog(author_id=actor.id, created_at=work.now(), **columns)
    return await _keep(work, actor, log, given)


async def change(
    work: UnitOfWork, actor: Actor, uid: str, given: TransferInput, *, revision: int
) -> TransferLog:
    """Change a log that is not signed yet.

    Raises Missing, Conflict (signed), Invalid: also when it was changed since `revision`.
    """
    log = await _get_draft(work, actor, uid)
    if log.revision != revision:
        text = N_("Nội dung vừa được người khác đổi. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid("changed_meanwhile", text, field="revision")
    for name, value in log_columns(given, await check_input(work, actor, given)).items():
        setattr(log, name, value)
    # Other people in it make another log of it too.
    flag_modified(log, "search_text")
    return await _keep(work, actor, log, given)


async def _get_draft(work: UnitOfWork, actor: Actor, uid: str) -> TransferLog:
    log, _ = await _get(work, actor, uid, Action.TRANSFER_WRITE, lock=True)
    if log.state is not TransferState.DRAFT:
        raise Conflict("record_signed", N_("Bản này đã ký, chỉ có thể thêm bản bổ sung"))
    return log


async def _keep(
    work: UnitOfWork, actor: Actor, log: TransferLog, given: TransferInput
) -> TransferLog:
    work.session.add(log)
    await work.session.flush()
    await _set_members(work, log, given)
    work.audit(AuditTag.TRANSFER_WRITE, actor, _subject(log))
    return log


async def _set_members(work: UnitOfWork, log: TransferLog, given: TransferInput) -> None:
    await work.session.exec(delete(TransferMember).where(col(TransferMember.log_id) == log.id))
    parts = [(person, TransferPart.TRAINER) for person in dict.fromkeys(given.trainer_ids)]
    parts += [(person, TransferPart.TRAINEE) for person in dict.fromkeys(given.trainee_ids)]
    for person_id, part in parts:
        work.session.add(TransferMember(log_id=log.id or 0, person_id=person_id, part=part))
    await work.session.flush()


async def sign(
    work: UnitOfWork, actor: Actor, uid: str, method: SignatureMethod, *, revision: int
) -> TransferLog:
    """Sign as trainer or trainee. A trainer's first signature fixes the log for ever.

    Raises Missing (to a trainee also before a trainer has signed), Conflict (signed already),
    Invalid when a draft was changed since `revision`.
    """
    log, members = await _get(work, actor, uid, Action.TRANSFER_SIGN, lock=True)
    require(actor, Action.TRANSFER_READ, _facts(log, members))
    mine = [member for member, _ in members if member.person_id == actor.id]
    record = await records.find_record(work, RecordKind.TRANSFER_LOG, _subject(log))
    is_first = record is None
    if record is None:
        if log.revision != revision:
            text = N_("Nhật ký vừa được đổi. Đọc lại rồi ký.")
            raise Invalid("changed_meanwhile", text, field="revision")
        station = await work.session.get_one(Facility, log.station_id)
        content = fixed_content(log, station, members, package=await _package(work, log))
        record = await records.create_draft(
            work, RecordKind.TRANSFER_LOG, _subject(log), actor, content
        )
    for member in mine:
        await records.sign(
            work,
            record,
            actor,
            signed_as=member.part.value,
            method=method,
            login_session_id=actor.login_session_id,
        )
        member.signed_at = work.now()
        work.session.add(member)
    log.record_uid = record.uid
    is_complete = all(member.signed_at is not None for member, _ in members)
    log.state = TransferState.COMPLETE if is_complete else TransferState.SUBMITTED
    work.session.add(log)
    for member, person in members:
        if member.signed_at is None:
            work.announce(f"person:{person.uid}", "transfer_awaits_signature")
    if is_complete:
        await forget(work, log)
    elif is_first:
        await work.session.flush()
        await ask_for_signatures(work, log)
    return log


async def _package(work: UnitOfWork, log: TransferLog) -> TransferPackage | None:
    return await work.session.get(TransferPackage, log.package_id) if log.package_id else None


def fixed_content(
    log: TransferLog,
    station: Facility,
    members: Sequence[tuple[TransferMember, Person]],
    *,
    package: TransferPackage | None = None,
) -> dict[str, Any]:
    """Everything that the signatures stand for."""
    return {
        "station": {"code": station.code, "name": station.name},
        "technique": {"code": log.technique_code, "name": log.technique_name},
        "package": {"number": package.number, "title": package.title} if package else None,
        "type": log.type.value,
        "place": log.place.value,
        "starts_at": log.starts_at.isoformat(),
        "ends_at": log.ends_at.isoformat(),
        "cases": {
            "observed": log.observed,
            "assisted": log.assisted,
            "performed": log.performed,
        },
        "evaluation": log.evaluation,
        "incidents": log.incidents,
        "members": [
            {"name": person.full_name, "title": person.title, "part": member.part.value}
            for member, person in members
        ],
    }


async def add_addendum(
    work: UnitOfWork, actor: Actor, uid: str, *, text: str, reason: str, method: SignatureMethod
) -> SignedRecord:
    """A signed addition to a signed log, by anybody who took part."""
    log, members = await _get(work, actor, uid, Action.TRANSFER_SIGN)
    record = await records.find_record(work, RecordKind.TRANSFER_LOG, _subject(log))
    if record is None:
        raise Missing
    part = next(member.part for member, _ in members if member.person_id == actor.id)
    addendum = await records.create_draft(
        work,
        RecordKind.TRANSFER_LOG,
        _subject(log),
        actor,
        {"text": text, "reason": reason, "author": actor.name, "title": actor.title},
        amends=record,
    )
    await records.sign(
        work,
        addendum,
        actor,
        signed_as=part.value,
        method=method,
        login_session_id=actor.login_session_id,
    )
    work.audit(AuditTag.RECORD_ADDENDUM, actor, _subject(log))
    return addendum


async def open_log(work: UnitOfWork, actor: Actor, uid: str) -> OpenLog:
    """A log with its people and signatures; the look is on record."""
    log, members = await _get(work, actor, uid, Action.TRANSFER_READ)
    station = await work.session.get_one(Facility, log.station_id)
    record = await records.find_record(work, RecordKind.TRANSFER_LOG, _subject(log))
    addenda = await records.list_addenda(work, record) if record else []
    unsigned = [m for m, _ in members if m.person_id == actor.id and m.signed_at is None]
    is_draft = log.state is TransferState.DRAFT
    teaches = any(member.part is TransferPart.TRAINER for member in unsigned)
    work.audit(AuditTag.TRANSFER_READ, actor, _subject(log))
    return OpenLog(
        log=log,
        station=station,
        members=members,
        record=record,
        is_intact=await _are_intact(work, [record, *addenda] if record else []),
        may_edit=is_draft and actor.has(Role.ROTATED_DOCTOR, Role.TRAINER),
        may_sign=bool(unsigned) and (teaches or not is_draft),
        session=await work.session.get(LiveSession, log.session_id) if log.session_id else None,
        package=await _package(work, log),
        addenda=addenda,
    )


async def _are_intact(work: UnitOfWork, papers: Sequence[SignedRecord]) -> bool:
    signatures = [await records.list_signatures(work, paper) for paper in papers]
    return all(map(records.is_intact, papers, signatures))


async def start_session(work: UnitOfWork, actor: Actor, uid: str) -> LiveSession:
    """Meet by video about this log: everybody in it is called, again if the room is still open.

    Raises Missing, Conflict (signed).
    """
    log = await _get_draft(work, actor, uid)
    members = {log.author_id: ParticipantRole.TRAINER}
    for member, _ in await list_members(work, [log.id or 0]):
        members[member.person_id] = ParticipantRole(member.part.value)
    earlier = await work.session.get(LiveSession, log.session_id) if log.session_id else None
    if earlier and await call_for_transfer(work, actor, earlier.uid, members):
        return earlier
    session = await open_for_transfer(
        work,
        actor,
        title=log.technique_name[:_LONGEST_TITLE],
        station_id=log.station_id,
        members=list(members.items()),
    )
    log.session_id = session.id
    log.place = TransferPlace.LIVE_SESSION
    work.session.add(log)
    return session


async def search(
    work: UnitOfWork, actor: Actor, wanted: LogFilter
) -> tuple[list[tuple[TransferLog, Facility]], int | None]:
    """A page of logs, newest first, and where the next one starts."""
    require(actor, Action.TRANSFER_READ)
    rows = await list_logs(work, actor, wanted)
    older = rows[PAGE - 1][0].id if len(rows) > PAGE else None
    return rows[:PAGE], older


async def list_awaiting(work: UnitOfWork, actor: Actor) -> list[tuple[TransferLog, Facility]]:
    """Logs that wait for the actor's signature; for the home page."""
    return await list_logs(work, actor, LogFilter(awaits_me=True))
