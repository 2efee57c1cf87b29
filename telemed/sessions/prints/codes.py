"""Codes on prints: 80 random bits in letters that nobody confuses (Crockford's base 32). Pure."""

from __future__ import annotations

import secrets

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
_GROUP = 4
_READ = str.maketrans("ILO", "110")


def new_code() -> str:
    """A code that nobody can guess."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def grouped(code: str) -> str:
    """As it stands on paper: `7KQ2-M0XV-…`."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def read_code(typed: str) -> str | None:
    """What somebody has typed off a paper; None for what cannot be a code."""
    code = "".join(letter for letter in typed.upper() if letter.isalnum()).translate(_READ)
    return code if len(code) == LENGTH and set(code) <= set(LETTERS) else None
