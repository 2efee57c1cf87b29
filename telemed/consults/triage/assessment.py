"""What the scores say of one patient at one time, and how that stands to the doctor's urgency."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from telemed.consults.triage import news2
from telemed.consults.triage.danger_signs import DangerSign, level_of, signs_for
from telemed.consults.triage.news2 import News2, score_news2
from telemed.consults.triage.observations import Level, Observations, Sign, Subject
from telemed.consults.triage.vital_limits import Finding, find_vitals

# Without these nothing can be said to be within the limits of the triage charts.
_NEEDED = (Sign.PULSE, Sign.RESPIRATION, Sign.SPO2, Sign.TEMPERATURE, Sign.CONSCIOUSNESS)


class Disagreement(StrEnum):
    """How the scores stand to what the doctor chose."""

    MORE_URGENT = "more_urgent"
    LESS_URGENT = "less_urgent"


@dataclass(frozen=True)
class Assessment:
    """NEWS2 where it applies; everything else by the interagency charts."""

    news2: News2 | None
    findings: tuple[Finding, ...]
    signs: tuple[DangerSign, ...]
    missing: tuple[Sign, ...]

    @property
    def level(self) -> Level | None:
        """The most urgent of all; calm only where everything needed was measured."""
        levels = [each.level for each in self.findings] + [level_of(sign) for sign in self.signs]
        if self.news2 and self.news2.level:
            levels.append(self.news2.level)
        if not levels:
            return None if self.missing else Level.ROUTINE
        most = min(levels, key=lambda level: level.rank)
        return None if most is Level.ROUTINE and self.missing else most

    def disagrees(self, chosen: Level | None) -> Disagreement | None:
        """Whether the doctor chose otherwise, which stands; None also while either is unknown."""
        level = self.level
        if level is None or chosen is None or level is chosen:
            return None
        is_more = level.rank < chosen.rank
        return Disagreement.MORE_URGENT if is_more else Disagreement.LESS_URGENT


def assess(subject: Subject, seen: Observations, signs: Collection[DangerSign] = ()) -> Assessment:
    """Every score that was made for such a patient."""
    score = score_news2(subject, seen) if news2.applies_to(subject) else None
    found = find_vitals(subject, seen)
    if subject.has_low_target:
        # The charts know nothing of a target of 88-92 %.
        found = tuple(each for each in found if each.sign is not Sign.SPO2)
    needed = news2.PARAMETERS if score else _NEEDED
    return Assessment(
        news2=score,
        findings=found,
        signs=tuple(sign for sign in signs_for(subject) if sign in signs),
        missing=tuple(sign for sign in needed if not seen.has(sign)),
    )
