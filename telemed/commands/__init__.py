"""The commands of an installation, each a small module over the services."""

from __future__ import annotations

from telemed.commands.base import Command, CommandFailed
from telemed.commands.check import CHECK_CONFIG, VERIFY_AUDIT
from telemed.commands.demo import DEMO
from telemed.commands.icd import ICD
from telemed.commands.serve import MIGRATE, SERVE

COMMANDS: tuple[Command, ...] = (SERVE, MIGRATE, DEMO, CHECK_CONFIG, VERIFY_AUDIT, ICD)

__all__ = ["COMMANDS", "Command", "CommandFailed"]
