"""What trainees have done of what a package asks for (bảng tổng hợp)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level, RowState
from telemed.training.packages.models import PackageTechnique, TransferPackage
from telemed.training.packages.service import PackageRow, get_package, list_packages


@dataclass(frozen=True)
class Line:
    """One technique: target, confirmed and waiting cases of each level."""

    code: str
    name: str
    targets: Mapping[Level, int]
    confirmed: Mapping[Level, int]
    waiting: Mapping[Level, int]

    @property
    def is_met(self) -> bool:
        """Every target is reached by confirmed cases of its level."""
        return all(self.confirmed[level] >= most for level, most in self.targets.items())


@dataclass(frozen=True)
class Summary:
    """One trainee and one package."""

    package: TransferPackage
    trainee: Person
    lines: Sequence[Line]

    @property
    def met(self) -> int:
        """How many techniques have all their targets reached."""
        return sum(line.is_met for line in self.lines)


@dataclass(frozen=True)
class Choice:
    """What may be looked at: packages, and who has written under the one that is chosen."""

    packages: Sequence[TransferPackage]
    trainees: Sequence[Person]
    summary: Summary | None


async def look(
    work: UnitOfWork, actor: Actor, package_uid: str = "", trainee_uid: str = ""
) -> Choice:
    """The summary that is asked for; trainees see their own alone. Raises Missing."""
    require(actor, Action.CASELOG_READ)
    packages = [row.package for row in await list_packages(work, actor)]
    if not package_uid:
        return Choice(packages, [], None)
    opened = await get_package(work, actor, package_uid)
    trainees = await _trainees(work, actor, opened.package)
    if not trainee_uid and len(trainees) == 1:
        trainee_uid = trainees[0].uid
    if not trainee_uid:
        return Choice(packages, trainees, None)
    trainee = next((each for each in trainees if each.uid == trainee_uid), None)
    if trainee is None:
        raise Missing
    return Choice(packages, trainees, await _summary(work, opened, trainee))


async def _trainees(work: UnitOfWork, actor: Actor, package: TransferPackage) -> list[Person]:
    query = (
        select(Person)
        .where(
            col(Person.id).in_(
                select(CaseRow.trainee_id).where(col(CaseRow.package_id) == package.id)
            )
        )
        .order_by(col(Person.sort_key))
    )
    if not actor.has(Role.TRAINER, Role.COORDINATOR):
        query = query.where(col(Person.id) == actor.id)
    return list((await work.session.exec(query)).all())


async def _summary(work: UnitOfWork, opened: PackageRow, trainee: Person) -> Summary:
    query = select(CaseRow).where(
        col(CaseRow.package_id) == opened.package.id,
        col(CaseRow.trainee_id) == trainee.id,
        col(CaseRow.state) != RowState.REFUSED,
    )
    counts: dict[RowState, Counter[tuple[str, Level]]] = {state: Counter() for state in RowState}
    for row in (await work.session.exec(query)).all():
        counts[row.state][row.technique_code, row.level] += 1
    lines = [_line(technique, counts) for technique in opened.techniques]
    return Summary(opened.package, trainee, lines)


def _line(
    technique: PackageTechnique, counts: Mapping[RowState, Mapping[tuple[str, Level], int]]
) -> Line:
    def of(state: RowState) -> dict[Level, int]:
        return {level: counts[state].get((technique.code, level), 0) for level in Level}

    return Line(
        code=technique.code,
        name=technique.name,
        targets={level: getattr(technique, level.value) for level in Level},
        confirmed=of(RowState.CONFIRMED),
        waiting=of(RowState.WRITTEN),
    )
