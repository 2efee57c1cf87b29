"""Telling those whose signature a transfer log still needs: at once, and again while it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from telemed.core.db import UnitOfWork
from telemed.core.jobs import cancel, enqueue
from telemed.notices.kinds import NoticeKind
from telemed.notices.service import News, notify
from telemed.training.models import TransferLog, TransferState
from telemed.training.repository import find_log, list_members

REMIND_JOB: Final = "transfer.remind"
# After the first signature; nobody is reminded for ever.
AGAIN_AFTER: Final = (timedelta(days=2), timedelta(days=7), timedelta(days=21))


async def ask_for_signatures(work: UnitOfWork, log: TransferLog) -> None:
    """Tell the others of the first signature, and plan to tell them again."""
    await _tell(work, log, "first")
    await _plan(work, log, 0)


async def forget(work: UnitOfWork, log: TransferLog) -> None:
    """Everybody has signed."""
    await cancel(work, REMIND_JOB, log.uid)


async def remind(work: UnitOfWork, payload: Mapping[str, Any]) -> None:
    """Job `transfer.remind`: tell whoever has not signed by now."""
    log = await find_log(work, str(payload["uid"]))
    if log is None or log.state is not TransferState.SUBMITTED:
        return
    number = int(payload["number"])
    await _tell(work, log, str(number))
    await _plan(work, log, number + 1)


async def _tell(work: UnitOfWork, log: TransferLog, when: str) -> None:
    members = await list_members(work, [log.id or 0])
    missing = {member.person_id for member, _ in members if member.signed_at is None}
    if missing:
        about = f"transfer:{log.uid}"
        key = f"{about}:{when}"
        await notify(work, News(NoticeKind.SIGNATURE_DUE, missing, key=key, about=about))


async def _plan(work: UnitOfWork, log: TransferLog, number: int) -> None:
    if number < len(AGAIN_AFTER):
        before = AGAIN_AFTER[number - 1] if number else timedelta(0)
        due_at = work.now() + AGAIN_AFTER[number] - before
        payload = {"uid": log.uid, "number": number}
        await enqueue(work, REMIND_JOB, log.uid, due_at, payload)
