"""Pages of technical-transfer sessions: log, countersign, search."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from telemed.accounts.permissions import Action, Role
from telemed.accounts.signing import SignForm, prove
from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import N_, Invalid
from telemed.core.text import fold
from telemed.facilities.service import list_stations
from telemed.keys import WORK, signed_in
from telemed.scheduling.availability import parse_clock
from telemed.training import transfers
from telemed.training.models import TransferPart, TransferPlace, TransferState, TransferType
from telemed.training.packages.service import list_running
from telemed.training.repository import LogFilter, list_people, station_trainees
from telemed.training.techniques.rules import CODE_PATTERN, LONGEST_NAME
from telemed.training.transfer_input import MOST_CASES, TRAINERS, TransferInput
from telemed.training.transfers import OpenLog
from telemed.web.formats import format_date, format_time, local
from telemed.web.parsing import Body, Day, RowKey, local_day, read_form, read_query
from telemed.web.rendering import add_notices, invalid_page, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"transfer_saved": N_("Máy chủ đã nhận nhật ký, chưa ký")})
add_notices({"transfer_signed": N_("Đã ký nhật ký chuyển giao")})
add_notices({"addendum_signed": N_("Đã ký bản bổ sung")})


def _clock(text: object) -> object:
    try:
        return parse_clock(text, "") if isinstance(text, str) else text
    except Invalid as error:
        raise PydanticCustomError("clock_malformed", "not a time of day") from error


Minutes = Annotated[int, BeforeValidator(_clock)]
Cases = Annotated[int, Field(ge=0, le=MOST_CASES)]


class LogForm(Body):
    """One session as typed."""

    station: RowKey
    technique_code: Annotated[str, Field(pattern=CODE_PATTERN)] | None = None
    technique_name: Annotated[str, Field(min_length=2, max_length=LONGEST_NAME)]
    type: TransferType
    place: TransferPlace
    day: Day
    start: Minutes
    end: Minutes
    trainers: list[RowKey] = Field(default_factory=list, max_length=30)
    trainees: list[RowKey] = Field(default_factory=list, max_length=30)
    observed: Cases = 0
    assisted: Cases = 0
    performed: Cases = 0
    evaluation: Annotated[str, Field(max_length=2000)] = ""
    incidents: Annotated[str, Field(max_length=2000)] = ""
    package: RowKey | None = None
    revision: Annotated[int, Field(ge=0)] = 0


class LogSignForm(SignForm):
    """Who signs, and what they have seen."""

    revision: Annotated[int, Field(ge=0)] = 0


class AddendumForm(SignForm):
    """An addition, signed."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class ListQuery(Body):
    """What the list is narrowed to."""

    q: Annotated[str, Field(max_length=100)] = ""
    station: RowKey | None = None
    state: TransferState | None = None
    code: Annotated[str, Field(max_length=12)] = ""
    before: RowKey | None = None


def _given(form: LogForm) -> TransferInput:
    midnight = datetime(form.day.year, form.day.month, form.day.day, tzinfo=LOCAL_ZONE)
    start, end = (midnight + timedelta(minutes=minutes) for minutes in (form.start, form.end))
    return TransferInput(
        station_id=form.station,
        technique_code=form.technique_code or "",
        technique_name=form.technique_name,
        type=form.type,
        place=form.place,
        starts_at=start,
        ends_at=end,
        trainer_ids=form.trainers,
        trainee_ids=form.trainees,
        observed=form.observed,
        assisted=form.assisted,
        performed=form.performed,
        evaluation=form.evaluation,
        incidents=form.incidents,
        package_id=form.package,
    )


async def _choices(request: web.Request, station_id: int | None, day: object) -> dict[str, Any]:
    work, actor = request[WORK], signed_in(request)
    stations = await list_stations(work)
    if not actor.has(Role.TRAINER):
        stations = [each for each in stations if each.id == actor.posted_station_id]
    trainees = await station_trainees(work, station_id) if station_id else []
    trainers = await list_people(work, TRAINERS)
    return {
        "stations": [(each.id, each.name) for each in stations],
        "station_id": station_id,
        "trainers": [(each.id, f"{each.title} {each.full_name}".strip()) for each in trainers],
        "trainees": [(each.id, f"{each.title} {each.full_name}".strip()) for each in trainees],
        "packages": await _packages(request, station_id, day),
    }


async def _packages(
    request: web.Request, station_id: int | None, day: object
) -> list[tuple[int | None, str]]:
    """What runs at the station today, or ran on the day that is written in the form."""
    work, days = request[WORK], [local(request[WORK].now()).date()]
    with suppress(ValueError):
        days.append(date.fromisoformat(str(local_day(day))))
    running = [each for when in days for each in await list_running(work, station_id or 0, when)]
    return [
        (key, words) for key, words in {p.id: f"{p.number} – {p.title}" for p in running}.items()
    ]


def _number(text: object) -> int | None:
    is_key = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10
    return int(str(text)) if is_key else None


@routes.get("/training/sessions", Action.TRANSFER_READ)
async def show_list(request: web.Request) -> web.Response:
    """Logs the actor may see, newest first."""
    query = read_query(request, ListQuery)
    work, actor = request[WORK], signed_in(request)
    wanted = LogFilter(
        words=tuple(fold(query.q).split()[:8]),
        station_id=query.station,
        technique_code=query.code,
        state=query.state,
        before=query.before,
    )
    rows, older = await transfers.search(work, actor, wanted)
    return page(
        request,
        "training/transfers.html",
        rows=rows,
        older=request.rel_url.update_query(before=older) if older else None,
        query=query,
        stations=[(each.id, each.name) for each in await list_stations(work)],
        awaiting=await transfers.list_awaiting(work, actor),
        may_write=actor.has(*TRAINERS),
    )


async def _form_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    station_id = _number(values.get("station"))
    work, uid = request[WORK], request.match_info.get("uid")
    opened = await transfers.open_log(work, signed_in(request), uid) if uid else None
    context = {"values": values, **await _choices(request, station_id, values.get("day"))}
    context["revision"] = opened.log.revision if opened else 0
    return invalid_page(request, "training/transfer_form.html", error, **context)


@routes.get("/training/sessions/new", Action.TRANSFER_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty log; a trainer chooses the station first."""
    actor = signed_in(request)
    station_id = _number(request.query.get("station")) or actor.posted_station_id
    values = {"trainers": [str(actor.id)], "station": station_id, **_today(request)}
    values["package"] = _number(request.query.get("package"))
    context: dict[str, Any] = {"values": values, "errors": {}, "revision": 0}
    context |= await _choices(request, station_id, values["day"])
    return page(request, "training/transfer_form.html", **context)


def _today(request: web.Request) -> dict[str, str]:
    return {"day": format_date(request[WORK].now())}


@routes.post("/training/sessions/new", Action.TRANSFER_WRITE, on_invalid=_form_again)
async def create(request: web.Request) -> web.Response:
    """Keep a new log."""
    form = await read_form(request, LogForm)
    log = await transfers.start(request[WORK], signed_in(request), _given(form))
    return see_other(request, f"/training/sessions/{log.uid}", notice="transfer_saved")


def _values(opened: OpenLog) -> dict[str, Any]:
    log = opened.log

    def chosen(part: TransferPart) -> list[str]:
        return [str(member.person_id) for member, _ in opened.members if member.part is part]

    return {
        **log.model_dump(include=set(LogForm.model_fields)),
        "type": log.type.value,
        "place": log.place.value,
        "station": log.station_id,
        "package": log.package_id,
        "day": format_date(log.starts_at),
        "start": format_time(log.starts_at),
        "end": format_time(log.ends_at),
        "trainers": chosen(TransferPart.TRAINER),
        "trainees": chosen(TransferPart.TRAINEE),
    }


@routes.get("/training/sessions/{uid}/edit", Action.TRANSFER_WRITE)
async def edit(request: web.Request) -> web.Response:
    """A log that is not signed yet."""
    opened = await transfers.open_log(request[WORK], signed_in(request), request.match_info["uid"])
    values = _values(opened)
    context: dict[str, Any] = {"values": values, "errors": {}, "revision": opened.log.revision}
    context |= await _choices(request, opened.log.station_id, values["day"])
    return page(request, "training/transfer_form.html", **context)


@routes.post("/training/sessions/{uid}/edit", Action.TRANSFER_WRITE, on_invalid=_form_again)
async def change(request: web.Request) -> web.Response:
    """Keep what was changed."""
    form = await read_form(request, LogForm)
    uid = request.match_info["uid"]
    await transfers.change(
        request[WORK], signed_in(request), uid, _given(form), revision=form.revision
    )
    return see_other(request, f"/training/sessions/{uid}", notice="transfer_saved")


async def _show(request: web.Request) -> dict[str, Any]:
    opened = await transfers.open_log(request[WORK], signed_in(request), request.match_info["uid"])
    return {"opened": opened, "log": opened.log}


@routes.get("/training/sessions/{uid}", Action.TRANSFER_READ)
async def show(request: web.Request) -> web.Response:
    """One log with its signatures."""
    context = await _show(request)
    return page(request, "training/transfer.html", errors={}, values={}, **context)


async def _show_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _show(request)
    return invalid_page(request, "training/transfer.html", error, values=values, **context)


@routes.post("/training/sessions/{uid}/sign", Action.TRANSFER_SIGN, on_invalid=_show_again)
async def sign(request: web.Request) -> web.Response:
    """Sign as trainer or trainee."""
    form = await read_form(request, LogSignForm)
    actor, uid = signed_in(request), request.match_info["uid"]
    method = await prove(request, form.password, form.code)
    await transfers.sign(request[WORK], actor, uid, method, revision=form.revision)
    return see_other(request, f"/training/sessions/{uid}", notice="transfer_signed")


@routes.post("/training/sessions/{uid}/addenda", Action.TRANSFER_SIGN, on_invalid=_show_again)
async def add_addendum(request: web.Request) -> web.Response:
    """Sign an addition."""
    form = await read_form(request, AddendumForm)
    actor, uid = signed_in(request), request.match_info["uid"]
    method = await prove(request, form.password, form.code)
    await transfers.add_addendum(
        request[WORK], actor, uid, text=form.text, reason=form.reason, method=method
    )
    return see_other(request, f"/training/sessions/{uid}", notice="addendum_signed")


@routes.post("/training/sessions/{uid}/call", Action.TRANSFER_WRITE)
async def call(request: web.Request) -> web.Response:
    """Meet by video about this log."""
    uid = request.match_info["uid"]
    session = await transfers.start_session(request[WORK], signed_in(request), uid)
    return see_other(request, f"/sessions/{session.uid}")
