"""`telemed demo`: the synthetic province, for a try-out on this machine."""

from __future__ import annotations

import argparse

import uvloop

from telemed.accounts.permissions import Role
from telemed.accounts.service import is_demo_open
from telemed.commands.base import Command, CommandFailed
from telemed.commands.tables import only_writer, prepare
from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.demo.accounts_file import cells
from telemed.demo.cast import Login
from telemed.demo.fill import Filled, fill
from telemed.demo.state import Content, look


class DemoRefused(Exception):
    """The database holds something else; one line says so."""


async def fill_demo(settings: Settings, database: Database) -> Filled | None:
    """Fill an empty database; None when it was filled before.

    Raises DemoRefused for one that holds anything else.
    """
    async with database.read() as work:
        content = await look(work)
    if content is Content.OTHER:
        raise DemoRefused("this database holds something else; demo data need an empty one")
    if content is Content.DEMO:
        return None
    return await fill(settings, database)


def show_accounts(filled: Filled) -> None:
    """Print, this once, how to sign in as one person of each role."""
    counts = (
        f"{filled.patients} patients, {filled.consults} consults, {len(filled.logins)} accounts"
    )
    print(f"Synthetic province: {counts}. Passwords of all: {filled.accounts_file}")
    shown: dict[Role, Login] = {}
    for login in reversed(filled.logins):
        shown |= dict.fromkeys(login.part.roles, login)
    for role in Role:
        sign_in_name, password, secret, name = cells(shown[role])
        print(f"  {sign_in_name:16} {password}  {secret:32}  {name}")


def refuse_beyond_loopback(settings: Settings) -> None:
    """A demo lets anybody in who comes from this machine; nobody else may reach it."""
    if not is_demo_open(settings.model_copy(update={"demo": True})):
        raise CommandFailed("TELEMED_HOST: demo data are served on loopback only")


async def _fill(settings: Settings) -> Filled | None:
    database = Database(settings.database, settings=settings)
    try:
        await prepare(settings, database)
        return await fill_demo(settings, database)
    except DemoRefused as refusal:
        raise CommandFailed(str(refusal)) from refusal
    finally:
        await database.close()


def _demo(settings: Settings, _given: argparse.Namespace) -> None:
    refuse_beyond_loopback(settings)
    with only_writer(settings):
        filled = uvloop.run(_fill(settings))
    if filled is None:
        print("This database holds the synthetic province already")
    else:
        show_accounts(filled)


DEMO = Command("demo", "fill an empty database with a synthetic province", _demo)
