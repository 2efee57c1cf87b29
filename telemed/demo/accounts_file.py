"""The file with everybody's password, for the owner of the machine alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from telemed.demo.cast import Login

NAME = "demo-accounts.txt"
HEAD = "sign-in name\tpassword\tauthenticator secret (base32)\tname"


def write_accounts(folder: Path, logins: Sequence[Login]) -> Path:
    """Keep what the accounts sign in with; the file is whole, or not there."""
    lines = [HEAD, *("\t".join(cells(login)) for login in logins), ""]
    folder.mkdir(parents=True, exist_ok=True)
    path, draft = folder / NAME, folder / f"{NAME}.part"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        target.write("\n".join(lines))
        target.flush()
        os.fsync(target.fileno())
    draft.rename(path)
    return path


def cells(login: Login) -> tuple[str, str, str, str]:
    """What one person signs in with, in the order of HEAD."""
    part = login.part
    return part.sign_in_name, login.password, login.secret or "-", part.name
