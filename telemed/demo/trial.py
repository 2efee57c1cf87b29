"""What a made-up person signs with, shown to whoever tries a demo on their own machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyotp

from telemed.accounts.permissions import Actor
from telemed.core.clock import Clock
from telemed.demo.accounts_file import NAME

NO_FACTOR = "-"


class TrialLogins:
    """Passwords of the accounts file by the name of the person; empty anywhere but in a demo."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._clock = clock
        self._by_name = _read(folder / NAME) if folder else {}

    def of(self, actor: Actor) -> Mapping[str, str] | None:
        """`password` and, where there is a second factor, the `code` of this moment."""
        login = self._by_name.get(actor.name)
        if login is None:
            return None
        password, secret = login
        code = "" if secret == NO_FACTOR else pyotp.TOTP(secret).at(self._clock.now())
        return {"password": password, "code": code}


def _read(path: Path) -> dict[str, tuple[str, str]]:
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return {name: (password, secret) for _, password, secret, name in rows}
