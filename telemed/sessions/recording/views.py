"""Watching what was recorded of a session, and taking an agreement to it back."""

from __future__ import annotations

from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.core.errors import N_
from telemed.keys import RECORDERS, STORAGE, WORK, signed_in
from telemed.sessions.recording import watching
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, page, see_other
from telemed.web.routing import Routes

routes = Routes()
add_notices({"recording_deleted": N_("Đã rút lại đồng ý và xóa bản ghi")})


class WithdrawForm(Body):
    """Whose agreement is taken back."""

    for_patient: bool = False


@routes.get("/sessions/{uid}/recording", Action.RECORDING_READ)
async def show(request: web.Request) -> web.Response:
    """Everybody's files side by side, or why there is nothing to see yet, or any more."""
    actor, uid = signed_in(request), request.match_info["uid"]
    meeting, shelves = await watching.open_shelf(request[WORK], actor, uid)
    consult = meeting.consult
    return page(
        request,
        "sessions/recording.html",
        live=meeting.session,
        consult=consult,
        shelves=shelves,
        is_station=consult is not None and consult.station_id in actor.station_ids,
    )


@routes.get("/sessions/{uid}/recording/files/{file}", Action.RECORDING_READ)
async def take(request: web.Request) -> web.StreamResponse:
    """One participant's file, whole or the piece that is asked for."""
    actor, found = signed_in(request), request.match_info
    stored = await watching.open_take(request[WORK], actor, found["uid"], found["file"])
    headers = {
        "Content-Type": "video/webm",
        "Content-Disposition": "inline",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }
    return web.FileResponse(request.app[STORAGE].path_of(stored.sha256), headers=headers)


@routes.post("/sessions/{uid}/recording/{recording}/withdraw", Action.RECORDING_READ)
async def withdraw(request: web.Request) -> web.StreamResponse:
    """Take an agreement back; the files are deleted."""
    form = await read_body(request, WithdrawForm)
    actor, found = signed_in(request), request.match_info
    await watching.withdraw(
        request[WORK],
        request.app[RECORDERS].keeper,
        actor,
        found["uid"],
        found["recording"],
        for_patient=form.for_patient,
    )
    if form.for_patient:
        # Without the patient's agreement the page is for nobody any more.
        return see_other(request, f"/sessions/{found['uid']}", notice="recording_deleted")
    return see_other(request, f"/sessions/{found['uid']}/recording", notice="recording_deleted")
