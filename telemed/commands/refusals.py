"""Refusals of the product as a person at the command line reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from telemed.commands.base import CommandFailed
from telemed.core.errors import N_, FieldError, Invalid, TelemedError
from telemed.core.i18n import Catalogue
from telemed.core.paths import LOCALE

LANGUAGE = "en"


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn a refusal into the failure of a command: its words, or those of each field."""
    try:
        yield
    except TelemedError as refusal:
        catalogue = Catalogue(LOCALE)
        lines = [
            catalogue.translate(LANGUAGE, item.message, item.params) for item in refusal.fields
        ]
        words = "\n".join(lines) or catalogue.explain(LANGUAGE, refusal)
        raise CommandFailed(words) from refusal


@contextmanager
def first_only(most: int) -> Iterator[None]:
    """Let a refusal with very many fields name the first ones, and how many more there are."""
    try:
        yield
    except Invalid as refusal:
        left = len(refusal.fields) - most
        if left <= 0:
            raise
        more = FieldError("file", "more", N_("và {count} chỗ nữa"), {"count": left})
        raise Invalid.of([*refusal.fields[:most], more]) from refusal
