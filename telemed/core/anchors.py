"""Heads of the audit chain, written down outside the database every hour.

Whoever can rewrite the database cannot make its chain fit what was written down elsewhere; copy
the file to another machine to make that true for whoever can rewrite this one.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlmodel import col, select

from telemed.core.audit import Anchor, AuditHead
from telemed.core.db import UnitOfWork
from telemed.core.jobs import Job, enqueue

FILE = "audit-anchors.jsonl"
ANCHOR_JOB = "audit.anchor"
ANCHOR_EVERY = timedelta(hours=1)
_ONLY = "hourly"


async def plan_anchors(work: UnitOfWork) -> None:
    """Begin to write anchors, now; a plan that exists stays."""
    query = select(Job.id).where(col(Job.kind) == ANCHOR_JOB, col(Job.key) == _ONLY)
    if (await work.session.exec(query)).first() is None:
        await enqueue(work, ANCHOR_JOB, _ONLY, work.now())


async def anchor(work: UnitOfWork, _payload: dict[str, Any]) -> None:
    """Job `audit.anchor`: write the head down, and do it again in an hour."""
    head = (await work.session.exec(select(AuditHead))).one()
    line = _line(head, work.now())
    path = work.settings.data_dir / FILE
    await enqueue(work, ANCHOR_JOB, _ONLY, work.now() + ANCHOR_EVERY)
    # A disk may be slow, and a head that is not committed is none.
    work.after_commit(lambda: asyncio.to_thread(_append, path, line))


def _line(head: AuditHead, at: datetime) -> str:
    return json.dumps({"sequence": head.sequence, "hash": head.hash, "at": at.isoformat()})


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as target:
        # What a power cut left of the last line would spoil this one.
        is_torn = target.tell() > 0 and _last_byte(target) != b"\n"
        target.write((b"\n" if is_torn else b"") + line.encode() + b"\n")
        target.flush()
        os.fsync(target.fileno())


def _last_byte(target: BinaryIO) -> bytes:
    target.seek(-1, os.SEEK_END)
    return target.read(1)


def read_anchors(path: Path) -> list[Anchor]:
    """What was written down, without a line that a power cut tore; nothing for no file."""
    if not path.exists():
        return []
    anchors = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        anchors.append(Anchor(row["sequence"], row["hash"]))
    return anchors
