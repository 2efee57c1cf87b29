"""Builders of rows with sensible defaults; a test names only what it is about.

Everything is added to the given unit of work and flushed, never committed: the test decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import count
from typing import Any, TypeVar

from sqlmodel import SQLModel, col, select

from telemed.accounts.models import Person, PersonRole, PersonSpecialty, PersonState, Posting
from telemed.accounts.permissions import Actor, Role
from telemed.consults.lifecycle import UNDER_WAY, ConsultState
from telemed.consults.models import Consult, ConsultQuestion, LegalBasis, Urgency, VitalSigns
from telemed.core.db import UnitOfWork
from telemed.core.events import open_stream, stream_of
from telemed.core.text import fold, initials, sort_key_vi
from telemed.facilities.models import (
    Commune,
    CommuneKind,
    Facility,
    FacilityKind,
    Specialty,
)
from telemed.patients.models import Consent, ConsentGiver, ConsentPurpose, Patient, Sex

RowT = TypeVar("RowT", bound=SQLModel)
DIEN_BIEN = "11"
RANKS = {Urgency.EMERGENCY: 1, Urgency.URGENT: 2, Urgency.ROUTINE: 3}
HOSPITAL_ROLES = frozenset({Role.SPECIALIST, Role.ROTATED_DOCTOR, Role.TRAINER})
WITH_SPECIALIST = UNDER_WAY | {ConsultState.ANSWERED, ConsultState.CLOSED}
LAST_ANSWER = timedelta(hours=24)


@dataclass(frozen=True)
class Case:
    """A consult with everybody who belongs to it."""

    consult: Consult
    patient: Patient
    station: Facility
    doctor: Actor
    specialist: Actor


class Factory:
    """Makes rows in one unit of work. Names and numbers differ from call to call."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        self._numbers = count(1)

    async def commune(self, **changes: Any) -> Commune:
        """A commune of the province."""
        number = next(self._numbers)
        name = f"Xã Thử {number}"
        fields = {
            "code": f"{number:05}",
            "name": name,
            "kind": CommuneKind.COMMUNE,
            "province_code": DIEN_BIEN,
            "folded_name": fold(name),
        }
        return await self._add(Commune(**(fields | changes)))

    async def facility(self, kind: FacilityKind = FacilityKind.STATION, **changes: Any) -> Facility:
        """A health station, unless told otherwise."""
        number = next(self._numbers)
        name = changes.get("name", f"Cơ sở Thử {number}")
        fields = {"kind": kind, "code": f"T{number:04}", "name": name, "folded_name": fold(name)}
        return await self._add(Facility(**(fields | changes)))

    async def hospital(self) -> Facility:
        """The provincial hospital; always the same one."""
        query = select(Facility).where(col(Facility.kind) == FacilityKind.HOSPITAL)
        found = (await self._work.session.exec(query)).first()
        return found or await self.facility(FacilityKind.HOSPITAL, name="Bệnh viện Thử")

    async def specialty(self, code: str = "internal", **changes: Any) -> Specialty:
        """A specialty; the same code gives the same row."""
        query = select(Specialty).where(col(Specialty.code) == code)
        found = (await self._work.session.exec(query)).first()
        return found or await self._add(Specialty(code=code, name=f"Khoa {code}", **changes))

    async def person(
        self,
        *roles: Role,
        at: Facility | None = None,
        specialty: Specialty | None = None,
        posted_to: Facility | None = None,
        **changes: Any,
    ) -> Person:
        """Somebody with an account. Hospital people work at the hospital, others at a station."""
        number = next(self._numbers)
        place = at or await self._workplace(roles)
        name = str(changes.pop("full_name", f"Lò Văn Thử {number}"))
        fields = {
            "sign_in_name": f"person{number}",
            "full_name": name,
            "folded_name": fold(name),
            "sort_key": sort_key_vi(name, by_given_name=True),
            "title": "Bác sĩ",
            "licence_number": f"{number:06}/ĐB-CCHN",
            "facility_id": place.id,
            "state": PersonState.ACTIVE,
            "created_at": self._work.now(),
        }
        person = await self._add(Person(**(fields | changes)))
        assert person.id
        for role in roles:
            await self._add(PersonRole(person_id=person.id, role=role))
        if specialty:
            assert specialty.id
            await self._add(PersonSpecialty(person_id=person.id, specialty_id=specialty.id))
        if posted_to:
            await self._post(person, posted_to)
        return person

    async def actor(self, *roles: Role, **of_person: Any) -> Actor:
        """A new person, as the rules see them."""
        return await self.actor_of(await self.person(*roles, **of_person))

    async def actor_of(self, person: Person) -> Actor:
        """A person as the rules see them, on the day of the test."""
        assert person.id
        roles = select(PersonRole.role).where(col(PersonRole.person_id) == person.id)
        specialties = select(PersonSpecialty.specialty_id).where(
            col(PersonSpecialty.person_id) == person.id
        )
        posted = select(Posting.facility_id).where(col(Posting.person_id) == person.id)
        session = self._work.session
        return Actor(
            id=person.id,
            uid=person.uid,
            name=person.full_name,
            roles=frozenset(Role(role) for role in await session.exec(roles)),
            facility_id=person.facility_id,
            posted_station_id=(await session.exec(posted)).first(),
            specialty_ids=frozenset((await session.exec(specialties)).all()),
            title=person.title,
            initials=initials(person.full_name),
            locale=person.locale,
        )

    async def patient(
        self, at: Facility | None = None, *, by: Actor | None = None, **changes: Any
    ) -> Patient:
        """A patient of a station, with a personal number and a full birth date."""
        number = next(self._numbers)
        station = at or await self.facility()
        doctor = by or await self.actor(Role.COMMUNE_DOCTOR, at=station)
        name = str(changes.pop("full_name", f"Giàng Thị Thử {number}"))
        fields = {
            "station_id": station.id,
            "personal_number": f"011185{number:06}",
            "full_name": name,
            "folded_name": fold(name),
            "sex": Sex.FEMALE,
            "birth_date": date(1985, 3, 8),
            "birth_year": 1985,
            "created_by_id": doctor.id,
            "created_at": self._work.now(),
        }
        return await self._add(Patient(**(fields | changes)))

    async def consent(
        self, case: Case, purpose: ConsentPurpose = ConsentPurpose.CONSULT, **changes: Any
    ) -> Consent:
        """An agreement to one purpose of one consult."""
        fields = {
            "patient_id": case.patient.id,
            "consult_uid": case.consult.uid,
            "purpose": purpose,
            "is_granted": True,
            "given_by": ConsentGiver.PATIENT,
            "text_version": "2026-01",
            "recorded_by_id": case.doctor.id,
            "at": self._work.now(),
        }
        return await self._add(Consent(**(fields | changes)))

    async def case(
        self,
        state: ConsultState = ConsultState.REQUESTED,
        *,
        doctor: Actor | None = None,
        specialist: Actor | None = None,
        **changes: Any,
    ) -> Case:
        """A consult in a state, with its station, doctor, patient and a specialist for it."""
        specialty = await self.specialty()
        doctor = doctor or await self.actor(Role.COMMUNE_DOCTOR)
        specialist = specialist or await self.actor(Role.SPECIALIST, specialty=specialty)
        station = await self._work.session.get_one(Facility, doctor.facility_id)
        patient = await self.patient(station, by=doctor)
        consult = await self._add(
            Consult(**(self._consult_fields(state, patient, doctor, specialist) | changes))
        )
        assert consult.id
        await open_stream(self._work, stream_of("consult", consult.uid))
        await self._add(
            ConsultQuestion(consult_id=consult.id, number=1, text="Có cần chuyển tuyến không?")
        )
        await self._add(
            VitalSigns(
                consult_id=consult.id, taken_at=self._work.now(), values={"pulse": 96, "spo2": 94}
            )
        )
        return Case(consult, patient, station, doctor, specialist)

    def _consult_fields(
        self, state: ConsultState, patient: Patient, doctor: Actor, specialist: Actor
    ) -> dict[str, Any]:
        now = self._work.now()
        fields: dict[str, Any] = {
            "station_id": patient.station_id,
            "requester_id": doctor.id,
            "patient_id": patient.id,
            "specialty_id": next(iter(specialist.specialty_ids), None),
            "state": state,
            "urgency": Urgency.URGENT,
            "rank": RANKS[Urgency.URGENT],
            "reason": "Sốt 3 ngày, ho khan, khó thở tăng dần",
            "search_text": fold("Sốt 3 ngày, ho khan, khó thở tăng dần"),
            "diagnosis": "Viêm phổi",
            "legal_basis": LegalBasis.CONSENT,
            "patient_age_years": now.year - patient.birth_year,
            "created_at": now,
        }
        if state is not ConsultState.DRAFT:
            number = f"HC-{now.year}-{next(self._numbers):06}"
            fields |= {"number": number, "requested_at": now, "due_at": now + LAST_ANSWER}
        if state in WITH_SPECIALIST:
            fields |= {"assigned_id": specialist.id, "accepted_at": now}
        return fields

    async def _workplace(self, roles: tuple[Role, ...]) -> Facility:
        if HOSPITAL_ROLES.isdisjoint(roles):
            return await self.facility()
        return await self.hospital()

    async def _post(self, person: Person, station: Facility) -> None:
        assert person.id
        assert station.id
        today = self._work.now().astimezone(UTC).date()
        span = timedelta(days=90)
        await self._add(
            Posting(
                person_id=person.id,
                facility_id=station.id,
                starts_on=today - span,
                ends_on=today + span,
            )
        )

    async def _add(self, row: RowT) -> RowT:
        self._work.session.add(row)
        await self._work.session.flush()
        return row
