"""How far each part of the request form is, for the list beside it and the bar below it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from telemed.consults.request.fields import PREFILLED, Section
from telemed.core.errors import FieldError


class SectionState(StrEnum):
    """How far a part of the form is; an empty part that nobody asks for is optional."""

    DONE = "done"
    WRONG = "wrong"
    MISSING = "missing"
    OPTIONAL = "optional"


def is_missing(error: FieldError) -> bool:
    """True where nothing was given yet, which is no mistake while one is still writing."""
    return error.code.endswith("_missing")


def section_state(
    section: Section, fields: Mapping[str, str], errors: tuple[FieldError, ...], *, is_sent: bool
) -> SectionState:
    """How far a part is. Once somebody tried to send, what is missing is wrong too."""
    mine = [error for error in errors if error.field in section.fields]
    if any(is_sent or not is_missing(error) for error in mine):
        return SectionState.WRONG
    if mine:
        return SectionState.MISSING
    begun = any(fields.get(name) for name in section.fields if name not in PREFILLED)
    return SectionState.DONE if begun or section.is_needed else SectionState.OPTIONAL
