"""The command line of Telemed; `telemed --help` lists the commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from telemed.commands import COMMANDS, CommandFailed
from telemed.commands.refusals import told_in_words
from telemed.core.config import SettingError, load_settings
from telemed.core.logs import set_up


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    parser = argparse.ArgumentParser(prog="telemed", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(subparsers)
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(
            host=getattr(given, "host", None),
            port=getattr(given, "port", None),
            demo=getattr(given, "demo", None) or None,
        )
        if given.needs_key:
            settings.signing_key()
            settings.turn_secrets()
        set_up(settings.log_level)
        with told_in_words():
            given.run(settings, given)
    except (SettingError, CommandFailed, OSError) as problem:
        print(f"telemed: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
