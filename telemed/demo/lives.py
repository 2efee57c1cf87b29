"""How each kind of story goes, from the request to where it stands now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from telemed.consults.lifecycle import ConsultEvent
from telemed.consults.models import Urgency
from telemed.demo.meetings import begin_meeting, book, cancel_booking, end_meeting
from telemed.demo.papers import add_addendum, decide, sign_minutes
from telemed.demo.plan import DAY, Ending
from telemed.demo.story import Story

# Minutes until somebody takes a case, by urgency.
TAKEN_AFTER: Mapping[Urgency, tuple[float, float]] = {
    Urgency.EMERGENCY: (1, 8),
    Urgency.URGENT: (3, 28),
    Urgency.ROUTINE: (12, 150),
}
BOOKABLE_AGE = timedelta(days=8)


def _submit(story: Story) -> None:
    story.submit()
    story.wait(0.2, 0.8)
    if story.case.pictures and story.world.chance.random() < 0.85:
        story.attach()


def _taken(story: Story) -> None:
    _submit(story)
    story.wait(*TAKEN_AFTER[story.urgency])
    story.claim()


def _detour(story: Story) -> None:
    """Some requests are asked about, given back or passed on before they are answered."""
    chance, specialties = story.world.chance.random(), story.world.specialties
    _submit(story)
    if chance < 0.12:
        story.wait(2, 10)
        story.ask()
        story.wait(3, 25)
        story.answer_info()
    elif chance < 0.17 and story.case.specialty in {"cardiology", "respiratory", "endocrinology"}:
        story.consult.specialty_id = specialties["internal"].id
        story.wait(5, 20)
        internal = story.world.cast.answering(specialties["internal"])[0]
        story.pass_on(internal, specialties[story.case.specialty])
    elif chance < 0.21:
        story.wait(2, 10)
        story.claim()
        story.wait(5, 20)
        story.release()
    story.wait(*TAKEN_AFTER[story.urgency])
    story.claim()


def draft(story: Story) -> None:
    """Begun, and left for now."""
    story.leave_draft()


def waiting(story: Story) -> None:
    """Sent; nobody has taken it yet."""
    _submit(story)


def asked(story: Story) -> None:
    """A specialist waits for the station."""
    _submit(story)
    story.wait(3, 20)
    story.ask()


def taken(story: Story) -> None:
    """A specialist has it in hand."""
    _taken(story)
    story.talk(lines=2)


def booked(story: Story) -> None:
    """A time is agreed on, from now on or tomorrow."""
    _taken(story)
    story.talk(lines=1)
    story.wait(2, 20)
    book(story, story.world.now)
    story.read_all()


def talking(story: Story) -> None:
    """Two are in the room now."""
    _taken(story)
    story.at = max(story.at, story.world.now - story.world.minutes(3, 6))
    begin_meeting(story)


def _called(story: Story) -> None:
    session = begin_meeting(story)
    end_meeting(story, session, 6, 22)


def paused(story: Story) -> None:
    """They have talked; the conclusion is not written yet."""
    _taken(story)
    story.talk(lines=1)
    story.wait(2, 15)
    _called(story)
    story.read_all()


def answered(story: Story) -> None:
    """The specialist has signed, the station has not decided yet."""
    _taken(story)
    story.talk()
    story.read_all()
    if story.world.chance.random() < 0.4:
        story.wait(2, 15)
        _called(story)
    story.wait(4, 40)
    sign_minutes(story)


def declined(story: Story) -> None:
    """Refused with a reason."""
    _submit(story)
    story.wait(5, 60)
    story.move(ConsultEvent.DECLINE, story.specialist, reason=story.world.phrase("declined"))


def cancelled(story: Story) -> None:
    """The station no longer needs it."""
    _submit(story)
    story.wait(10, 200)
    story.move(ConsultEvent.CANCEL, story.doctor, reason=story.world.phrase("cancelled"))


def expired(story: Story) -> None:
    """Nobody moved it for two weeks."""
    _submit(story)
    story.at += story.world.expires_after
    story.move(ConsultEvent.EXPIRE, None)


def closed(story: Story) -> None:
    """The whole way, in one of three speeds."""
    world = story.world
    _detour(story)
    story.talk()
    how = world.chance.random()
    if how < 0.2 and world.now - story.at > BOOKABLE_AGE:
        _meet_as_booked(story)
    elif how < 0.45:
        story.wait(2, 15)
        _called(story)
    story.wait(4, 45)
    minutes = sign_minutes(story)
    story.wait(3, 20)
    story.say(story.doctor, world.phrase("thanks"))
    story.read_all()
    story.wait(2, 90)
    decide(story, minutes)
    if world.chance.random() < 0.03:
        story.wait(60, 4 * 60)
        add_addendum(story, minutes)


def _meet_as_booked(story: Story) -> None:
    story.wait(2, 20)
    booking = book(story, story.at + timedelta(hours=1))
    if story.world.chance.random() < 0.15:
        story.wait(10, 40)
        cancel_booking(story, booking)
        story.wait(5, 30)
        booking = book(story, story.at + timedelta(minutes=DAY))
    story.at = max(story.at, booking.start_at) + story.world.minutes(0, 4)
    _called(story)


LIVES: Mapping[Ending, Callable[[Story], None]] = {
    Ending.DRAFT: draft,
    Ending.WAITING: waiting,
    Ending.ASKED: asked,
    Ending.TAKEN: taken,
    Ending.BOOKED: booked,
    Ending.TALKING: talking,
    Ending.PAUSED: paused,
    Ending.ANSWERED: answered,
    Ending.DECLINED: declined,
    Ending.CANCELLED: cancelled,
    Ending.EXPIRED: expired,
    Ending.CLOSED: closed,
}
