"""Taking back an agreement: a page that says what follows, and the act."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults.rights.rules import LONGEST_NAME, AskedBy
from telemed.core.errors import N_, Missing
from telemed.keys import WORK, signed_in
from telemed.patients.consent_texts import CURRENT
from telemed.patients.models import ConsentPurpose
from telemed.sessions import withdrawal
from telemed.web.parsing import Body, read_body
from telemed.web.rendering import add_notices, page, see_other
from telemed.web.routing import Routes

routes = Routes()
add_notices({"consent_withdrawn": N_("Đã rút lại đồng ý")})


class WithdrawForm(Body):
    """The purpose that is no longer agreed to."""

    purpose: ConsentPurpose
    asked_by: AskedBy = AskedBy.PATIENT
    asker_name: Annotated[str, Field(max_length=LONGEST_NAME)] = ""


@routes.get("/patients/{uid}/consents/{purpose}/withdraw", Action.PATIENT_WRITE)
async def ask(request: web.Request) -> web.Response:
    """What would follow, before anything is done."""
    try:
        purpose = ConsentPurpose(request.match_info["purpose"])
    except ValueError:
        raise Missing from None
    uid = request.match_info["uid"]
    found = await withdrawal.foresee(request[WORK], signed_in(request), uid, purpose)
    context: dict[str, Any] = {"found": found, "patient": found.patient, "text": CURRENT[purpose]}
    return page(request, "patients/withdraw.html", **context)


@routes.post("/patients/{uid}/consents/withdraw", Action.PATIENT_WRITE)
async def withdraw(request: web.Request) -> web.Response:
    """Take the agreement to one purpose back, with all that follows."""
    form = await read_body(request, WithdrawForm)
    uid = request.match_info["uid"]
    said = withdrawal.Said(form.asked_by, form.asker_name)
    await withdrawal.withdraw(request[WORK], signed_in(request), uid, form.purpose, said)
    return see_other(request, f"/patients/{uid}", notice="consent_withdrawn")
