"""What a database holds: nothing yet, the synthetic province, or something else."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from telemed.accounts.models import Person
from telemed.consults.models import Consult
from telemed.core.audit import AuditRecord
from telemed.core.db import Database, UnitOfWork
from telemed.patients.models import Patient
from telemed.training.models import TransferLog


class Content(StrEnum):
    """Reference data (places, codes) count as nothing."""

    NOTHING = "nothing"
    DEMO = "demo"
    OTHER = "other"


async def look(work: UnitOfWork) -> Content:
    """What a database was begun with: whoever came first was made up, or was not."""
    first = select(Person.is_synthetic).order_by(col(Person.id)).limit(1)
    is_synthetic = (await work.session.exec(first)).one_or_none()
    if is_synthetic is not None:
        return Content.DEMO if is_synthetic else Content.OTHER
    is_used = await _has_any(work, AuditRecord.sequence) or await _has_any(work, Patient.id)
    return Content.OTHER if is_used else Content.NOTHING


async def holds_synthetic(database: Database) -> bool:
    """Whether anybody or anything in a database is made up; then every page says so."""
    async with database.read() as work:
        for model in (Person, Patient, Consult, TransferLog):
            if await _has_any(work, model.id, col(model.is_synthetic).is_(True)):
                return True
    return False


async def _has_any(work: UnitOfWork, column: Any, *conditions: ColumnElement[bool]) -> bool:
    query = select(column).where(*conditions).limit(1)
    return (await work.session.exec(query)).first() is not None


class Synthetic:
    """Whether an installation holds anything made up, as seen when it started."""

    def __init__(self) -> None:
        self._was_seen = False

    def is_seen(self) -> bool:
        """The answer of the last look."""
        return self._was_seen

    async def look(self, database: Database) -> None:
        """Ask the database."""
        self._was_seen = await holds_synthetic(database)
