"""Pages of the patient registry."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.consults.case.casefile import list_for_patient
from telemed.consults.rights import service as rights
from telemed.consults.rights.rules import KIND_NAMES as RIGHT_NAMES
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Unsupported
from telemed.facilities.service import list_communes
from telemed.keys import CARD_SCANNER, MEASURES, RENDERER, WORK, signed_in
from telemed.patients import consents, scanning, service
from telemed.patients.cards import QR_LIMIT
from telemed.patients.consent_texts import find_text
from telemed.patients.ethnic_groups import ETHNIC_GROUPS, NEARBY
from telemed.patients.guardians import RELATION_NAMES
from telemed.patients.identity import Doubt
from telemed.patients.intake import PatientForm, fill_from_patient
from telemed.patients.languages import LANGUAGES, VIETNAMESE
from telemed.patients.merging import service as merging
from telemed.patients.models import Patient
from telemed.patients.scan_worker import MOST_BYTES
from telemed.patients.service import CardReading, Proposal
from telemed.web.parsing import Body, read_form, read_json, read_query, typed_values
from telemed.web.rendering import add_notices, json_answer, page, see_other
from telemed.web.routing import Routes, Values

routes = Routes()
add_notices(
    {
        "patient_registered": N_("Máy chủ đã nhận người bệnh mới"),
        "patient_changed": N_("Máy chủ đã nhận phần sửa"),
        "patient_was_merged": N_("Hồ sơ mã tạm đã gộp vào hồ sơ này"),
    }
)
_FORM = "patients/form.html"
_NEW = "/patients/new"


class SearchQuery(Body):
    """What is looked for, and where the page before ended."""

    q: Annotated[str, Field(max_length=QR_LIMIT)] = ""
    before: Annotated[str, Field(max_length=22)] = ""


class CardForm(Body):
    """The QR text of a card."""

    qr: Annotated[str, Field(max_length=QR_LIMIT)] = ""


@routes.get("/patients", Action.PATIENT_SEARCH)
async def search(request: web.Request) -> web.Response:
    """Patients of the own station."""
    query = read_query(request, SearchQuery)
    found = await service.search(request[WORK], signed_in(request), query.q, before=query.before)
    return page(request, "patients/list.html", found=found, q=query.q, before=query.before)


@routes.get(_NEW, Action.PATIENT_WRITE)
async def new(request: web.Request) -> web.Response:
    """An empty form."""
    return await _form_page(request, {})


async def _card_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return await _form_page(request, {}, error=error, qr=values.get("qr", ""))


@routes.post(f"{_NEW}/card", Action.PATIENT_WRITE, on_invalid=_card_again)
async def scan_card(request: web.Request) -> web.Response:
    """The form, filled in from the QR text of a card."""
    form = await read_form(request, CardForm)
    reading = await service.scan_card(request[WORK], signed_in(request), form.qr)
    proposal = Proposal(existing=reading.existing)
    return await _form_page(request, reading.values, proposal=proposal, is_filled=True)


@routes.post(f"{_NEW}/scan", Action.PATIENT_WRITE, body_limit=MOST_BYTES)
async def scan(request: web.Request) -> web.Response:
    """For scripts: what a card says and who has its number, from its QR text or a small picture."""
    return json_answer(_describe(await _reading_of(request)))


async def _reading_of(request: web.Request) -> CardReading:
    work, actor = request[WORK], signed_in(request)
    if request.content_type == "application/json":
        return await service.scan_card(work, actor, (await read_json(request, CardForm)).qr)
    if not request.content_type.startswith("image/"):
        raise Unsupported("picture_expected", N_("Nội dung phải là ảnh"))
    request.app[MEASURES].admit([(("card", actor.uid), scanning.PACE)], work.now())
    scanner, picture = request.app[CARD_SCANNER], await request.read()
    return await scanning.scan_picture(work, actor, scanner, picture)


def _describe(reading: CardReading) -> dict[str, object]:
    existing = reading.existing
    known = {"name": existing.full_name, "url": f"/patients/{existing.uid}"} if existing else None
    return {"fields": reading.values, "existing": known}


async def _new_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    return await _form_page(request, values, error=error)


@routes.post(_NEW, Action.PATIENT_WRITE, on_invalid=_new_again)
async def register(request: web.Request) -> web.Response:
    """Add a patient, or show what has to be looked at first."""
    form = await read_form(request, PatientForm)
    try:
        outcome = await service.register(request[WORK], signed_in(request), form)
    except Conflict as conflict:
        return await _conflict_page(request, conflict)
    if isinstance(outcome, Proposal):
        return await _form_page(request, typed_values(request), proposal=outcome)
    return see_other(request, f"/patients/{outcome.uid}", notice="patient_registered")


@routes.get("/patients/{uid}", Action.PATIENT_READ)
async def show(request: web.Request) -> web.Response:
    """One patient: facts, agreements, cases of the station."""
    work, actor = request[WORK], signed_in(request)
    uid = request.match_info["uid"]
    patient = await service.get_patient(work, actor, uid)
    if patient.uid != uid:
        # A file that was merged leads to the real one, from wherever it is still linked.
        return see_other(request, f"/patients/{patient.uid}", notice="patient_was_merged")
    answers = await consents.list_consents(work, actor, patient)
    return page(
        request,
        "patients/show.html",
        patient=patient,
        cases=await list_for_patient(work, actor, patient),
        commune=next(
            (c.name for c in await list_communes(work) if c.code == patient.commune_code), ""
        ),
        ethnic_group=ETHNIC_GROUPS.get(patient.ethnic_code or "", ""),
        language=LANGUAGES.get(patient.interpreter_language, ""),
        relation=RELATION_NAMES[patient.guardian_relation] if patient.guardian_relation else "",
        rights=await rights.list_of_patient(work, patient),
        right_names=RIGHT_NAMES,
        merges=await merging.list_merges(work, patient),
        answers=[
            (answer, text.label)
            for answer in answers
            if (text := find_text(answer.purpose, answer.text_version))
        ],
    )


@routes.get("/patients/{uid}/edit", Action.PATIENT_WRITE)
async def edit(request: web.Request) -> web.Response:
    """The form with what is known."""
    patient = await _patient_to_change(request)
    return await _form_page(request, fill_from_patient(patient), patient=patient)


async def _edit_again(request: web.Request, error: Invalid, values: Values) -> web.Response:
    patient = await _patient_to_change(request)
    return await _form_page(request, values, patient=patient, error=error)


@routes.post("/patients/{uid}/edit", Action.PATIENT_WRITE, on_invalid=_edit_again)
async def change(request: web.Request) -> web.Response:
    """Correct a patient, or show what has to be looked at first."""
    form = await read_form(request, PatientForm)
    uid = request.match_info["uid"]
    try:
        outcome = await service.change(request[WORK], signed_in(request), uid, form)
    except Conflict as conflict:
        return await _conflict_page(request, conflict)
    if isinstance(outcome, Proposal):
        patient = await _patient_to_change(request)
        values = typed_values(request)
        return await _form_page(request, values, patient=patient, proposal=outcome)
    return see_other(request, f"/patients/{outcome.uid}", notice="patient_changed")


async def _patient_to_change(request: web.Request) -> Patient:
    uid = request.match_info["uid"]
    return await service.get_patient_to_change(request[WORK], signed_in(request), uid)


async def _conflict_page(request: web.Request, conflict: Conflict) -> web.Response:
    """What was typed stays on the page, beside what has moved meanwhile."""
    if not request.app[RENDERER].wants_page(request):
        raise conflict
    work = request[WORK]
    await work.rollback()
    is_new = "uid" not in request.match_info
    patient = None if is_new else await _patient_to_change(request)
    error = Invalid(conflict.code, conflict.message, fields=conflict.fields)
    answer = await _form_page(request, typed_values(request), patient=patient, error=error)
    # A refusal is rolled back, but whoever saw the patient on this page stays on record.
    await work.commit()
    answer.set_status(web.HTTPConflict.status_code)
    return answer


async def _form_page(
    request: web.Request,
    values: Values,
    *,
    patient: Patient | None = None,
    error: Invalid | None = None,
    proposal: Proposal | None = None,
    is_filled: bool = False,
    qr: str = "",
) -> web.Response:
    proposal = proposal or Proposal()
    context: dict[str, Any] = {
        "values": values,
        "qr": qr,
        "errors": _sentences(request, error),
        "doubts": _said(request, proposal.doubts),
        "proposal": proposal,
        "is_filled": is_filled,
        "patient": patient,
        "communes": [(c.code, c.name) for c in await list_communes(request[WORK])],
        "nearby_groups": [(code, ETHNIC_GROUPS[code]) for code in NEARBY],
        "other_groups": [item for item in ETHNIC_GROUPS.items() if item[0] not in NEARBY],
        "guardian_relations": RELATION_NAMES,
        "languages": [item for item in LANGUAGES.items() if item[0] != VIETNAMESE],
    }
    return page(request, _FORM, status=422 if error else 200, **context)


def _sentences(request: web.Request, error: Invalid | None) -> dict[str, str]:
    if error is None:
        return {}
    alone = FieldError("form", error.code, error.message, error.params)
    return _said(request, error.fields or (alone,))


def _said(
    request: web.Request, fields: tuple[FieldError, ...] | tuple[Doubt, ...]
) -> dict[str, str]:
    renderer = request.app[RENDERER]
    return {item.field: renderer.text(request, item.message, **item.params) for item in fields}
