"""`telemed check-config` and `telemed verify-audit`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from telemed.commands.base import Command, CommandFailed
from telemed.core.anchors import FILE, read_anchors
from telemed.core.audit import ChainFault, count_records, verify_chain
from telemed.core.config import Settings
from telemed.core.db import Database


def _check_config(settings: Settings, _given: argparse.Namespace) -> None:
    # Settings were read and checked before any command runs; a bad one never comes here.
    engine = "SQLite" if settings.is_embedded else "PostgreSQL"
    print(f"Settings are sound: {settings.origin}, {engine}, files in {settings.data_dir}")
    if settings.is_https and not settings.trusted_proxies:
        print(
            "TELEMED_TRUSTED_PROXIES is empty: behind a proxy everybody would share one address, "
            "and with it one limit on sign-ins. Name the proxy, such as 127.0.0.1."
        )


async def check_chain(database: Database, anchors: Path) -> tuple[int, ChainFault | None]:
    """How many records the audit chain has, and its first fault; the server may be at work."""
    # Read first: an anchor taken meanwhile may lie beyond the snapshot.
    known = await asyncio.to_thread(read_anchors, anchors)
    async with database.read() as work:
        if work.dialect == "postgresql":
            snapshot = {"isolation_level": "REPEATABLE READ"}
            await work.session.connection(execution_options=snapshot)
        fault = await verify_chain(work.session, known)
        return await count_records(work.session), fault


def _verify_audit(settings: Settings, _given: argparse.Namespace) -> None:
    async def run() -> tuple[int, ChainFault | None]:
        database = Database(settings.database, settings=settings)
        try:
            return await check_chain(database, settings.data_dir / FILE)
        finally:
            await database.close()

    count, fault = asyncio.run(run())
    if fault is not None:
        raise CommandFailed(f"audit chain broken at record {fault.sequence}: {fault.problem}")
    print(f"Audit chain holds: {count} records")


CHECK_CONFIG = Command(
    "check-config", "check the settings and name the first bad one", _check_config
)
VERIFY_AUDIT = Command(
    "verify-audit", "walk the audit chain and name its first fault", _verify_audit
)
