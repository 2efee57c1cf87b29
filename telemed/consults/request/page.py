"""What the page of a request form shows: the fields as typed, how far each part is, what to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telemed.accounts.permissions import Action, Actor
from telemed.consults import cover, icd
from telemed.consults.handling import list_targets
from telemed.consults.icd import IcdResults
from telemed.consults.models import Consult, ConsultDraft, Urgency
from telemed.consults.repository import PersonCard
from telemed.consults.request.fields import (
    FIELDS,
    HIDDEN,
    MAIN_VITALS,
    OTHER_VITALS,
    SECTIONS,
    VITAL_PREFIX,
    shown_questions,
)
from telemed.consults.request.form import allergy_mark, find_errors, readable_vitals
from telemed.consults.request.input import IcdChoice
from telemed.consults.request.sections import SectionState, section_state
from telemed.consults.request.service import find_choices, find_draft
from telemed.consults.service import get_case
from telemed.consults.triage.assessment import Assessment
from telemed.consults.triage.danger_signs import DangerSign, signs_for
from telemed.consults.triage.observations import Subject
from telemed.consults.vitals.assessing import assess_vitals, birth_of
from telemed.consults.vitals.reading import (
    ADULT_FROM_YEARS,
    VITALS,
    Flag,
    Vital,
    VitalKey,
    Vitals,
    flag_vital,
)
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import FieldError
from telemed.core.events import stream_of
from telemed.facilities.models import Specialty
from telemed.patients.birth import age_on
from telemed.patients.models import Patient, Sex
from telemed.patients.service import local_today

_CHILDBEARING_YEARS = range(10, 56)


@dataclass(frozen=True)
class SectionView:
    """A part of the form as the list beside it shows it."""

    id: str
    title: str
    state: SectionState

    @property
    def is_open(self) -> bool:
        """True while it keeps the form from being sent."""
        return self.state in {SectionState.MISSING, SectionState.WRONG}


@dataclass(frozen=True)
class RequestPage:
    """The form of one request."""

    consult: Consult
    patient: Patient
    draft: ConsultDraft
    fields: Mapping[str, str]
    sections: tuple[SectionView, ...]
    targets: list[tuple[Specialty, list[PersonCard]]]
    flags: Mapping[VitalKey, Flag]
    is_adult: bool
    assessment: Assessment
    asked_signs: tuple[DangerSign, ...]
    urgency: Urgency | None
    icd: IcdChoice | None
    icd_list: IcdResults
    uncovered: Sequence[str]
    theirs: Mapping[str, str] = field(default_factory=dict)

    @property
    def questions(self) -> tuple[str, ...]:
        """Names of the question boxes."""
        return shown_questions(self.fields)

    @property
    def open_sections(self) -> tuple[SectionView, ...]:
        """What is still missing or wrong."""
        return tuple(section for section in self.sections if section.is_open)

    @property
    def main_vitals(self) -> tuple[Vital, ...]:
        """Signs that every request shows."""
        return tuple(VITALS[key] for key in MAIN_VITALS)

    @property
    def other_vitals(self) -> tuple[Vital, ...]:
        """Signs for some patients."""
        return tuple(VITALS[key] for key in OTHER_VITALS)

    @property
    def has_other_vitals(self) -> bool:
        """True when one of them was filled in."""
        return any(self.fields.get(f"{VITAL_PREFIX}{key}") for key in OTHER_VITALS)


async def open_page(
    work: UnitOfWork, actor: Actor, uid: str, *, searched: str | None = None
) -> RequestPage:
    """The draft as it was left; `searched` is what was looked for among the codes."""
    consult = await get_case(work, actor, uid, Action.CONSULT_REQUEST)
    draft = await find_draft(work, consult)
    work.audit(
        AuditTag.CONSULT_READ,
        actor,
        stream_of("consult", uid),
        patient_id=consult.patient_id,
        part="request",
    )
    return await _page(work, consult, draft, draft.fields, searched=searched)


async def reopen_page(
    work: UnitOfWork, actor: Actor, uid: str, typed: Mapping[str, str], *, is_sent: bool
) -> RequestPage:
    """The form as it was just typed, beside what is kept; nothing is saved here."""
    page = await open_page(work, actor, uid)
    seen = allergy_mark(page.patient.allergy_state, page.patient.allergies)
    fields = {**typed, "allergy_seen": seen}
    return await _page(work, page.consult, page.draft, fields, is_sent=is_sent)


async def _page(
    work: UnitOfWork,
    consult: Consult,
    draft: ConsultDraft,
    fields: Mapping[str, str],
    *,
    searched: str | None = None,
    is_sent: bool = False,
) -> RequestPage:
    patient = await work.session.get_one(Patient, consult.patient_id)
    choices = await find_choices(work, patient, fields)
    errors = find_errors(fields, choices)
    vitals = readable_vitals(fields)
    return RequestPage(
        consult=consult,
        patient=patient,
        draft=draft,
        fields=fields,
        sections=section_views(fields, errors, is_sent=is_sent),
        targets=await list_targets(work),
        flags=_flags(vitals, choices.age_years),
        is_adult=choices.age_years >= ADULT_FROM_YEARS,
        assessment=_assess(work, patient, vitals),
        asked_signs=_signs_to_ask(patient, choices.age_years, vitals),
        urgency=_urgency(fields),
        icd=choices.icd,
        icd_list=await icd.search(work, searched or ""),
        uncovered=await cover.list_uncovered(work, consult.station_id),
        theirs=differences(draft.fields, fields),
    )


@dataclass(frozen=True)
class DraftReview:
    """How far each part of a form is, and what its vital signs say."""

    sections: tuple[SectionView, ...]
    assessment: Assessment
    urgency: Urgency | None


async def review_draft(work: UnitOfWork, draft: ConsultDraft) -> DraftReview:
    """Of a form that the actor has just saved."""
    consult = await work.session.get_one(Consult, draft.consult_id)
    patient = await work.session.get_one(Patient, consult.patient_id)
    choices = await find_choices(work, patient, draft.fields)
    return DraftReview(
        section_views(draft.fields, find_errors(draft.fields, choices)),
        _assess(work, patient, readable_vitals(draft.fields)),
        _urgency(draft.fields),
    )


def _assess(work: UnitOfWork, patient: Patient, vitals: Vitals) -> Assessment:
    return assess_vitals(vitals, age_on(birth_of(patient), local_today(work)))


def _urgency(fields: Mapping[str, str]) -> Urgency | None:
    typed = fields.get("urgency", "")
    return Urgency(typed) if typed in set(Urgency) else None


def section_views(
    fields: Mapping[str, str], errors: tuple[FieldError, ...], *, is_sent: bool = False
) -> tuple[SectionView, ...]:
    """Every part of the form with how far it is."""
    return tuple(
        SectionView(s.id, s.title, section_state(s, fields, errors, is_sent=is_sent))
        for s in SECTIONS
    )


def differences(kept: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """What is kept where it differs from what was typed, in the order of the form."""
    return {
        name: kept.get(name, "")
        for name in FIELDS
        if name not in HIDDEN and kept.get(name, "") != typed.get(name, "")
    }


def _flags(vitals: Vitals, age_years: int) -> dict[VitalKey, Flag]:
    flags = {key: flag_vital(key, value, age_years) for key, value in vitals.values.items()}
    return {key: flag for key, flag in flags.items() if flag in {Flag.LOW, Flag.HIGH}}


def _signs_to_ask(patient: Patient, age_years: int, vitals: Vitals) -> tuple[DangerSign, ...]:
    may_be_pregnant = patient.sex is not Sex.MALE and age_years in _CHILDBEARING_YEARS
    asked = [
        sign
        for sign in signs_for(Subject(age_years, is_pregnant=may_be_pregnant))
        if sign is not DangerSign.TESTICULAR_PAIN or patient.sex is not Sex.FEMALE
    ]
    # What was ticked before the patient was corrected stays in sight.
    return (*asked, *(sign for sign in DangerSign if sign in vitals.signs and sign not in asked))
