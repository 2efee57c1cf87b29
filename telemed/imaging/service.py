"""Attachments: the original kept bit for bit, a safe preview to look at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, func, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults import service as consults
from telemed.consults.models import Consult
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing, Unsupported
from telemed.core.events import append_event, stream_of
from telemed.core.text import clean_line
from telemed.imaging.content import IMAGES, MediaType, display_name, media_type_of
from telemed.imaging.models import FileState, StoredFile
from telemed.imaging.previews import Previewer
from telemed.imaging.storage import Received, Storage

MOST_FILES = 40


@dataclass(frozen=True)
class Arrival:
    """A file that is whole, known by type, kept, and has its preview; only its row is missing."""

    received: Received
    media_type: MediaType
    name: str
    preview: Received | None
    width: int | None = None
    height: int | None = None


async def check_may_attach(work: UnitOfWork, actor: Actor, consult_uid: str) -> None:
    """Refuse before any byte is read. Raises Missing, Conflict (too many files)."""
    consult = await consults.get_case(work, actor, consult_uid, Action.FILE_WRITE)
    await _check_room(work, consult)


async def _check_room(work: UnitOfWork, consult: Consult) -> None:
    count = select(func.count()).select_from(StoredFile)
    query = count.where(col(StoredFile.consult_id) == consult.id)
    if (await work.session.exec(query)).one() >= MOST_FILES:
        raise Conflict("too_many_files", N_("Ca này đã có đủ {most} tệp"), most=MOST_FILES)


async def take_in(
    storage: Storage, previewer: Previewer, received: Received, given_name: str | None
) -> Arrival:
    """Judge received bytes by their content and keep them. No transaction is open meanwhile.

    Raises Unsupported for another type, Invalid for nothing or a picture that cannot be read.
    """
    if not received.size_bytes:
        await storage.discard(received)
        raise Invalid("file_missing", N_("Chọn một tệp để gửi"), field="file")
    media_type = media_type_of(received.head)
    if media_type is None:
        await storage.discard(received)
        text = N_("Chỉ nhận ảnh JPEG, PNG, WebP hoặc tệp PDF")
        fault = FieldError("file", "file_type_unknown", text)
        raise Unsupported("file_type_unknown", text, fields=(fault,))
    name = display_name(given_name, media_type)
    if media_type not in IMAGES:
        await storage.keep(received)
        return Arrival(received, media_type, name, None)
    preview = await previewer.make(received)
    if preview is None:
        await storage.discard(received)
        text = N_("Ảnh bị hỏng hoặc quá lớn nên không mở được. Chụp lại rồi gửi.")
        raise Invalid("file_unreadable", text, field="file")
    await storage.keep(received)
    await storage.keep(preview.received)
    return Arrival(received, media_type, name, preview.received, preview.width, preview.height)


async def attach(
    work: UnitOfWork, actor: Actor, consult_uid: str, arrival: Arrival, caption: str = ""
) -> StoredFile:
    """Add a kept file to a case; the same bytes again give the same file.

    Raises Missing, Conflict (too many files).
    """
    consult = await consults.get_case(work, actor, consult_uid, Action.FILE_WRITE, lock=True)
    earlier = await _find_same(work, consult, arrival.received.sha256)
    if earlier is not None:
        return earlier
    await _check_room(work, consult)
    stored = StoredFile(
        consult_id=consult.id or 0,
        patient_id=consult.patient_id,
        station_id=consult.station_id,
        uploaded_by_id=actor.id,
        sha256=arrival.received.sha256,
        size_bytes=arrival.received.size_bytes,
        media_type=arrival.media_type,
        original_name=arrival.name,
        caption=clean_line(caption),
        state=FileState.READY,
        preview_sha256=arrival.preview.sha256 if arrival.preview else None,
        width=arrival.width,
        height=arrival.height,
        at=work.now(),
    )
    work.session.add(stored)
    await work.session.flush()
    subject = stream_of("consult", consult.uid)
    await append_event(work, subject, "file_attached", actor.id, file=stored.uid)
    work.audit(AuditTag.FILE_WRITE, actor, subject, patient_id=consult.patient_id, file=stored.uid)
    return stored


async def _find_same(work: UnitOfWork, consult: Consult, sha256: str) -> StoredFile | None:
    query = select(StoredFile).where(
        col(StoredFile.consult_id) == consult.id, col(StoredFile.sha256) == sha256
    )
    return (await work.session.exec(query)).one_or_none()


async def find_file(work: UnitOfWork, consult: Consult, uid: str) -> StoredFile | None:
    """A file of a case that the caller was let into."""
    query = select(StoredFile).where(
        col(StoredFile.consult_id) == consult.id, col(StoredFile.uid) == uid
    )
    return (await work.session.exec(query)).one_or_none()


async def list_files(work: UnitOfWork, actor: Actor, consult: Consult) -> list[StoredFile]:
    """The files of a case in the order they came."""
    require(actor, Action.FILE_READ, consults.facts_of(consult, work))
    query = select(StoredFile).where(col(StoredFile.consult_id) == consult.id)
    return list((await work.session.exec(query.order_by(col(StoredFile.id)))).all())


async def count_files(work: UnitOfWork, consult_ids: list[int]) -> dict[int, int]:
    """How many files each case has; says nothing about them."""
    query = (
        select(StoredFile.consult_id, func.count())
        .where(col(StoredFile.consult_id).in_(consult_ids))
        .group_by(col(StoredFile.consult_id))
    )
    return dict((await work.session.exec(query)).all())


async def open_file(work: UnitOfWork, actor: Actor, uid: str, *, preview: bool) -> StoredFile:
    """A file that the actor may read; every look is on record. Raises Missing."""
    query = (
        select(StoredFile, Consult.uid)
        .join(Consult, col(Consult.id) == col(StoredFile.consult_id))
        .where(col(StoredFile.uid) == uid)
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None:
        raise Missing
    stored, consult_uid = row
    await consults.get_case(work, actor, consult_uid, Action.FILE_READ)
    if preview and stored.preview_sha256 is None:
        raise Missing
    work.audit(
        AuditTag.FILE_READ,
        actor,
        stream_of("consult", consult_uid),
        patient_id=stored.patient_id,
        file=uid,
        preview=preview,
    )
    return stored
