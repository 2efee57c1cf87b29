"""PDF papers of a case, the referral letter, and the page that tells whether a print is genuine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import segno
from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.accounts.signing import prove
from telemed.core.clock import LOCAL_ZONE
from telemed.core.errors import N_, Invalid
from telemed.core.i18n import DEFAULT_LOCALE
from telemed.keys import DATABASE, PRINTER, RENDERER, SETTINGS, WORK, signed_in
from telemed.sessions.prints import referral, service
from telemed.sessions.prints.codes import grouped
from telemed.sessions.prints.models import PaperKind, Printout
from telemed.web.parsing import LONGEST_SECRET, Body, Clock, Day, read_body, read_query
from telemed.web.rendering import add_notices, invalid_page, page, saying, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices({"referral_signed": N_("Đã ký giấy chuyển. In hai bản, một bản đưa người bệnh.")})
KIND_NAMES: Mapping[PaperKind, str] = {
    PaperKind.MINUTES: N_("Trích biên bản hội chẩn"),
    PaperKind.REQUEST: N_("Phiếu yêu cầu hội chẩn"),
    PaperKind.REFERRAL: N_("Giấy chuyển cơ sở khám bệnh, chữa bệnh"),
}
_FORM = "papers/referral_form.html"
Text = Annotated[str, Field(max_length=referral.LONGEST)]
Line = Annotated[str, Field(max_length=referral.LONGEST_LINE)]


class VerifyQuery(Body):
    """A code, as typed off a paper."""

    code: Annotated[str, Field(max_length=100)] = ""


class ReferralForm(Body):
    """The letter, and who signs it."""

    to: Line = ""
    findings: Text = ""
    results: Text = ""
    diagnosis: Text = ""
    treatment: Text = ""
    condition: Text = ""
    reason: Line = ""
    plan: Text = ""
    transport: Line = ""
    escort: Line = ""
    leaves_on: Day | None = None
    leaves_clock: Clock | None = None
    password: Annotated[str, Field(max_length=LONGEST_SECRET)] = ""
    code: Annotated[str, Field(max_length=10)] = ""

    @property
    def leaves_at(self) -> datetime | None:
        """When the patient leaves, by the clock of the station."""
        if self.leaves_on is None or self.leaves_clock is None:
            return None
        return datetime.combine(self.leaves_on, self.leaves_clock, LOCAL_ZONE)

    @property
    def said(self) -> dict[str, str]:
        """What the letter says."""
        names = set(type(self).model_fields) - {"leaves_on", "leaves_clock", "password", "code"}
        return {name: getattr(self, name) for name in sorted(names)}


def _uid(request: web.Request) -> str:
    return request.match_info["uid"]


@routes.get("/consults/{uid}/minutes/print", Action.MINUTES_READ)
async def show_minutes(request: web.Request) -> web.Response:
    """The extract of minutes as a page that prints."""
    papers, printed = await service.print_minutes(request[WORK], signed_in(request), _uid(request))
    return page(
        request,
        "minutes/print.html",
        papers=papers,
        consult=papers.consult,
        proof=proof_of(request, printed),
    )


@routes.get("/consults/{uid}/minutes.pdf", Action.MINUTES_READ)
async def minutes_pdf(request: web.Request) -> web.Response:
    """The extract of minutes 27/BV2, with decision and addenda."""
    work, actor = request[WORK], signed_in(request)
    papers, printed = await service.print_minutes(work, actor, _uid(request))
    return await _pdf(request, "papers/minutes.html", printed, papers=papers)


@routes.get("/consults/{uid}/request.pdf", Action.CONSULT_READ)
async def request_pdf(request: web.Request) -> web.Response:
    """A request that was sent."""
    work, actor = request[WORK], signed_in(request)
    paper, printed = await service.print_request(work, actor, _uid(request))
    return await _pdf(request, "papers/request.html", printed, paper=paper)


@routes.get("/consults/{uid}/referral.pdf", Action.MINUTES_READ)
async def referral_pdf(request: web.Request) -> web.Response:
    """A signed referral letter."""
    work, actor = request[WORK], signed_in(request)
    letter, printed = await service.print_referral(work, actor, _uid(request))
    return await _pdf(request, "papers/referral.html", printed, letter=letter)


async def _pdf(
    request: web.Request, template: str, printed: Printout, **context: Any
) -> web.Response:
    """A paper in the language of the law. The print is on record before it exists."""
    # Nobody else can write while a page is laid out otherwise.
    await request[WORK].commit()
    proof = proof_of(request, printed)
    renderer = request.app[RENDERER]
    html = renderer.html(request, template, {**context, "proof": proof}, locale=DEFAULT_LOCALE)
    body = await request.app[PRINTER].make(html)
    name = f"{printed.kind.value}-{printed.number}.pdf"
    return web.Response(
        body=body,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def proof_of(request: web.Request, printed: Printout) -> dict[str, Any]:
    """What stands at the foot of a print."""
    url = f"{request.app[SETTINGS].origin}/verify/{printed.code}"
    return {
        "code": grouped(printed.code),
        "url": url,
        "qr": segno.make_qr(url, error="m").svg_data_uri(scale=4, border=1),
        "hash": printed.digest[:16],
        "printed_at": printed.printed_at,
        "printed_by": signed_in(request).name,
        "place": printed.place,
        "name": KIND_NAMES[printed.kind],
        "number": printed.number,
    }


@routes.get("/verify", Action.PUBLIC)
async def ask(request: web.Request) -> web.Response:
    """Where a code is typed that stands on a print."""
    code = read_query(request, VerifyQuery).code
    if code:
        return await _verdict(request, code)
    return page(request, "papers/verify.html", verdict=None, typed="", is_asked=False)


@routes.get("/verify/{code:[A-Za-z0-9-]{1,40}}", Action.PUBLIC)
async def verify(request: web.Request) -> web.Response:
    """Whether a print is genuine and current; nothing of what it says."""
    return await _verdict(request, request.match_info["code"])


async def _verdict(request: web.Request, typed: str) -> web.Response:
    found = await service.verify(request[WORK], typed)
    return page(
        request,
        "papers/verify.html",
        status=200 if found else 404,
        verdict=found,
        typed=typed,
        is_asked=True,
        code=grouped(found.printout.code) if found else "",
        name=saying(request)(KIND_NAMES[found.printout.kind]) if found else "",
    )


@routes.get("/consults/{uid}/referral", Action.REFERRAL_SIGN)
async def show_referral(request: web.Request) -> web.Response:
    """The letter to be written, or as it was signed."""
    return page(request, _FORM, errors={}, **await _context(request, {}))


async def _context(request: web.Request, typed: Values) -> dict[str, Any]:
    work = request[WORK]
    form = await referral.open_form(work, signed_in(request), _uid(request))
    here = work.now().astimezone(LOCAL_ZONE)
    leaving = {"leaves_on": f"{here:%d/%m/%Y}", "leaves_clock": f"{here:%H:%M}"}
    return {
        "form": form,
        "consult": form.consult,
        "patient": form.patient,
        "values": typed or {**form.draft, **leaving},
    }


async def _again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return invalid_page(request, _FORM, error, **await _context(request, values))


@routes.post("/consults/{uid}/referral", Action.REFERRAL_SIGN, on_invalid=_again)
async def sign_referral(request: web.Request) -> web.Response:
    """Sign the letter."""
    form = await read_body(request, ReferralForm)
    work, actor, uid = request[WORK], signed_in(request), _uid(request)
    async with request.app[DATABASE].read() as reading:
        await referral.open_form(reading, actor, uid)
        referral.check(form.said, form.leaves_at, reading.now())
    method = await prove(request, form.password, form.code)
    await referral.sign(work, actor, uid, form.said, form.leaves_at, method)
    return see_other(request, f"/consults/{uid}/referral", notice="referral_signed")
