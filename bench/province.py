"""Three years of a province for the page benchmark, filled in bulk."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import insert, inspect, text
from sqlmodel import SQLModel

from telemed.accounts.logins import LoginLimits, open_login
from telemed.accounts.models import LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.consults.clocks import DEFAULT_LIMITS, RANKS
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import Consult, ConsultQuestion, Urgency
from telemed.consults.outcomes.models import FollowUp
from telemed.core.columns import new_uid
from telemed.core.config import Settings
from telemed.core.db import Database, UnitOfWork
from telemed.migrations import migrate
from telemed.patients.models import Patient
from tests.factories import Factory

CONSULTS = 100_000
SPAN = timedelta(days=3 * 365)
WAITING = 2_000
PATIENTS = 20_000
# Stations tell what became of nearly everybody.
NEVER_TOLD = 0.002
STATIONS = 45
SPECIALTIES = 8
AT_ONCE = 5_000
WORDS = [f"{a}{b}" for a in ("kho", "sot", "ho", "dau", "viem") for b in ("tho", "ng", "phoi", "a")]
OVER = (ConsultState.CLOSED, ConsultState.ANSWERED, ConsultState.CANCELLED)


# A closed consult: its key, its station, its specialist, the day.
Closed = tuple[int, int, int, date]


@dataclass(frozen=True)
class Staff:
    """Who asks and who answers, by station and by specialty."""

    doctors: Sequence[Actor]
    experts: Sequence[Actor]
    trainer: Actor


async def fill(settings: Settings, consults: int = CONSULTS) -> dict[str, str]:
    """Tables and rows; the login cookies of a doctor, a specialist and a trainer."""
    database = Database(settings.database, settings=settings)
    await migrate(database)
    chance = random.Random(1)
    async with database.work() as work:
        make = Factory(work)
        staff = await _staff(make)
        await _patients(work, make, staff, chance)
        closed: list[Closed] = []
        await _insert(work, Consult, _consults(staff, chance, work.now(), consults, closed))
        await _insert(work, ConsultQuestion, _questions(consults))
        await _insert(work, FollowUp, _follow_ups(closed, chance, work.now()))
        cookies = await _cookies(work, settings, staff)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE"))
    await database.close()
    return cookies


async def _staff(make: Factory) -> Staff:
    stations = [await make.facility() for _ in range(STATIONS)]
    specialties = [await make.specialty(f"s{number}") for number in range(SPECIALTIES)]
    return Staff(
        [await make.actor(Role.COMMUNE_DOCTOR, at=each) for each in stations],
        [await make.actor(Role.SPECIALIST, specialty=each) for each in specialties],
        await make.actor(Role.TRAINER),
    )


async def _cookies(work: UnitOfWork, settings: Settings, staff: Staff) -> dict[str, str]:
    people = {"doctor": staff.doctors[0], "specialist": staff.experts[0], "trainer": staff.trainer}
    limits = LoginLimits.of(settings)
    return {
        who: "telemed=" + await open_login(work, actor.id, LoginStrength.FULL, limits, "bench")
        for who, actor in people.items()
    }


async def _patients(work: UnitOfWork, make: Factory, staff: Staff, chance: random.Random) -> None:
    pattern = await make.patient(by=staff.doctors[0])
    model = pattern.model_dump(exclude={"id", "uid", "personal_number"})
    rows = (
        model | {"uid": new_uid(), "station_id": chance.choice(staff.doctors).facility_id}
        for _ in range(PATIENTS)
    )
    await _insert(work, Patient, rows)


async def _insert(work: UnitOfWork, model: type[SQLModel], rows: Iterator[dict[str, Any]]) -> None:
    columns = set(inspect(model).columns.keys()) - {"id"}
    while some := [
        {name: row[name] for name in columns & row.keys()} for row in islice(rows, AT_ONCE)
    ]:
        await work.session.exec(insert(model), params=some)


def _consults(  # who, by which chance, until when, how many, and what is over
    staff: Staff,
    chance: random.Random,
    now: datetime,
    consults: int,
    closed: list[Closed],
) -> Iterator[dict[str, Any]]:
    base = Consult(station_id=0, requester_id=0, patient_id=0, created_at=now).model_dump()
    for number in range(consults):
        doctor, expert = chance.choice(staff.doctors), chance.choice(staff.experts)
        is_over = number < consults - WAITING
        urgency = chance.choice(list(Urgency))
        state = chance.choice(OVER) if is_over else ConsultState.REQUESTED
        at = now - SPAN * ((consults - number) / consults)
        if state is ConsultState.CLOSED:
            closed.append((number + 1, doctor.facility_id or 0, expert.id, at.date()))
        yield base | {
            "uid": new_uid(),
            "number": f"HC-2026-{number:07}",
            "station_id": doctor.facility_id,
            "requester_id": doctor.id,
            "patient_id": chance.randrange(2, PATIENTS),
            "specialty_id": next(iter(expert.specialty_ids)),
            "assigned_id": expert.id if is_over else None,
            "state": state,
            "urgency": urgency,
            "rank": RANKS[urgency],
            "requested_at": at,
            "due_at": at + DEFAULT_LIMITS[urgency],
            "closed_at": at if is_over else None,
            "icd_code": "J18.1",
            "patient_age_years": chance.randrange(90),
            "reason": "Sốt, ho, khó thở",
            "search_text": " ".join(chance.choices(WORDS, k=30)),
            "revision": 1,
        }


def _follow_ups(
    closed: Sequence[Closed], chance: random.Random, now: datetime
) -> Iterator[dict[str, Any]]:
    """A week and a month after each case; what lay before today has been told, nearly always."""
    base = FollowUp(consult_id=0, station_id=0, due_on=now.date()).model_dump()
    for consult_id, station_id, specialist_id, day in closed:
        for days in (7, 30):
            due_on = day + timedelta(days=days)
            is_told = due_on < now.date() and chance.random() >= NEVER_TOLD
            yield base | {
                "uid": new_uid(),
                "consult_id": consult_id,
                "station_id": station_id,
                "specialist_id": specialist_id,
                "due_on": due_on,
                "reminders": 1,
                "done_at": now if is_told else None,
            }


def _questions(consults: int) -> Iterator[dict[str, Any]]:
    for number in range(1, consults + 1):
        yield {"consult_id": number, "number": 1, "text": "Có cần chuyển viện không?"}
