"""`telemed user`: the first administrator, and a new code for somebody whom nobody else can help."""

from __future__ import annotations

import argparse
from datetime import timedelta

import uvloop

from telemed.accounts.people.service import create_first_administrator, issue_code_by_command
from telemed.commands.base import Command
from telemed.commands.tables import only_writer, prepare
from telemed.core.config import Settings
from telemed.core.db import Database


async def _act(settings: Settings, given: argparse.Namespace) -> str:
    database = Database(settings.database, settings=settings)
    lasts = timedelta(hours=settings.activation_hours)
    name = given.sign_in_name
    try:
        await prepare(settings, database)
        if given.act == "add-administrator":
            return await create_first_administrator(database, name, given.name, lasts=lasts)
        return await issue_code_by_command(database, name, lasts=lasts)
    finally:
        await database.close()


def _user(settings: Settings, given: argparse.Namespace) -> None:
    with only_writer(settings):
        code = uvloop.run(_act(settings, given))
    print(f"Activation code for {given.sign_in_name}, good for {settings.activation_hours} hours:")
    print(f"  {code}")
    print(f"Use it at {settings.origin}/activate")


def _arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    first = acts.add_parser("add-administrator", help="the account that makes all others")
    first.add_argument("name", metavar="NAME", help="name of the person, in quotes")
    first.add_argument("sign_in_name", metavar="SIGN_IN_NAME")
    again = acts.add_parser("activation-code", help="another code for an account that exists")
    again.add_argument("sign_in_name", metavar="SIGN_IN_NAME")


USER = Command("user", "the first administrator; activation codes", _user, _arguments)
