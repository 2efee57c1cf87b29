"""What somebody does who was told of a request, and the page of the time limits."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults.clocks import in_minutes, response_limits, set_limits
from telemed.consults.models import Urgency
from telemed.core.errors import N_, Invalid
from telemed.keys import WORK, signed_in
from telemed.scheduling.escalation import service
from telemed.web.formats import local
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, invalid_page, json_answer, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
_PAGE = "scheduling/limits.html"
_HERE = "/response-limits"
add_notices(
    {
        "request_seen": N_("Đã ghi bạn đã xem. Hết giờ mà chưa ai nhận, ca báo lên bậc trên."),
        "limits_saved": N_("Đã lưu thời hạn nhận ca"),
    }
)
Minutes = Annotated[int, Field(ge=0, le=100_000)]


class LimitsForm(Body):
    """Minutes by urgency."""

    emergency: Minutes
    urgent: Minutes
    routine: Minutes


@routes.post("/consults/{uid}/seen", Action.CONSULT_TRIAGE)
async def see(request: web.Request) -> web.Response:
    """Whoever was told has seen it, and looks after it."""
    uid = request.match_info["uid"]
    await service.see(request[WORK], signed_in(request), uid)
    return see_other(request, f"/worklist?case={uid}", notice="request_seen")


@routes.get("/alerts", Action.CONSULT_TRIAGE)
async def alerts(request: web.Request) -> web.Response:
    """What waits for whoever asks."""
    found = [
        {
            "uid": alert.uid,
            "urgency": alert.urgency.value,
            "specialty": alert.specialty,
            "station": alert.station,
            "since": f"{local(alert.since):%H:%M}",
        }
        for alert in await service.list_alerts(request[WORK], signed_in(request))
    ]
    return json_answer({"alerts": found})


@routes.get(_HERE, Action.DUTY_WRITE)
async def edit(request: web.Request) -> web.Response:
    """How long requests may wait, by urgency."""
    values = in_minutes(await response_limits(request[WORK]))
    return page(request, _PAGE, errors={}, values=values)


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _PAGE, error, values=values)


@routes.post(_HERE, Action.DUTY_WRITE, on_invalid=_again)
async def save(request: web.Request) -> web.Response:
    """Other limits from now on."""
    form = await read_body(request, LimitsForm)
    minutes = {urgency: int(getattr(form, urgency.value)) for urgency in Urgency}
    await set_limits(request[WORK], signed_in(request), minutes)
    return see_other(request, "/duty", notice="limits_saved")
