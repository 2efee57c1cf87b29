"""The life of one consult, told step by step, and the rows that it leaves behind.

The steps use the product's own tables and pure rules (states, clocks, form, content of papers);
only the database is left out until everything is told.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import SQLModel

from telemed.accounts.permissions import Actor
from telemed.consults.case.conversation import MESSAGE_POSTED
from telemed.consults.lifecycle import TRANSITIONS, ConsultEvent, ConsultState, next_state
from telemed.consults.models import (
    Consult,
    ConsultDraft,
    ConsultQuestion,
    Message,
    MessageKind,
    ReadMark,
    Urgency,
    VitalSigns,
)
from telemed.consults.request.form import read_request
from telemed.consults.request.freeze import (
    consent_answers,
    request_columns,
    search_text,
    vital_values,
)
from telemed.consults.request.input import Choices, RequestInput
from telemed.consults.service import EXPIRE_JOB, FACTS, columns_after
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.events import stream_of
from telemed.core.jobs import Job
from telemed.core.records import Signature, SignedRecord
from telemed.demo.contracts import NUMBER
from telemed.demo.form import type_form
from telemed.demo.texts import CaseText
from telemed.demo.world import World
from telemed.facilities.models import Specialty
from telemed.imaging.models import FileState, StoredFile
from telemed.patients.birth import Birth, age_on
from telemed.patients.consents import check_answer
from telemed.patients.models import Consent, Patient
from telemed.scheduling.models import Booking
from telemed.sessions.models import Attendance, LiveSession, Participant


class Story:
    """One consult. `at` is the moment the story has come to; every step happens then."""

    def __init__(
        self,
        world: World,
        case: CaseText,
        *,
        patient: Patient,
        specialist: Actor,
        urgency: Urgency,
        submitted_at: datetime,
    ) -> None:
        self.world, self.case, self.patient = world, case, patient
        self.doctor, self.specialist = world.cast.doctors[patient.station_id], specialist
        self.urgency = urgency
        self.at = submitted_at - world.minutes(6, 20)
        self.consult = Consult(
            station_id=patient.station_id,
            requester_id=self.doctor.id,
            patient_id=patient.id or 0,
            created_at=self.at,
            state_at=self.at,
            is_synthetic=True,
        )
        self.stream = stream_of("consult", self.consult.uid)
        self.taken_at = self.at + timedelta(minutes=1)
        self.draft = ConsultDraft(
            consult_id=0, fields=self._typed(), saved_at=submitted_at, revision=7
        )
        self.questions: list[ConsultQuestion] = []
        self.vitals: list[VitalSigns] = []
        self.messages: list[Message] = []
        self.marks: dict[int, Message] = {}
        self.files: list[StoredFile] = []
        self.consents: list[Consent] = []
        self.bookings: list[Booking] = []
        self.meetings: list[LiveSession] = []
        self.stays: dict[str, list[tuple[Attendance, Participant]]] = {}
        self.papers: list[tuple[SignedRecord, Signature]] = []
        self.addenda: list[tuple[SignedRecord, SignedRecord]] = []
        self._begin()

    @property
    def local_day(self) -> date:
        """The day it is at the stations."""
        return self.at.astimezone(LOCAL_ZONE).date()

    @property
    def age_years(self) -> int:
        """How old the patient is now."""
        birth = Birth(self.patient.birth_year, self.patient.birth_date)
        return age_on(birth, self.local_day).years

    def wait(self, low: float, high: float) -> None:
        """Minutes go by."""
        self.at += self.world.minutes(low, high)

    def _typed(self) -> dict[str, str]:
        return type_form(
            self.case,
            self.patient,
            self.urgency,
            self.taken_at,
            age_years=self.age_years,
            chance=self.world.chance,
            interpreter=self.world.texts.phrases["consent"]["interpreter"],
        )

    def _begin(self) -> None:
        self.world.ledger.open(self.stream)
        self.note(AuditTag.PATIENT_READ, self.doctor, subject=self.patient.uid)
        self.note(AuditTag.CONSULT_WRITE, self.doctor, act="create")

    def note(
        self, tag: AuditTag, actor: Actor | None, *, subject: str | None = None, **detail: Any
    ) -> None:
        """Somebody did something with this case."""
        ledger, about = self.world.ledger, subject or self.stream
        ledger.note(self.at, tag, actor, about, self.patient, **detail)

    def tell(self, kind: str, actor: Actor | None, **data: Any) -> int:
        """The next fact of the case's log."""
        return self.world.ledger.tell(self.at, self.stream, kind, actor, **data)

    def move(
        self, event: ConsultEvent, actor: Actor | None, *, reason: str = "", **data: Any
    ) -> None:
        """One step of the lifecycle."""
        consult, before = self.consult, self.consult.state
        after = next_state(before, event)
        for name, value in columns_after(self.at, actor, consult, event, reason).items():
            setattr(consult, name, value)
        consult.state = after
        facts = data | ({"reason": reason} if reason else {})
        number = self.tell(FACTS[event], actor, **facts)
        self.note(
            AuditTag.CONSULT_TRANSITION,
            actor,
            event=event.value,
            before=before.value,
            after=after.value,
            number=number,
        )

    def leave_draft(self) -> None:
        """Somebody was called away while typing."""
        kept = {"question_1", "reason", "history", "allergy_state", "taken_date", "urgency"}
        self.draft.fields = {name: t for name, t in self.draft.fields.items() if name in kept}
        self.draft.saved_at = self.at + timedelta(minutes=4)

    def submit(self) -> None:
        """Send the request, read by the same form as everybody's."""
        self.at = self.draft.saved_at
        request = read_request(self.draft.fields, self._choices())
        consult = self.consult
        consult.number = self.world.next_number("HC", self.at)
        consult.patient_age_years = self.age_years
        consult.contract_number = NUMBER
        for name, value in request_columns(request).items():
            setattr(consult, name, value)
        consult.search_text = search_text(consult, self.patient, request)
        self._write_down(request)
        self.move(
            ConsultEvent.SUBMIT,
            self.doctor,
            number=consult.number,
            urgency=request.urgency.value,
            questions=len(request.questions),
        )

    def _choices(self) -> Choices:
        world, patient = self.world, self.patient
        return Choices(
            now=self.at,
            age_years=self.age_years,
            specialties={code: each.id or 0 for code, each in world.specialties.items()},
            icd=world.codes[self.case.icd],
            allergy=(patient.allergy_state, patient.allergies),
        )

    def _write_down(self, request: RequestInput) -> None:
        self.questions = [
            ConsultQuestion(consult_id=0, number=number, text=text)
            for number, text in enumerate(request.questions, start=1)
        ]
        if request.taken_at is not None:
            values = vital_values(request.vitals)
            signs = VitalSigns(consult_id=0, taken_at=request.taken_at, values=values)
            self.vitals.append(signs)
        for answer in map(check_answer, consent_answers(request.consent)):
            consent = Consent(
                patient_id=self.patient.id or 0,
                consult_uid=self.consult.uid,
                purpose=answer.purpose,
                is_granted=answer.is_granted,
                given_by=answer.given_by,
                giver_name=answer.giver_name,
                text_version=answer.text_version,
                language=answer.language,
                interpreter=answer.interpreter,
                recorded_by_id=self.doctor.id,
                at=self.at,
            )
            self.consents.append(consent)
            self.note(
                AuditTag.CONSENT_RECORD,
                self.doctor,
                subject=self.patient.uid,
                purpose=answer.purpose.value,
                granted=answer.is_granted,
                given_by=answer.given_by.value,
                consult=self.consult.uid,
            )

    def attach(self) -> None:
        """Pictures go with the request."""
        phrases = self.world.texts.phrases
        for kind in self.case.pictures:
            arrival = self.world.chance.choice(self.world.pictures[kind])
            received, preview = arrival.received, arrival.preview
            stored = StoredFile(
                consult_id=0,
                patient_id=self.patient.id or 0,
                station_id=self.patient.station_id,
                uploaded_by_id=self.doctor.id,
                sha256=received.sha256,
                size_bytes=received.size_bytes,
                media_type=arrival.media_type,
                original_name=arrival.name,
                caption=phrases["captions"][kind],
                state=FileState.READY,
                preview_sha256=preview.sha256 if preview else None,
                width=arrival.width,
                height=arrival.height,
                at=self.at,
            )
            self.files.append(stored)
            self.tell("file_attached", self.doctor, file=stored.uid)
            self.note(AuditTag.FILE_WRITE, self.doctor, file=stored.uid)

    def claim(self) -> None:
        """The specialist takes the case."""
        self.move(ConsultEvent.CLAIM, self.specialist)

    def ask(self) -> None:
        """Something is missing."""
        asked, question = self.specialist, self.case.ask
        message = self._write(asked, question, MessageKind.QUESTION)
        self.move(ConsultEvent.ASK_INFO, asked, reason=question, message=message.uid)

    def answer_info(self) -> None:
        """The station gives what was asked for."""
        message = self._write(self.doctor, self.case.tell, MessageKind.ANSWER)
        self.move(ConsultEvent.ANSWER_INFO, self.doctor, message=message.uid)

    def pass_on(self, by: Actor, to: Specialty) -> None:
        """The case belongs to another specialty."""
        self.consult.specialty_id, self.consult.named_id = to.id, None
        reason = self.world.phrase("passed_on")
        self.move(ConsultEvent.PASS_ON, by, reason=reason, specialty=to.name)

    def release(self) -> None:
        """Whoever had it gives it back."""
        self.move(ConsultEvent.RELEASE, self.specialist, reason=self.world.phrase("released"))

    def say(self, author: Actor, text: str) -> None:
        """A line of the conversation."""
        message = self._write(author, text, MessageKind.TALK)
        self.tell(MESSAGE_POSTED, author, message=message.uid)

    def talk(self, *, lines: int | None = None) -> None:
        """The conversation of this kind of case, or its first lines."""
        for line in self.case.talk[:lines]:
            self.wait(1, 5)
            who, _, text = line.partition(": ")
            self.say(self.specialist if who == "s" else self.doctor, text)

    def _write(self, author: Actor, text: str, kind: MessageKind) -> Message:
        message = Message(consult_id=0, author_id=author.id, kind=kind, text=text, at=self.at)
        self.messages.append(message)
        self.marks[author.id] = message
        self.note(AuditTag.MESSAGE_WRITE, author, message=message.uid)
        return message

    def read_all(self) -> None:
        """Both sides have seen everything that was written."""
        if self.messages:
            readers = (self.doctor.id, self.specialist.id)
            self.marks |= dict.fromkeys(readers, self.messages[-1])

    def belongings(self) -> list[SQLModel]:
        """Rows that hang on the consult, which has its key by now."""
        rows = [
            *(self.draft, *self.questions, *self.vitals, *self.messages),
            *(*self.files, *self.bookings, *self.meetings),
        ]
        for row in rows:
            row.consult_id = self.consult.id
        return [*rows, *self.consents, *self._jobs()]

    def _jobs(self) -> list[SQLModel]:
        state, since = self.consult.state, self.consult.state_at
        is_open = (state, ConsultEvent.EXPIRE) in TRANSITIONS and state is not ConsultState.DRAFT
        if not is_open or since is None:
            return []
        due_at, uid = since + self.world.expires_after, self.consult.uid
        return [Job(kind=EXPIRE_JOB, key=uid, due_at=due_at, payload={"uid": uid})]

    def read_marks(self) -> list[SQLModel]:
        """How far each has read; messages have their keys by now."""
        return [
            ReadMark(
                consult_id=self.consult.id or 0,
                person_id=person_id,
                message_id=message.id or 0,
                at=message.at,
            )
            for person_id, message in self.marks.items()
        ]
