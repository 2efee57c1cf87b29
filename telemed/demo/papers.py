"""Signed papers in a story: the specialist's minutes, the station's decision, an addendum."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from telemed.accounts.permissions import Actor
from telemed.consults.lifecycle import ConsultEvent
from telemed.core.audit import AuditTag
from telemed.core.records import RecordKind, SignedRecord
from telemed.demo.signatures import signature, signed_record
from telemed.demo.story import Story
from telemed.sessions.attendance import describe_meeting
from telemed.sessions.minutes_content import fixed_content
from telemed.sessions.minutes_form import complete, conclusion_field, draft_values

VERDICTS = ("accepted", "accepted", "accepted", "accepted", "modified", "declined")


def sign_minutes(story: Story) -> SignedRecord:
    """One conclusion for each question; the case is answered."""
    chair, world, consult = story.specialist, story.world, story.consult
    numbers = [question.number for question in story.questions]
    typed = draft_values(_typed(story), numbers)
    minutes = complete(typed, numbers, story.local_day)
    content = fixed_content(
        consult,
        minutes,
        patient=story.patient,
        station=world.station_of(story.patient),
        requester=world.cast.person(story.doctor),
        chair=chair,
        questions=story.questions,
        meetings=[
            describe_meeting(
                meeting,
                [
                    (stay, participant, world.cast.people[participant.person_id])
                    for stay, participant in story.stays[meeting.uid]
                ],
            )
            for meeting in story.meetings
        ],
    )
    story.note(AuditTag.MINUTES_WRITE, chair)
    record = _sign(story, RecordKind.MINUTES, chair, "chair", content)
    consult.follow_up_on = content["follow_up_on"]
    story.move(ConsultEvent.ANSWER, chair, record=record.uid)
    return record


def _typed(story: Story) -> dict[str, str]:
    case = story.case
    day = story.local_day + timedelta(days=case.follow_up_days)
    conclusions = {
        conclusion_field(number): text for number, text in enumerate(case.conclusions, start=1)
    }
    return conclusions | {
        "findings": case.findings,
        "advice": case.advice,
        "referral": case.referral,
        "follow_up_on": f"{day:%d/%m/%Y}",
    }


def decide(story: Story, minutes: SignedRecord) -> None:
    """The commune doctor answers for what is done; the case is closed."""
    verdict = story.world.chance.choice(VERDICTS)
    reason = ""
    if verdict != "accepted":
        reason = story.world.phrase(f"verdict_{verdict}")
    if verdict == "modified" and story.case.modify:
        reason = story.case.modify
    content = {
        "number": story.consult.number,
        "minutes": minutes.uid,
        "minutes_hash": minutes.content_hash,
        "verdict": verdict,
        "reason": reason,
        "requester": {"name": story.doctor.name, "title": story.doctor.title},
    }
    record = _sign(story, RecordKind.DECISION, story.doctor, "secretary", content)
    story.move(ConsultEvent.CLOSE, story.doctor, verdict=verdict, record=record.uid)


def add_addendum(story: Story, minutes: SignedRecord) -> None:
    """Something came to light after the signature."""
    phrases = story.world.texts.phrases
    content = {
        "number": story.consult.number,
        "text": phrases["addendum_text"],
        "reason": phrases["addendum_reason"],
        "author": story.specialist.name,
        "title": story.specialist.title,
    }
    record = _sign(story, RecordKind.MINUTES, story.specialist, "chair", content)
    story.addenda.append((record, minutes))
    story.tell("addendum_signed", story.specialist, record=record.uid)
    story.note(AuditTag.RECORD_ADDENDUM, story.specialist)


def _sign(
    story: Story, kind: RecordKind, signer: Actor, signed_as: str, content: dict[str, Any]
) -> SignedRecord:
    record = signed_record(kind, story.stream, signer, content, story.at)
    story.papers.append((record, signature(record, signer, signed_as, story.at)))
    story.note(AuditTag.RECORD_SIGN, signer, record=record.uid, as_=signed_as)
    return record
