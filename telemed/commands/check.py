"""`telemed check-config` and `telemed verify-audit`."""

from __future__ import annotations

import argparse
import asyncio
import json

from telemed.commands.base import Command, CommandFailed
from telemed.core.audit import Anchor, ChainFault, count_records, verify_chain
from telemed.core.config import Settings
from telemed.core.db import Database

ANCHORS = "audit-anchors.jsonl"


def _check_config(settings: Settings, _given: argparse.Namespace) -> None:
    # Settings were read and checked before any command runs; a bad one never comes here.
    engine = "SQLite" if settings.is_embedded else "PostgreSQL"
    print(f"Settings are sound: {settings.origin}, {engine}, files in {settings.data_dir}")


def read_anchors(settings: Settings) -> list[Anchor]:
    """Chain heads that were written outside the database."""
    path = settings.data_dir / ANCHORS
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Anchor(row["sequence"], row["hash"]) for row in rows]


async def _verify(settings: Settings) -> tuple[int, ChainFault | None]:
    database = Database(settings.database)
    try:
        async with database.read() as work:
            fault = await verify_chain(work.session, read_anchors(settings))
            return await count_records(work.session), fault
    finally:
        await database.close()


def _verify_audit(settings: Settings, _given: argparse.Namespace) -> None:
    count, fault = asyncio.run(_verify(settings))
    if fault is not None:
        raise CommandFailed(f"audit chain broken at record {fault.sequence}: {fault.problem}")
    print(f"Audit chain holds: {count} records")


CHECK_CONFIG = Command("check-config", "check the settings and name the first bad one", _check_config)
VERIFY_AUDIT = Command("verify-audit", "walk the audit chain and name its first fault", _verify_audit)
