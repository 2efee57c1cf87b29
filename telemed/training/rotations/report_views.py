"""The page of one rotation: leave, early return, weekly log, end report, the decision's paper."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Invalid
from telemed.imaging.service import take_in
from telemed.keys import DATABASE, PREVIEWER, SETTINGS, STORAGE, WORK, signed_in
from telemed.training.rotations import reports, service
from telemed.training.rotations.rules import Span
from telemed.web.parsing import Body, Day, read_form
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values
from telemed.web.uploads import read_upload

routes = Routes()
add_notices({"rotation_ended": N_("Đã ghi ngày về")})
add_notices({"leave_saved": N_("Đã ghi nghỉ")})
add_notices({"leave_removed": N_("Đã bỏ lần nghỉ")})
add_notices({"week_saved": N_("Máy chủ đã nhận nhật ký tuần")})
add_notices({"report_saved": N_("Máy chủ đã nhận báo cáo, chưa gửi")})
add_notices({"report_sent": N_("Đã gửi báo cáo kết thúc")})
add_notices({"decision_filed": N_("Đã lưu bản chụp quyết định")})


class ReturnForm(Body):
    """The last day at the station, and why it is earlier than planned."""

    ended_on: Day
    end_reason: Annotated[str, Field(max_length=300)] = ""
    revision: Annotated[int, Field(ge=0)] = 0


class LeaveForm(Body):
    """Days away."""

    leave_from: Day
    leave_to: Day
    leave_reason: Annotated[str, Field(max_length=300)] = ""


class WeekForm(Body):
    """What was done in the week of a Monday."""

    week: Day
    text: Annotated[str, Field(max_length=5000)] = ""


class ReportForm(Body):
    """The end report, kept or sent."""

    report: Annotated[str, Field(max_length=9000)] = ""
    send: Annotated[str, Field(pattern="^on$")] | None = None


async def _context(request: web.Request) -> dict[str, Any]:
    uid = request.match_info["uid"]
    opened = await reports.open_rotation(request[WORK], signed_in(request), uid)
    return {"opened": opened, "row": opened.row, "rotation": opened.row.rotation}


async def _show_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _context(request)
    template = "training/rotations/show.html"
    return invalid_page(request, template, error, values=values, **context)


@routes.get("/training/rotations/{uid}", Action.ROTATION_READ)
async def show(request: web.Request) -> web.Response:
    """One rotation."""
    context = await _context(request)
    return page(request, "training/rotations/show.html", values={}, errors={}, **context)


def _back(request: web.Request, notice: str) -> web.Response:
    return see_other(request, f"/training/rotations/{request.match_info['uid']}", notice=notice)


@routes.post("/training/rotations/{uid}/return", Action.ROTATION_WRITE, on_invalid=_show_again)
async def end_early(request: web.Request) -> web.Response:
    """Somebody is back before the planned day."""
    form = await read_form(request, ReturnForm)
    await service.end_early(
        request[WORK],
        signed_in(request),
        request.match_info["uid"],
        form.ended_on,
        form.end_reason,
        revision=form.revision,
    )
    return _back(request, "rotation_ended")


@routes.post("/training/rotations/{uid}/leaves", Action.ROTATION_WRITE, on_invalid=_show_again)
async def add_leave(request: web.Request) -> web.Response:
    """Days away."""
    form = await read_form(request, LeaveForm)
    days = Span(form.leave_from, form.leave_to)
    uid = request.match_info["uid"]
    await service.add_leave(request[WORK], signed_in(request), uid, days, form.leave_reason)
    return _back(request, "leave_saved")


@routes.post("/training/rotations/{uid}/leaves/{leave}/remove", Action.ROTATION_WRITE)
async def remove_leave(request: web.Request) -> web.Response:
    """It was a mistake."""
    uid, leave = request.match_info["uid"], request.match_info["leave"]
    await service.remove_leave(request[WORK], signed_in(request), uid, leave)
    return _back(request, "leave_removed")


@routes.post("/training/rotations/{uid}/weeks", Action.ROTATION_REPORT, on_invalid=_show_again)
async def write_week(request: web.Request) -> web.Response:
    """What was done in a week."""
    form = await read_form(request, WeekForm)
    uid = request.match_info["uid"]
    await reports.write_week(request[WORK], signed_in(request), uid, form.week, form.text)
    return _back(request, "week_saved")


@routes.post("/training/rotations/{uid}/report", Action.ROTATION_REPORT, on_invalid=_show_again)
async def write_report(request: web.Request) -> web.Response:
    """The end report."""
    form = await read_form(request, ReportForm)
    uid, send = request.match_info["uid"], form.send is not None
    await reports.write_report(request[WORK], signed_in(request), uid, form.report, send=send)
    return _back(request, "report_sent" if send else "report_saved")


@routes.post("/training/rotations/{uid}/paper", Action.ROTATION_WRITE, on_invalid=_show_again)
async def attach_paper(request: web.Request) -> web.Response:
    """The scanned decision, for everybody whom it sends."""
    actor, uid = signed_in(request), request.match_info["uid"]
    async with request.app[DATABASE].read() as work:
        opened = await reports.open_rotation(work, actor, uid)
    upload = await read_upload(
        request,
        request.app[STORAGE].receive,
        limit_bytes=request.app[SETTINGS].upload_limit_bytes,
    )
    arrival = await take_in(request.app[STORAGE], request.app[PREVIEWER], upload.file, upload.name)
    await reports.attach_paper(request[WORK], actor, opened.row.decision.uid, arrival)
    return _back(request, "decision_filed")


@routes.get("/training/decisions/{uid}/paper", Action.ROTATION_READ)
async def paper(request: web.Request) -> web.StreamResponse:
    """The scanned decision, only ever as a download."""
    uid = request.match_info["uid"]
    decision = await reports.open_paper(request[WORK], signed_in(request), uid)
    name = quote(decision.file_name)
    headers = {
        "Content-Type": decision.file_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    path = request.app[STORAGE].path_of(decision.file_sha256 or "")
    return web.FileResponse(path, headers=headers)
