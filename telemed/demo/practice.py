"""What the doctor of the station that is shown first has practised, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import col, select

from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.demo.packages import RunningPackage
from telemed.demo.world import World
from telemed.demo.writing import add_all
from telemed.training.caselog.models import CaseRow
from telemed.training.caselog.rules import Level, RowState
from telemed.training.packages.models import PackageTechnique

# What became of them, the newest first.
_STATES = (*(RowState.WRITTEN,) * 3, RowState.REFUSED, *(RowState.CONFIRMED,) * 20)
_LEVELS = (Level.PERFORMED, Level.SUPERVISED, Level.ASSISTED, Level.OBSERVED)


async def write_practice(
    work: UnitOfWork, world: World, packages: Sequence[RunningPackage]
) -> None:
    """Cases of one trainee under one package, most of them confirmed by the trainer."""
    station = next(iter(world.stations.values()))
    trainee, trainer = world.cast.doctors[station.id or 0], world.cast.trainer
    package = next(each.package for each in packages if station.id in each.station_ids)
    query = select(PackageTechnique).where(col(PackageTechnique.package_id) == package.id)
    techniques = (await work.session.exec(query.order_by(col(PackageTechnique.position)))).all()
    rows = []
    for number, state in enumerate(_STATES):
        at = world.now - timedelta(days=1 + 3 * number, hours=number % 5)
        technique = techniques[number % 2]
        row = CaseRow(
            trainee_id=trainee.id,
            trainer_id=trainer.id,
            station_id=station.id or 0,
            package_id=package.id,
            technique_code=technique.code,
            technique_name=technique.name,
            performed_on=at.astimezone(LOCAL_ZONE).date(),
            level=_LEVELS[number * len(_LEVELS) // len(_STATES)],
            reference=f"PK-{1300 - number}",
            state=state,
            decided_at=None if state is RowState.WRITTEN else _decided(world, at),
            refusal="Ca này bạn chỉ quan sát, ghi lại mức." if state is RowState.REFUSED else "",
            created_at=at,
        )
        subject = f"case_row:{row.uid}"
        world.ledger.note(at, AuditTag.CASELOG_WRITE, trainee, subject)
        if row.decided_at:
            world.ledger.note(row.decided_at, AuditTag.CASELOG_DECIDE, trainer, subject)
        rows.append(row)
    # The newest has the greatest number.
    await add_all(work, rows[::-1])


def _decided(world: World, at: datetime) -> datetime:
    return min(at + timedelta(days=1), world.now)
