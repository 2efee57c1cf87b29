"""The made-up texts, read from the files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telemed.accounts.permissions import Role
from telemed.consults.models import Urgency
from telemed.patients.models import Sex
from telemed.training.models import TransferType

FOLDER = Path(__file__).parent
Span = tuple[float, float]


@dataclass(frozen=True)
class CaseText:
    """One kind of case; `talk` begins with `s:` for the specialist or `t:` for the station."""

    specialty: str
    icd: str
    urgencies: Sequence[Urgency]
    ages: Span
    reason: str
    history: str
    examination: str
    diagnosis: str
    vitals: Mapping[str, Span]
    questions: Sequence[str]
    conclusions: Sequence[str]
    findings: str
    advice: str
    referral: str
    follow_up_days: int
    ask: str
    tell: str
    talk: Sequence[str]
    weight: int = 2
    sex: Sex | None = None
    allergy: str = ""
    medication: str = ""
    treatment: str = ""
    modify: str = ""
    pictures: Sequence[str] = ()

    def suits(self, age_years: float, sex: Sex) -> bool:
        """Whether this can happen to such a person."""
        return self.ages[0] <= age_years <= self.ages[1] and self.sex in {None, sex}


@dataclass(frozen=True)
class NameText:
    """How one people builds its names."""

    ethnic: str
    weight: int
    language: str
    speaks_it: float
    families: Sequence[str]
    male: Sequence[str]
    female: Sequence[str]


@dataclass(frozen=True)
class Part:
    """One account that is not a station's."""

    name: str
    sign_in_name: str
    roles: frozenset[Role]
    department: str = ""
    facility: str = ""
    specialties: Sequence[str] = ()
    phone: str = ""


@dataclass(frozen=True)
class Technique:
    """Something that is handed over to a station."""

    name: str
    specialty: str
    type: TransferType
    evaluation: str


@dataclass(frozen=True)
class Texts:
    """Everything that is said in the synthetic province."""

    cases: Sequence[CaseText]
    names: Sequence[NameText]
    villages: Sequence[str]
    allergies: Sequence[str]
    station: Mapping[str, str]
    parts: Sequence[Part]
    phrases: Mapping[str, Any]
    techniques: Sequence[Technique]
    tasks: Sequence[str]
    weeks: Sequence[str]
    by_specialty: Mapping[str, Sequence[CaseText]] = field(default_factory=dict)


def read_texts() -> Texts:
    """All texts. Reads files."""
    names, cast, training = _read("names"), _read("cast"), _read("training")
    cases = [_case(raw) for path in sorted(FOLDER.glob("cases/*.toml")) for raw in _cases(path)]
    by_specialty: dict[str, list[CaseText]] = {}
    for case in cases:
        by_specialty.setdefault(case.specialty, []).append(case)
    return Texts(
        cases=cases,
        names=[NameText(**raw) for raw in names["people"]],
        villages=names["villages"]["names"],
        allergies=names["allergies"]["texts"],
        station=cast["stations"],
        parts=[_part(raw) for raw in cast["people"]],
        phrases=_read("phrases"),
        techniques=[_technique(raw) for raw in training["technique"]],
        tasks=training["tasks"]["texts"],
        weeks=training["weeks"]["texts"],
        by_specialty=by_specialty,
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def _cases(path: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["case"]
    return cases


def _case(raw: dict[str, Any]) -> CaseText:
    changed = {
        "urgencies": [Urgency(value) for value in raw.pop("urgency")],
        "ages": tuple(raw.pop("ages")),
        "vitals": {key: tuple(span) for key, span in raw.pop("vitals").items()},
        "follow_up_days": raw.pop("follow_up"),
        "sex": Sex(raw.pop("sex")) if "sex" in raw else None,
    }
    return CaseText(**changed, **raw)


def _part(raw: dict[str, Any]) -> Part:
    return Part(roles=frozenset(Role(role) for role in raw.pop("roles")), **raw)


def _technique(raw: dict[str, Any]) -> Technique:
    return Technique(type=TransferType(raw.pop("type")), **raw)
