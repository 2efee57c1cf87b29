"""`telemed serve` and `telemed migrate`."""

from __future__ import annotations

import argparse

import uvloop
from aiohttp import web

from telemed.app import create_app
from telemed.commands.base import Command, CommandFailed
from telemed.commands.demo import DemoRefused, fill_demo
from telemed.consults.icd import load_who
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.facilities.service import seed_province
from telemed.migrations import is_current, migrate
from telemed.web.access_log import AccessLogger

STOP_SECONDS = 3


async def prepare(database: Database) -> None:
    """Bring the tables and the reference data (places, diagnosis codes) to this version."""
    await migrate(database)
    async with database.work() as work:
        await seed_province(work)
        await load_who(work)


async def _ready(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        if settings.is_embedded:
            await prepare(database)
        elif not await is_current(database):
            raise CommandFailed("the database is not at this version; run `telemed migrate` first")
        if settings.demo:
            await fill_demo(settings, database)
    except DemoRefused as refusal:
        raise CommandFailed(str(refusal)) from refusal
    finally:
        await database.close()


def _serve(settings: Settings, _given: argparse.Namespace) -> None:
    if settings.demo and not settings.is_loopback:
        raise CommandFailed("demo data are served on loopback only")
    uvloop.run(_ready(settings))
    print(f"Telemed: {settings.origin}", flush=True)
    web.run_app(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        shutdown_timeout=STOP_SECONDS,
        access_log_class=AccessLogger,
        print=lambda *_: None,
        loop=uvloop.new_event_loop(),
    )


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080)")
    parser.add_argument(
        "--demo", action="store_true", help="fill an empty database with a synthetic province"
    )


def _migrate(settings: Settings, _given: argparse.Namespace) -> None:
    async def run() -> None:
        database = Database(settings.database)
        try:
            await prepare(database)
        finally:
            await database.close()

    uvloop.run(run())


SERVE = Command("serve", "serve the pages", _serve, _serve_arguments)
MIGRATE = Command("migrate", "bring the database to this version", _migrate)
