"""Whose cases these are: files of one person joined or parted, told to everybody of each case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlmodel import col, select

from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult
from telemed.consults.rights.restriction import follow
from telemed.core.db import UnitOfWork
from telemed.core.events import Fact, append_events, stream_of
from telemed.patients.merging import service as merging
from telemed.patients.merging.models import PatientMerge
from telemed.patients.merging.service import Grounds
from telemed.patients.models import Patient

IDENTIFIED: Final = "patient_identified"
SEPARATED: Final = "patient_separated"


async def merge(
    work: UnitOfWork, actor: Actor, source_uid: str, target_uid: str, grounds: Grounds
) -> PatientMerge:
    """Join two files; whoever has one of the cases open sees whose it is now."""
    done = await merging.merge(work, actor, source_uid, target_uid, grounds)
    await _follow(work, done)
    await _tell(work, actor, done, IDENTIFIED)
    return done


async def undo(
    work: UnitOfWork, actor: Actor, patient_uid: str, merge_uid: str, reason: str
) -> PatientMerge:
    """Part them again; raises as `merging.undo`."""
    done = await merging.undo(work, actor, patient_uid, merge_uid, reason)
    await _follow(work, done)
    await _tell(work, actor, done, SEPARATED)
    return done


async def _follow(work: UnitOfWork, done: PatientMerge) -> None:
    for key in (done.source_id, done.target_id):
        await follow(work, await work.session.get_one(Patient, key))


async def _tell(work: UnitOfWork, actor: Actor, done: PatientMerge, kind: str) -> None:
    keys: Sequence[int] = done.moved.get(Consult.__tablename__, [])
    query = select(Consult.uid).where(col(Consult.id).in_(keys)).order_by(col(Consult.id))
    uids = (await work.session.exec(query)).all() if keys else []
    facts = [Fact(stream_of("consult", uid), kind, actor.id, {}) for uid in uids]
    if facts:
        await append_events(work, facts)
