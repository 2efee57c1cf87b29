"""Sharp pictures on request: the specialist asks, the station's camera answers, the case keeps it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from telemed.accounts.permissions import Actor
from telemed.consults.models import Consult
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict
from telemed.core.events import Event, append_event, last_number, list_events, stream_of
from telemed.imaging.service import find_file
from telemed.sessions.access import Meeting, Member, get_meeting
from telemed.sessions.log import PAGE
from telemed.sessions.models import ParticipantRole

ASKED, ANSWERED = "picture_asked", "picture_answered"
# A request that nobody has finished by then no longer keeps the next one waiting.
OPEN_FOR = timedelta(minutes=3)


class Outcome(StrEnum):
    """Waiting: the picture is made and stays on the device until the link carries it."""

    WAITING = "waiting"
    TAKEN = "taken"
    DECLINED = "declined"
    FAILED = "failed"


async def ask_for_picture(work: UnitOfWork, actor: Actor, uid: str, to: str) -> int:
    """Ask a participant of the station for a sharp picture; the number of the request.

    Raises Missing, Conflict (outside, no case, not for this role, absent, the last one is open).
    """
    meeting, own, _ = await _begin(work, actor, uid)
    target = meeting.find_participant(to)
    if target is None or target is own or not target.is_inside:
        raise Conflict("peer_absent", N_("Người kia hiện không ở trong phòng"))
    if (own.participant.role, target.participant.role) != (
        ParticipantRole.SPECIALIST,
        ParticipantRole.REQUESTER,
    ):
        raise Conflict("picture_role", N_("Chỉ bác sĩ chuyên khoa xin được ảnh của trạm"))
    earliest = work.now() - OPEN_FOR
    for ask in _open_asks(await _list_recent(work, uid)):
        if ask.data.get("to") == to and ask.at > earliest:
            raise Conflict("picture_waiting", N_("Lần xin ảnh trước chưa có câu trả lời"))
    return await append_event(work, stream_of("session", uid), ASKED, actor.id, to=to)


async def answer_with_picture(
    work: UnitOfWork, actor: Actor, uid: str, ask: int, outcome: Outcome, *, file: str | None = None
) -> int:
    """Say what became of a request; a picture that was taken is a file of the case already.

    Raises Missing, Conflict (outside, no case, no such open request, no such file of the actor).
    """
    _, own, consult = await _begin(work, actor, uid)
    recent = await _list_recent(work, uid)
    data: dict[str, Any] = {"ask": ask, "outcome": outcome.value}
    if outcome is Outcome.TAKEN:
        data |= await _describe(work, actor, consult, file)
    said = [each for each in recent if each.kind == ANSWERED and each.data.get("ask") == ask]
    if said and said[-1].person_id == actor.id and said[-1].data == data:
        # The same words again: the acknowledgement of the first was lost.
        return said[-1].number
    to_own = {each.number for each in _open_asks(recent) if each.data["to"] == own.participant.uid}
    if ask not in to_own:
        raise Conflict("picture_not_asked", N_("Không có lần xin ảnh nào đang chờ bạn"))
    return await append_event(work, stream_of("session", uid), ANSWERED, actor.id, **data)


async def _begin(work: UnitOfWork, actor: Actor, uid: str) -> tuple[Meeting, Member, Consult]:
    meeting = await get_meeting(work, actor, uid, lock=True)
    own = meeting.find(actor.id)
    if own is None or not own.is_inside:
        raise Conflict("not_joined", N_("Bạn chưa vào phòng này"))
    if meeting.consult is None:
        raise Conflict("no_case", N_("Buổi này không thuộc ca nào nên không có chỗ giữ ảnh"))
    return meeting, own, meeting.consult


async def _list_recent(work: UnitOfWork, uid: str) -> list[Event]:
    stream = stream_of("session", uid)
    newest = await last_number(work, stream)
    return await list_events(work, stream, after=max(0, newest - PAGE), limit=PAGE)


def _open_asks(events: list[Event]) -> list[Event]:
    closed = {
        each.data["ask"]
        for each in events
        if each.kind == ANSWERED and each.data["outcome"] != Outcome.WAITING
    }
    return [each for each in events if each.kind == ASKED and each.number not in closed]


async def _describe(
    work: UnitOfWork, actor: Actor, consult: Consult, file: str | None
) -> dict[str, Any]:
    stored = await find_file(work, consult, file or "")
    if stored is None or stored.uploaded_by_id != actor.id or stored.preview_sha256 is None:
        raise Conflict("picture_unknown", N_("Ca này không có ảnh đó của bạn"))
    return {"file": stored.uid, "width": stored.width, "height": stored.height}
