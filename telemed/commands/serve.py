"""`telemed serve` and `telemed migrate`."""

from __future__ import annotations

import argparse

import uvloop
from aiohttp import web

from telemed.app import create_app
from telemed.commands.base import Command, CommandFailed
from telemed.commands.demo import (
    DemoRefused,
    fill_demo,
    refuse_beyond_loopback,
    show_accounts,
)
from telemed.commands.tables import bring_up, only_writer, prepare
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.web.access_log import AccessLogger

STOP_SECONDS = 3


async def _ready(settings: Settings) -> None:
    database = Database(settings.database, settings=settings)
    try:
        await prepare(settings, database)
        filled = await fill_demo(settings, database) if settings.demo else None
    except DemoRefused as refusal:
        raise CommandFailed(str(refusal)) from refusal
    finally:
        await database.close()
    if filled is not None:
        show_accounts(filled)


def _serve(settings: Settings, _given: argparse.Namespace) -> None:
    if settings.demo:
        refuse_beyond_loopback(settings)
    with only_writer(settings):
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
        database = Database(settings.database, settings=settings)
        try:
            await bring_up(database)
        finally:
            await database.close()

    with only_writer(settings):
        uvloop.run(run())


SERVE = Command("serve", "serve the pages", _serve, _serve_arguments)
MIGRATE = Command("migrate", "bring the database to this version", _migrate)
