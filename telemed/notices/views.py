"""Notices on screen, what people chose, and what those outside report."""

from __future__ import annotations

import hmac
from datetime import time
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.core.audit import AuditTag
from telemed.core.errors import N_, Invalid, Missing
from telemed.core.paths import STATIC
from telemed.keys import PUSH_KEY, SETTINGS, WORK, signed_in
from telemed.notices import outbox, preferences, service
from telemed.notices.kinds import Channel, NoticeKind, QuietHours, Topic, sentence
from telemed.notices.models import Notice
from telemed.notices.service import News
from telemed.web.parsing import Body, Clock, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, json_answer, page, see_other
from telemed.web.routing import Routes, Values
from telemed.web.security import content_security_policy

routes = Routes()
add_notices(
    {
        "notices_read": N_("Đã đánh dấu đọc hết"),
        "notices_chosen": N_("Đã lưu cách nhận thông báo"),
        "mail_asked": N_("Đã gửi mã tới địa chỉ thư. Xem hộp thư rồi ghi mã."),
        "mail_confirmed": N_("Địa chỉ thư đã được xác nhận"),
        "mail_code_wrong": N_("Mã chưa đúng. Xem lại thư mới nhất."),
        "mail_forgotten": N_("Đã bỏ địa chỉ thư"),
        "trial_sent": N_("Đã gửi tin thử bằng mọi đường của bạn"),
        "browser_ended": N_("Máy đó không còn nhận thông báo"),
    }
)
_PAGE, _HERE = "notices/preferences.html", "/account/notices"
WORKER = "js/notices-worker.js"
TOPIC_NAMES = {
    Topic.WAITING: N_("Ca chờ tôi nhận (không phải cấp cứu)"),
    Topic.CASE: N_("Ca của tôi: nhận, hỏi thêm, tin nhắn, kết luận"),
    Topic.SCHEDULE: N_("Lịch hẹn: mới, đổi giờ, hủy, sắp đến giờ"),
    Topic.FOLLOW_UP: N_("Sau kết luận: quyết định của trạm, kết quả"),
}
CHANNEL_NAMES = {
    Channel.PUSH: N_("Trình duyệt"),
    Channel.MAIL: N_("Thư điện tử"),
    Channel.SMS: N_("Tin nhắn SMS"),
}


class PageQuery(Body):
    """Which notices: those before one of them."""

    before: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class ChoicesForm(Body):
    """Ticked ways (`topic:channel`), and the hours of rest."""

    chosen: list[str] = Field(default_factory=list, max_length=20)
    is_quiet: bool = False
    quiet_start: Clock = time(22)
    quiet_end: Clock = time(6)


class MailForm(Body):
    """An address."""

    mail: Annotated[str, Field(max_length=254)] = ""


class CodeForm(Body):
    """What came by mail."""

    code: Annotated[str, Field(max_length=20)] = ""


class BrowserForm(Body):
    """What a browser's subscription says (W3C Push API)."""

    endpoint: Annotated[str, Field(min_length=1, max_length=1000)]
    p256dh: Annotated[str, Field(max_length=100)]
    auth: Annotated[str, Field(max_length=40)]


class SmsReport(Body):
    """What became of a message, by our id or by the gateway's."""

    id: Annotated[str, Field(min_length=1, max_length=80)]
    status: Annotated[str, Field(max_length=40)]


@routes.get("/notices", Action.ACCOUNT)
async def show(request: web.Request) -> web.Response:
    """What I was told, newest first."""
    query = read_query(request, PageQuery)
    found = await service.list_notices(request[WORK], signed_in(request), before=query.before)
    return page(
        request,
        "notices/list.html",
        found=found,
        sentence=lambda notice: sentence(notice.kind, is_urgent=notice.is_urgent),
        channels=CHANNEL_NAMES,
        older=f"/notices?before={found.after}" if found.after else None,
        newer="/notices" if query.before else None,
    )


@routes.get("/notices/count", Action.ACCOUNT)
async def count(request: web.Request) -> web.Response:
    """How much I have not read; pages ask by themselves."""
    return json_answer({"unread": await service.count_unread(request[WORK], signed_in(request))})


@routes.get("/notices/{uid}", Action.ACCOUNT)
async def follow(request: web.Request) -> web.Response:
    """Where a notice leads. That it was read is kept, as every look is."""
    uid = request.match_info["uid"]
    return see_other(
        request, _target(await service.open_notice(request[WORK], signed_in(request), uid))
    )


def _target(notice: Notice) -> str:
    case = notice.about.partition(":")[2]
    if not case:
        return _HERE
    return {
        NoticeKind.REQUEST_WAITS: f"/worklist?case={case}",
        NoticeKind.DECISION_DUE: f"/consults/{case}/minutes",
        NoticeKind.OUTCOME_DUE: f"/consults/{case}/outcome",
        NoticeKind.RIGHTS_DUE: f"/rights/{case}",
        NoticeKind.SIGNATURE_DUE: f"/training/sessions/{case}",
        NoticeKind.RECHECK_DUE: f"/training/acceptances/{case}",
        # The case itself may be closed to the specialist by then.
        NoticeKind.OUTCOME_RECORDED: "/outcomes?tab=feedback",
    }.get(notice.kind, f"/consults/{case}")


@routes.post("/notices/read", Action.ACCOUNT)
async def read_all(request: web.Request) -> web.Response:
    """Nothing is news to me any more."""
    await service.mark_all_read(request[WORK], signed_in(request))
    return see_other(request, "/notices", notice="notices_read")


@routes.get(_HERE, Action.ACCOUNT)
async def edit(request: web.Request) -> web.Response:
    """By which ways I want to hear of what."""
    return _with_worker(page(request, _PAGE, errors={}, **await _context(request)))


def _with_worker(response: web.Response) -> web.Response:
    """The page that starts a worker; browsers with Trusted Types want its address by a policy."""
    policy = content_security_policy(**{"trusted-types": "notices-worker"})
    response.headers["Content-Security-Policy"] = policy
    return response


async def _context(request: web.Request) -> dict[str, Any]:
    mine = await preferences.read_preferences(request[WORK], signed_in(request))
    quiet = mine.wishes.quiet
    return {
        "mine": mine,
        "chosen": {f"{topic}:{channel}" for topic, channel in mine.wishes.chosen},
        "quiet": quiet or QuietHours(time(22), time(6)),
        "is_quiet": quiet is not None,
        "values": {},
        "topics": TOPIC_NAMES,
        "channels": CHANNEL_NAMES,
        "push_key": request.app[PUSH_KEY],
    }


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    context = await _context(request)
    return _with_worker(invalid_page(request, _PAGE, error, **{**context, "values": values}))


@routes.post(_HERE, Action.ACCOUNT, on_invalid=_again)
async def choose(request: web.Request) -> web.Response:
    """Other ways from now on."""
    form = await read_body(request, ChoicesForm)
    known = {f"{topic}:{channel}": (topic, channel) for topic in Topic for channel in Channel}
    if set(form.chosen) - set(known):
        raise Invalid("choice_unknown", N_("Chọn một trong các giá trị có sẵn"), field="chosen")
    quiet = QuietHours(form.quiet_start, form.quiet_end) if form.is_quiet else None
    work, actor = request[WORK], signed_in(request)
    await preferences.choose(work, actor, {known[each] for each in form.chosen}, quiet)
    work.audit(AuditTag.NOTICES_CHOOSE, actor, f"person:{actor.uid}", what="ways")
    return see_other(request, _HERE, notice="notices_chosen")


@routes.post(f"{_HERE}/mail", Action.ACCOUNT, on_invalid=_again)
async def ask_mail(request: web.Request) -> web.Response:
    """An address that a code is sent to; nothing else goes there before it is proved."""
    form = await read_body(request, MailForm)
    work, actor = request[WORK], signed_in(request)
    code = await preferences.ask_mail(work, actor, form.mail)
    moment = work.now().isoformat()
    kind = NoticeKind.MAIL_CODE
    news = News(kind, {actor.id}, key=f"{kind.value}:{moment}", data={"code": code})
    await service.notify(work, news)
    work.audit(AuditTag.NOTICES_CHOOSE, actor, f"person:{actor.uid}", what="mail_asked")
    return see_other(request, _HERE, notice="mail_asked")


@routes.post(f"{_HERE}/mail/confirm", Action.ACCOUNT, on_invalid=_again)
async def confirm_mail(request: web.Request) -> web.Response:
    """The code proves that the address is theirs."""
    form = await read_body(request, CodeForm)
    work, actor = request[WORK], signed_in(request)
    is_right = await preferences.confirm_mail(work, actor, form.code)
    if is_right:
        work.audit(AuditTag.NOTICES_CHOOSE, actor, f"person:{actor.uid}", what="mail_confirmed")
    return see_other(request, _HERE, notice="mail_confirmed" if is_right else "mail_code_wrong")


@routes.post(f"{_HERE}/mail/forget", Action.ACCOUNT)
async def forget_mail(request: web.Request) -> web.Response:
    """No mail any more."""
    work, actor = request[WORK], signed_in(request)
    await preferences.forget_mail(work, actor)
    work.audit(AuditTag.NOTICES_CHOOSE, actor, f"person:{actor.uid}", what="mail_forgotten")
    return see_other(request, _HERE, notice="mail_forgotten")


@routes.post(f"{_HERE}/trial", Action.ACCOUNT)
async def send_trial(request: web.Request) -> web.Response:
    """A message by every way of mine, once a minute at most."""
    work, actor = request[WORK], signed_in(request)
    kind, minute = NoticeKind.TRIAL, f"{work.now():%Y-%m-%dT%H:%M}"
    await service.notify(work, News(kind, {actor.id}, key=f"{kind.value}:{minute}"))
    return see_other(request, _HERE, notice="trial_sent")


@routes.post(f"{_HERE}/browsers", Action.ACCOUNT)
async def subscribe(request: web.Request) -> web.Response:
    """This browser takes messages for me."""
    form = await read_body(request, BrowserForm)
    work, actor = request[WORK], signed_in(request)
    await preferences.subscribe(work, actor, form.endpoint, form.p256dh, form.auth)
    work.audit(AuditTag.NOTICES_CHOOSE, actor, f"person:{actor.uid}", what="browser")
    return json_answer({})


@routes.post(_HERE + "/browsers/{uid}/end", Action.ACCOUNT)
async def unsubscribe(request: web.Request) -> web.Response:
    """A browser of mine takes no messages any more."""
    await preferences.unsubscribe(request[WORK], signed_in(request), request.match_info["uid"])
    return see_other(request, _HERE, notice="browser_ended")


@routes.post("/deliveries/{uid}/arrived", Action.PUBLIC)
async def arrived(request: web.Request) -> web.Response:
    """A browser has shown a message; the id that came with it is all that it needs to know."""
    await outbox.note_arrival(request[WORK], request.match_info["uid"])
    return web.Response(status=204)


@routes.post("/notices/sms-reports", Action.PUBLIC)
async def sms_report(request: web.Request) -> web.Response:
    """The gateway says what became of a message. Without the token there is no such address."""
    token = request.app[SETTINGS].sms.report_token.get_secret_value()
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise Missing
    form = await read_body(request, SmsReport)
    if form.status in {"delivered", "failed"}:
        is_arrived = form.status == "delivered"
        await outbox.note_report(request[WORK], form.id, is_arrived=is_arrived)
    return web.Response(status=204)


@routes.get("/admin/deliveries", Action.DELIVERY_READ)
async def report(request: web.Request) -> web.Response:
    """How every way out does."""
    offered = preferences.offered_ways(request[WORK])
    return page(
        request,
        "notices/report.html",
        rows=await outbox.report(request[WORK]),
        offered=offered,
        channels=CHANNEL_NAMES,
    )


@routes.get("/notices-worker.js", Action.PUBLIC)
async def worker(_request: web.Request) -> web.StreamResponse:
    """What shows messages while no page is open; its address never changes, its text may."""
    headers = {"Cache-Control": "no-cache", "Content-Type": "text/javascript; charset=utf-8"}
    return web.FileResponse(STATIC / WORKER, headers=headers)
