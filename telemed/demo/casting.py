"""Which patient each case is about."""

from __future__ import annotations

from datetime import datetime, timedelta

from telemed.demo.lives import LIVES
from telemed.demo.patients import DAYS_IN_YEAR, Register
from telemed.demo.plan import Slot
from telemed.demo.story import Story
from telemed.demo.texts import CaseText
from telemed.demo.world import World
from telemed.facilities.models import Facility
from telemed.patients.models import Patient, Sex

PATIENTS = 300
NEW_PATIENT = 0.4
FOR_THE_FIRST_STATION = 20
NOT_AGAIN_WITHIN = timedelta(days=20)


class Casting:
    """Finds a patient for every case: somebody new, or somebody the station knows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._register = Register(world.texts, world.chance, world.ledger)
        self.stories: list[Story] = []
        self._known: dict[int, dict[str, tuple[datetime, Patient]]] = {}
        self._stations = list(world.stations.values())
        self._weights = [world.chance.uniform(0.4, 2.0) for _ in self._stations]

    @property
    def patients(self) -> list[Patient]:
        """Everybody registered so far."""
        return self._register.patients

    def choose_patient(self, slot: Slot) -> Patient:
        """Who a case is about; to be asked in the order of time."""
        assert slot.at
        assert slot.case
        station = self._stations[0]
        if not slot.at_first_station:
            station = self._world.chance.choices(self._stations[1:], self._weights[1:])[0]
        reserved = 0 if slot.at_first_station else FOR_THE_FIRST_STATION
        is_full = len(self.patients) >= PATIENTS - reserved
        known = self._find_known(station, slot.case, slot.at)
        if is_full and not known and not slot.at_first_station:
            known = self._find_anywhere(slot.case, slot.at)
        if known and (is_full or self._world.chance.random() > NEW_PATIENT):
            return self._again(self._world.chance.choice(known), slot.at)
        return self._new(station, slot.case, slot.at)

    def _find_known(self, station: Facility, case: CaseText, at: datetime) -> list[Patient]:
        if case.allergy:
            return []
        return [
            patient
            for since, patient in self._known.get(station.id or 0, {}).values()
            if since < at - NOT_AGAIN_WITHIN and case.suits(_years(patient, at), patient.sex)
        ]

    def _find_anywhere(self, case: CaseText, at: datetime) -> list[Patient]:
        return [each for place in self._stations for each in self._find_known(place, case, at)]

    def _again(self, patient: Patient, at: datetime) -> Patient:
        self._known[patient.station_id][patient.uid] = (at, patient)
        return patient

    def _new(self, station: Facility, case: CaseText, at: datetime) -> Patient:
        chance = self._world.chance
        registered_at = at - timedelta(minutes=chance.randint(25, 60))
        patient = self._register.add(
            station,
            self._world.cast.doctors[station.id or 0],
            registered_at,
            age_years=chance.uniform(*case.ages),
            sex=case.sex or chance.choice((Sex.FEMALE, Sex.MALE)),
            allergy=case.allergy,
        )
        # Somebody allergic to a drug keeps to the case that takes care of it.
        if not case.allergy:
            self._known.setdefault(station.id or 0, {})[patient.uid] = (at, patient)
        return patient

    def fill_up(self) -> None:
        """Patients who were registered and never needed a consult."""
        world = self._world
        while len(self.patients) < PATIENTS:
            station = world.chance.choice(self._stations)
            at = world.now - timedelta(days=world.chance.uniform(1, 170))
            self._register.add(
                station,
                world.cast.doctors[station.id or 0],
                at,
                age_years=world.chance.uniform(1, 80),
                sex=world.chance.choice((Sex.FEMALE, Sex.MALE)),
                is_asked=False,
            )

    def tell(self, slot: Slot, patient: Patient) -> None:
        """Tell one case to where it stands now."""
        assert slot.at
        assert slot.case
        assert slot.urgency
        world = self._world
        answering = world.cast.answering(world.specialties[slot.specialty])
        story = Story(
            world,
            slot.case,
            patient=patient,
            specialist=answering[0] if slot.by_first_specialist else world.chance.choice(answering),
            urgency=slot.urgency,
            submitted_at=slot.at,
        )
        LIVES[slot.ending](story)
        if story.at > world.now:
            raise ValueError(f"a story that ends in the future: {slot}")
        self.stories.append(story)


def _years(patient: Patient, at: datetime) -> float:
    if patient.birth_date is None:
        return at.year - patient.birth_year
    return (at.date() - patient.birth_date).days / DAYS_IN_YEAR
