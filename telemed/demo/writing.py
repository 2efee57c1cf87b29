"""Putting rows down level by level, since each needs the key of the one it hangs on."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from sqlmodel import SQLModel

from telemed.core.db import UnitOfWork
from telemed.demo.meetings import Stays
from telemed.demo.qualities import make_qualities
from telemed.demo.story import Story
from telemed.demo.training import Placement, Transfer
from telemed.sessions.models import Attendance, LiveSession, Participant


async def write_stories(work: UnitOfWork, stories: Sequence[Story]) -> None:
    """Consults first, then what hangs on them: meetings, papers, signatures."""
    await add_all(work, sorted((story.consult for story in stories), key=attrgetter("created_at")))
    await add_all(work, [row for story in stories for row in story.belongings()])
    await add_all(work, [row for story in stories for row in story.read_marks()])
    meetings = [
        (meeting, story.stays[meeting.uid]) for story in stories for meeting in story.meetings
    ]
    await add_all(
        work, [row for meeting, stays in meetings for row in _participants(meeting, stays)]
    )
    await add_all(work, [row for _, stays in meetings for row in _attendances(stays)])
    measured = [
        page
        for story in stories
        for meeting in story.meetings
        for page in make_qualities(story.world, meeting, story.stays[meeting.uid])
    ]
    await add_all(work, measured)
    papers = [paper for story in stories for paper in story.papers]
    amended = {id(addendum) for story in stories for addendum, _ in story.addenda}
    await add_all(work, [record for record, _ in papers if id(record) not in amended])
    for story in stories:
        for addendum, minutes in story.addenda:
            addendum.amends_id = minutes.id
    await add_all(work, [record for record, _ in papers if id(record) in amended])
    for record, evidence in papers:
        evidence.record_id = record.id or 0
    await add_all(work, [evidence for _, evidence in papers])


def _participants(session: LiveSession, stays: Stays) -> list[Participant]:
    for _, participant in stays:
        participant.session_id = session.id or 0
    return [participant for _, participant in stays]


def _attendances(stays: Stays) -> list[Attendance]:
    for stay, participant in stays:
        stay.participant_id = participant.id or 0
    return [stay for stay, _ in stays]


async def write_placements(work: UnitOfWork, placements: Sequence[Placement]) -> None:
    """Postings and decisions, and the rotations that made them."""
    await add_all(work, [placement.posting for placement in placements])
    await add_all(work, [placement.decision for placement in placements])
    for placement in placements:
        placement.rotation.decision_id = placement.decision.id or 0
        placement.rotation.posting_id = placement.posting.id
    await add_all(work, [placement.rotation for placement in placements])
    for placement in placements:
        for week in placement.weeks:
            week.rotation_id = placement.rotation.id or 0
        await add_all(work, placement.weeks)


async def write_transfers(work: UnitOfWork, transfers: Sequence[Transfer]) -> None:
    """Sessions and logs, then members and papers."""
    sessions = [transfer for transfer in transfers if transfer.session]
    await add_all(work, [transfer.session for transfer in sessions if transfer.session])
    for transfer in sessions:
        assert transfer.session
        transfer.log.session_id = transfer.session.id
        await add_all(work, _participants(transfer.session, transfer.stays))
        await add_all(work, _attendances(transfer.stays))
    await add_all(work, [transfer.log for transfer in transfers])
    for transfer in transfers:
        for member in transfer.members:
            member.log_id = transfer.log.id or 0
        work.session.add_all(transfer.members)
    papers = [paper for transfer in transfers for paper in transfer.papers]
    await add_all(work, [record for record, _ in papers])
    for record, evidence in papers:
        for each in evidence:
            each.record_id = record.id or 0
        work.session.add_all(evidence)
    await work.session.flush()


async def add_all(work: UnitOfWork, rows: Sequence[SQLModel]) -> None:
    """One level: afterwards every row has its key."""
    work.session.add_all(rows)
    await work.session.flush()
