"""`telemed techniques import FILE.csv`: the national list of techniques, or a newer one."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from telemed.commands.base import Command
from telemed.commands.refusals import first_only
from telemed.commands.tables import only_writer, prepare
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.training.techniques.service import Imported, import_file

ERRORS_SHOWN = 20


async def _load(settings: Settings, path: Path) -> Imported:
    database = Database(settings.database, settings=settings)
    try:
        await prepare(settings, database)
        async with database.work() as work:
            return await import_file(work, path)
    finally:
        await database.close()


def _import(settings: Settings, given: argparse.Namespace) -> None:
    with only_writer(settings), first_only(ERRORS_SHOWN):
        done = asyncio.run(_load(settings, given.file))
    print(
        f"Techniques: {done.added} added, {done.renamed} renamed, {done.returned} taken up again,"
        f" {done.retired} no longer offered, {done.unchanged} as before"
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=["import"])
    parser.add_argument(
        "file", type=Path, help="CSV (comma, semicolon or tab) with code and name of each technique"
    )


TECHNIQUES = Command(
    "techniques", "load the national list of techniques from a file", _import, _arguments
)
