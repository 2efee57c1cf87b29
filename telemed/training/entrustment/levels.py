"""How much supervision somebody needs, what a decision is worth, and what an assessor says. Pure.

Levels 1 to 5 after ten Cate (BMC Med Educ 2021, table 2).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Entrusted(IntEnum):
    """How much supervision a person needs for a technique."""

    OBSERVES = 1
    DIRECTLY_SUPERVISED = 2
    HELP_AT_HAND = 3
    ALONE = 4
    SUPERVISES = 5


class Basis(StrEnum):
    """For the case at hand, or until the decision expires."""

    AD_HOC = "ad_hoc"
    SUMMATIVE = "summative"


class Verdict(StrEnum):
    """What an assessor says of a technique at a station."""

    PASSED = "passed"
    CONDITIONAL = "conditional"
    FAILED = "failed"


class Standing(StrEnum):
    """What a decision is worth today."""

    HOLDS = "holds"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
