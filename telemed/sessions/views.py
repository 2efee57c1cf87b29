"""Pages of live sessions: calling, the room, and who is calling now."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from telemed.accounts.permissions import Action, Actor
from telemed.core.errors import N_
from telemed.keys import RECORDERS, RENDERER, SIGNALING, WORK, signed_in
from telemed.media.forwarding import MOST_DIRECT
from telemed.patients import consent_texts as patient_texts
from telemed.patients.models import ConsentPurpose
from telemed.sessions import access, minutes, opening, ringing, service
from telemed.sessions.access import Meeting
from telemed.sessions.attendance import list_attendance
from telemed.sessions.lifecycle import SessionState
from telemed.sessions.log import list_said
from telemed.sessions.models import Capacity, ParticipantRole
from telemed.sessions.quality import service as quality
from telemed.sessions.recording import consent_texts as recording_texts
from telemed.sessions.recording import service as recordings
from telemed.sessions.recording import watching
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import json_answer, page, see_other
from telemed.web.routing import Routes

routes = Routes()

ROLE_NAMES = {
    ParticipantRole.REQUESTER: N_("Trạm y tế"),
    ParticipantRole.SPECIALIST: N_("Bác sĩ chuyên khoa"),
    ParticipantRole.TRAINER: N_("Giảng viên"),
    ParticipantRole.TRAINEE: N_("Học viên"),
    ParticipantRole.GUEST: N_("Khách"),
}

CAPACITY_NAMES = {
    Capacity.COLLEAGUE: N_("Đồng nghiệp"),
    Capacity.INTERPRETER: N_("Phiên dịch"),
    Capacity.TRAINER: N_("Giảng viên"),
    Capacity.TRAINEE: N_("Học viên"),
}


class Nothing(Body):
    """A press of a button."""


@routes.post("/consults/{uid}/call", Action.SESSION_START)
async def call(request: web.Request) -> web.StreamResponse:
    """Call the other side of a case now; goes on to the room."""
    await read_body(request, Nothing)
    live = await opening.open_for_consult(
        request[WORK], signed_in(request), request.match_info["uid"]
    )
    return see_other(request, f"/sessions/{live.uid}")


@routes.get("/sessions/ringing", Action.SESSION_JOIN)
async def list_ringing(request: web.Request) -> web.Response:
    """Who is calling whoever asks."""
    renderer = request.app[RENDERER]
    calls = [
        {
            "session": call.session.uid,
            "url": f"/sessions/{call.session.uid}",
            "from": call.caller.full_name,
            "role": renderer.text(request, ROLE_NAMES[call.role]),
            "capacity": renderer.text(request, CAPACITY_NAMES[call.capacity])
            if call.capacity
            else "",
            "facility": call.place,
            "patient": call.patient_name,
            "title": call.session.title,
            "expires_at": call.expires_at.isoformat(),
        }
        for call in await ringing.list_calls(request[WORK], signed_in(request))
    ]
    return json_answer({"now": request[WORK].now().isoformat(), "calls": calls})


@routes.post("/sessions/{uid}/decline", Action.SESSION_JOIN)
async def decline(request: web.Request) -> web.StreamResponse:
    """Not now."""
    await read_body(request, Nothing)
    await ringing.decline(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, "/home")


@routes.get("/sessions/{uid}", Action.SESSION_JOIN)
async def room(request: web.Request) -> web.Response:
    """The room, or who was in it when it is over."""
    work, actor = request[WORK], signed_in(request)
    meeting = await service.get(work, actor, request.match_info["uid"])
    # An invitation opens the room, and nothing of the case.
    reads_case = access.reads_case(work, actor, meeting)
    consult = meeting.consult if reads_case else None
    context: dict[str, Any] = {
        "live": meeting.session,
        "consult": consult,
        "is_guest": meeting.consult is not None and not reads_case,
    }
    context["has_recordings"] = await watching.has_recordings(work, actor, meeting)
    if meeting.session.state is SessionState.ENDED:
        stays = await list_attendance(work, meeting.session)
        context["capacities"] = CAPACITY_NAMES
        context["said"] = await list_said(work, actor, meeting)
        context["records"] = await quality.list_records(work, meeting.session)
        can_call = meeting.consult is not None and meeting.consult.state in opening.CALLABLE
        return page(request, "sessions/over.html", stays=stays, can_call=can_call, **context)
    others = [each.person for each in meeting.members if each.person.id != actor.id]
    papers = None
    if consult is not None:
        papers = await minutes.open_papers(work, actor, consult.uid)
    return page(
        request,
        "sessions/room.html",
        others=others,
        ice=_ice(request, meeting),
        papers=papers,
        capacities=CAPACITY_NAMES,
        may_invite=request.app[SIGNALING].forwarder.most_inside > MOST_DIRECT
        and access.may_invite(work, actor, meeting),
        asks_pictures=_asks_pictures(meeting, actor),
        recording=_recording(meeting, actor) if request.app[RECORDERS].is_available else None,
        patient=papers.patient if papers else None,
        values=papers.draft.content if papers and papers.draft else {},
        revision=papers.draft.revision if papers and papers.draft else 0,
        **context,
    )


def _ice(request: web.Request, meeting: Meeting) -> dict[str, Any]:
    """A path is looked for while the page comes in: by a credential of this person in this session."""
    now = request[WORK].now()
    who = f"{meeting.session.uid}-{signed_in(request).uid}"
    issued = request.app[SIGNALING].ice.issue_briefly(who, now)
    return {"now": now.isoformat(), **issued.answer}


def _recording(meeting: Meeting, actor: Actor) -> dict[str, Any]:
    own, consult = meeting.find(actor.id), meeting.consult
    return {
        "text": recording_texts.CURRENT,
        "patient_text": patient_texts.CURRENT[ConsentPurpose.RECORDING],
        "may_steer": own is None or own.participant.role in recordings.MAY_ASK,
        "is_station": consult is not None and consult.station_id in actor.station_ids,
    }


def _asks_pictures(meeting: Meeting, actor: Actor) -> bool:
    own = meeting.find(actor.id)
    if meeting.consult is None:
        return False
    if own is None:
        return meeting.consult.assigned_id == actor.id
    return own.participant.role is ParticipantRole.SPECIALIST
