"""Three hundred made-up patients with names as the peoples of the province build them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from telemed.accounts.permissions import Actor
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.text import fold
from telemed.demo.ledger import Ledger
from telemed.demo.texts import NameText, Texts
from telemed.facilities.models import Facility
from telemed.patients.guardians import CHILD_BELOW_YEARS
from telemed.patients.identity import TEMPORARY_CHANCES, make_temporary_code
from telemed.patients.models import AllergyState, GuardianRelation, Patient, Sex, TemporaryReason

# Numbers of one province, and of a block at its end, so that they are nobody's.
PROVINCE = "011"
FIRST_SERIAL = 990_000
INSURED = 0.94
HAS_ALLERGY = 0.06
YEAR_ONLY_FROM_YEARS = 55
NEWBORN_DAYS = 60
DAYS_IN_YEAR = 365.25


class Register:
    """Makes patients, each with a name and numbers of their own."""

    def __init__(self, texts: Texts, chance: Random, ledger: Ledger) -> None:
        self._texts = texts
        self._chance = chance
        self._ledger = ledger
        self.patients: list[Patient] = []

    def add(
        self,
        station: Facility,
        doctor: Actor,
        at: datetime,
        *,
        age_years: float,
        sex: Sex,
        allergy: str = "",
        is_asked: bool = True,
    ) -> Patient:
        """Somebody who comes to a station for the first time."""
        serial = FIRST_SERIAL + len(self.patients)
        today = at.astimezone(LOCAL_ZONE).date()
        born = today - timedelta(days=round(age_years * DAYS_IN_YEAR))
        name = self._name(sex)
        patient = Patient(
            station_id=station.id or 0,
            full_name=name[0],
            folded_name=fold(name[0]),
            sex=sex,
            birth_year=born.year,
            birth_date=self._birth_date(born, age_years),
            ethnic_code=name[1].ethnic,
            interpreter_language=self._language(name[1], age_years),
            commune_code=station.commune_code,
            address=self._address(station),
            is_synthetic=True,
            created_by_id=doctor.id,
            created_at=at,
        )
        self._number(patient, station, born, serial, today)
        self._family(patient, age_years, serial)
        self._allergy(patient, today, allergy, is_asked=is_asked)
        self.patients.append(patient)
        self._ledger.note(at, AuditTag.PATIENT_CREATE, doctor, patient.uid, patient)
        return patient

    def _address(self, station: Facility) -> str:
        place = station.name.removeprefix(self._texts.station["prefix"])
        return f"{self._chance.choice(self._texts.villages)}, {place}"

    def _name(self, sex: Sex) -> tuple[str, NameText]:
        names = self._texts.names
        people = self._chance.choices(names, [each.weight for each in names])[0]
        given = people.female if sex is Sex.FEMALE else people.male
        return f"{self._chance.choice(people.families)} {self._chance.choice(given)}", people

    def _birth_date(self, born: date, age_years: float) -> date | None:
        """Many of the old know only the year."""
        is_forgotten = age_years >= YEAR_ONLY_FROM_YEARS and self._chance.random() < 0.3
        return None if is_forgotten else born

    def _language(self, people: NameText, age_years: float) -> str:
        if age_years < CHILD_BELOW_YEARS or self._chance.random() >= people.speaks_it:
            return ""
        return people.language

    def _number(
        self, patient: Patient, station: Facility, born: date, serial: int, today: date
    ) -> None:
        chance = self._chance
        if (today - born).days < NEWBORN_DAYS:
            drawn = chance.randrange(TEMPORARY_CHANCES)
            patient.temporary_code = make_temporary_code(station.code, today, drawn)
            patient.temporary_reason = TemporaryReason.NEWBORN
            return
        century = 2 * (born.year // 100 - 19) + (patient.sex is Sex.FEMALE)
        patient.personal_number = f"{PROVINCE}{century}{born.year % 100:02}{serial}"
        if chance.random() < INSURED:
            forms = (f"DT411{serial:010}", f"{serial:010}", patient.personal_number)
            patient.insurance_number = chance.choice(forms)

    def _family(self, patient: Patient, age_years: float, serial: int) -> None:
        phone = f"0900{serial:06}"
        if age_years >= CHILD_BELOW_YEARS:
            patient.phone = phone if self._chance.random() < 0.8 else None
            return
        names = next(n for n in self._texts.names if n.ethnic == patient.ethnic_code)
        family = self._chance.choice(names.families)
        patient.guardian_name = f"{family} {self._chance.choice(names.female)}"
        patient.guardian_relation = GuardianRelation.MOTHER
        patient.guardian_phone = phone

    def _allergy(self, patient: Patient, today: date, allergy: str, *, is_asked: bool) -> None:
        if not is_asked:
            return
        if not allergy and self._chance.random() < HAS_ALLERGY:
            allergy = self._chance.choice(self._texts.allergies)
        patient.allergy_state = AllergyState.KNOWN if allergy else AllergyState.NONE
        patient.allergies = allergy
        patient.allergies_asked_on = today
