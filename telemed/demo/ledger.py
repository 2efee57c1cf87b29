"""What happened, collected in any order and written in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import insert

from telemed.core.audit import AuditTag
from telemed.core.clock import FakeClock
from telemed.core.db import HasId, UnitOfWork
from telemed.core.events import Event, EventStream
from telemed.patients.models import Patient


@dataclass(frozen=True)
class Act:
    """Something for the audit chain."""

    at: datetime
    tag: AuditTag
    actor: HasId | None
    subject: str
    patient: Patient | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """One line of the log of a case or a session."""

    at: datetime
    stream: str
    number: int
    kind: str
    person_id: int | None
    data: dict[str, Any]


class Ledger:
    """Acts for the audit chain, and numbered facts for the logs of cases and sessions."""

    def __init__(self) -> None:
        self._acts: list[Act] = []
        self._facts: dict[str, list[Fact]] = {}

    def note(
        self,
        at: datetime,
        tag: AuditTag,
        actor: HasId | None,
        subject: str,
        patient: Patient | None = None,
        **detail: Any,
    ) -> None:
        """Somebody did or saw something."""
        self._acts.append(Act(at, tag, actor, subject, patient, detail))

    def open(self, stream: str) -> None:
        """A log begins."""
        self._facts[stream] = []

    def tell(self, at: datetime, stream: str, kind: str, actor: HasId | None, **data: Any) -> int:
        """The next fact of a log, no earlier than the one before; its number."""
        facts = self._facts[stream]
        if facts and at < facts[-1].at:
            raise ValueError(f"{kind} of {stream} is told too late")
        person_id = actor.id if actor else None
        facts.append(Fact(at, stream, len(facts) + 1, kind, person_id, data))
        return len(facts)

    async def write(self, work: UnitOfWork, clock: FakeClock) -> None:
        """Put everything down, each act at its own time."""
        await self._write_facts(work)
        for act in sorted(self._acts, key=attrgetter("at")):
            clock.set(act.at)
            patient_id = act.patient.id if act.patient else None
            work.audit(act.tag, act.actor, act.subject, patient_id=patient_id, **act.detail)

    async def _write_facts(self, work: UnitOfWork) -> None:
        streams = {
            name: EventStream(name=name, last_number=len(facts))
            for name, facts in self._facts.items()
        }
        work.session.add_all(streams.values())
        await work.session.flush()
        facts = [fact for told in self._facts.values() for fact in told]
        rows = [
            {
                "stream_id": streams[fact.stream].id,
                "number": fact.number,
                "at": fact.at,
                "kind": fact.kind,
                "person_id": fact.person_id,
                "data": fact.data,
            }
            for fact in sorted(facts, key=attrgetter("at"))
        ]
        await work.session.exec(insert(Event), params=rows)
