"""`telemed icd import FILE.csv`: another list of diagnosis codes, beside those that are there."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from telemed.commands.base import Command
from telemed.commands.tables import only_writer, prepare
from telemed.consults.icd import import_csv
from telemed.core.config import Settings
from telemed.core.db import Database


async def _load(settings: Settings, given: argparse.Namespace) -> int:
    database = Database(settings.database, settings=settings)
    try:
        await prepare(settings, database)
        async with database.work() as work:
            return await import_csv(
                work,
                given.file,
                system=given.system,
                version=given.list_version,
                attribution=given.attribution,
            )
    finally:
        await database.close()


def _import(settings: Settings, given: argparse.Namespace) -> None:
    with only_writer(settings):
        count = asyncio.run(_load(settings, given))
    list_name = f"{given.system} {given.list_version}"
    print(f"{list_name}: {count} codes loaded" if count else f"{list_name}: nothing new")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=["import"])
    parser.add_argument("file", type=Path, help="CSV in UTF-8 with the columns code,title")
    parser.add_argument("--system", default="ICD-10 VN", help="name of the list (ICD-10 VN)")
    parser.add_argument(
        "--version", dest="list_version", required=True, help="version of the list, as 06/2026"
    )
    parser.add_argument("--attribution", default="", help="whose list it is, shown beside results")


ICD = Command("icd", "load a list of diagnosis codes from a file", _import, _arguments)
