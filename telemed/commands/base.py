"""What a command is: a name, its arguments, what it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telemed.core.config import Settings


class CommandFailed(Exception):
    """A command that cannot do its work; one line says why."""


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    return None


@dataclass(frozen=True)
class Command:
    """One word of the command line. Without `needs_key` it runs before there is a secret key."""

    name: str
    summary: str
    run: Callable[[Settings, argparse.Namespace], None]
    arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    needs_key: bool = True

    def add_to(self, subparsers: Any) -> None:
        """Offer this command."""
        parser = subparsers.add_parser(self.name, help=self.summary, description=self.summary)
        self.arguments(parser)
        parser.set_defaults(run=self.run, needs_key=self.needs_key)
