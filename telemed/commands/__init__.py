"""The commands of an installation, each a small module over the services."""

from __future__ import annotations

from telemed.commands.backup.restore import RESTORE
from telemed.commands.backup.save import BACKUP
from telemed.commands.base import Command, CommandFailed
from telemed.commands.check import CHECK_CONFIG, VERIFY_AUDIT
from telemed.commands.demo import DEMO
from telemed.commands.icd import ICD
from telemed.commands.serve import MIGRATE, SERVE
from telemed.commands.techniques import TECHNIQUES
from telemed.commands.user import USER

COMMANDS: tuple[Command, ...] = (
    SERVE,
    MIGRATE,
    DEMO,
    USER,
    ICD,
    TECHNIQUES,
    BACKUP,
    RESTORE,
    CHECK_CONFIG,
    VERIFY_AUDIT,
)

__all__ = ["COMMANDS", "Command", "CommandFailed"]
