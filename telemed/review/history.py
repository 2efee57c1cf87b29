"""Search over past consults: one's own as they were, everybody else's without who it was."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import and_, column, false, literal_column, or_, table
from sqlalchemy import func as sql
from sqlalchemy import select as sa_select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, Role, may, require
from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import SEARCH_VECTOR, Consult, ConsultQuestion
from telemed.consults.service import facts_of, within_access
from telemed.core import records
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import Missing
from telemed.core.events import stream_of
from telemed.core.records import RecordKind, RecordState
from telemed.core.text import fold
from telemed.facilities.models import Facility, Specialty
from telemed.patients.models import Consent, Patient
from telemed.patients.veil import Veil, veil_of

_Found = tuple[Consult, Patient, Facility, Specialty]
PAGE = 25
_FTS = table("consult_fts", column("rowid"))
MOST_WORDS = 8
AGE_BAND = 5


@dataclass(frozen=True)
class HistoryFilter:
    """What the search is narrowed to; of the words of `text` the last one may be a beginning."""

    text: str = ""
    station_id: int | None = None
    specialty_id: int | None = None
    code: str = ""
    state: ConsultState | None = None
    first: date | None = None
    last: date | None = None
    before: int | None = None


@dataclass(frozen=True)
class HistoryRow:
    """One consult of a result. `name` and `day` only where the reader may know who it was."""

    id: int
    uid: str
    number: str
    name: str | None
    day: date | None
    month: str
    station: str
    specialty: str
    sex: str
    age_band: str
    icd_code: str
    state: str
    urgency: str
    questions: tuple[str, ...]
    is_open_to_me: bool


def words_of(typed: str) -> tuple[str, ...]:
    """Typed words as the search takes them: folded, without signs."""
    return tuple(re.findall(r"[^\W_]+", fold(typed))[:MOST_WORDS])


def age_band(years: int | None) -> str:
    """`40–44`; the very old together, as each of them is known in the village."""
    if years is None:
        return ""
    if years >= 90:
        return "90+"
    low = years // AGE_BAND * AGE_BAND
    return f"{low}–{low + AGE_BAND - 1}"


def _own(work: UnitOfWork, actor: Actor) -> ColumnElement[bool]:
    station = col(Consult.station_id).in_(actor.station_ids)
    if not actor.has(Role.SPECIALIST):
        return station
    return or_(station, and_(col(Consult.assigned_id) == actor.id, within_access(work)))


# What its patient wants used for nothing but the care itself teaches nobody.
_MAY_TEACH = col(Consult.is_restricted).is_(False)


def _conditions(wanted: HistoryFilter, *, by_month: bool) -> list[ColumnElement[bool]]:
    # Days would tell whoever sees months only when exactly somebody was ill.
    first, last = wanted.first, wanted.last
    if by_month:
        first = first and first.replace(day=1)
        last = last and last.replace(day=monthrange(last.year, last.month)[1])
    found: list[ColumnElement[bool]] = [col(Consult.requested_at).is_not(None)]
    if wanted.station_id is not None:
        found.append(col(Consult.station_id) == wanted.station_id)
    if wanted.specialty_id is not None:
        found.append(col(Consult.specialty_id) == wanted.specialty_id)
    if wanted.code:
        found.append(col(Consult.icd_code).startswith(wanted.code.upper(), autoescape=True))
    if wanted.state is not None:
        found.append(col(Consult.state) == wanted.state)
    if first is not None:
        found.append(col(Consult.requested_at) >= _midnight(first))
    if last is not None:
        found.append(col(Consult.requested_at) < _midnight(last + timedelta(days=1)))
    if wanted.before is not None:
        found.append(col(Consult.id) < wanted.before)
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LOCAL_ZONE)


def _matching(dialect: str, words: Sequence[str]) -> ColumnElement[bool]:
    if dialect == "sqlite":
        match = " ".join(f'"{word}"' for word in words[:-1]) + f' "{words[-1]}"*'
        return col(Consult.id).in_(
            sa_select(_FTS.c.rowid).where(literal_column("consult_fts").op("MATCH")(match.strip()))
        )
    query = " & ".join([*words[:-1], f"{words[-1]}:*"])
    asked = sql.to_tsquery(literal_column("'simple'"), query)
    return literal_column(SEARCH_VECTOR).bool_op("@@")(asked)


async def search(
    work: UnitOfWork, actor: Actor, wanted: HistoryFilter
) -> tuple[list[HistoryRow], int | None]:
    """A page of consults the actor may know of, newest first, and where the next one starts.

    A trainer finds every consult, without who it was; the others find their own.
    """
    require(actor, Action.HISTORY_SEARCH)
    own = _own(work, actor)
    query = select(Consult, Patient, Facility, Specialty)
    query = query.join(Patient, col(Patient.id) == col(Consult.patient_id))
    query = query.join(Facility, col(Facility.id) == col(Consult.station_id))
    query = query.join(Specialty, col(Specialty.id) == col(Consult.specialty_id))
    query = query.where(*_conditions(wanted, by_month=actor.has(Role.TRAINER)))
    query = query.where(or_(_MAY_TEACH, own) if actor.has(Role.TRAINER) else own)
    if words := words_of(wanted.text):
        query = query.where(_matching(work.dialect, words))
    elif wanted.text.strip():
        query = query.where(false())
    newest = query.order_by(col(Consult.id).desc()).limit(PAGE + 1)
    rows = list((await work.session.exec(newest)).all())
    older = rows[PAGE - 1][0].id if len(rows) > PAGE else None
    rows = rows[:PAGE]
    questions = await _questions(work, [consult.id or 0 for consult, *_ in rows])
    is_own = _own_test(work, actor)
    veils = await _veils(work, [row for row in rows if not is_own(row[0])])
    shown = [_row(row, questions, veils.get(row[0].uid)) for row in rows]
    named = [row.uid for row in shown if row.name is not None]
    work.audit(AuditTag.HISTORY_SEARCH, actor, "history", found=len(rows), cases=named)
    return shown, older


def _own_test(work: UnitOfWork, actor: Actor) -> Callable[[Consult], bool]:
    return lambda consult: may(actor, Action.CONSULT_READ, facts_of(consult, work))


async def _veils(work: UnitOfWork, rows: Sequence[_Found]) -> dict[str, Veil]:
    """What hides who each case is about, by the uid of the case."""
    if not rows:
        return {}
    query = select(Consent.consult_uid, Consent.giver_name, Consent.interpreter).where(
        col(Consent.consult_uid).in_([consult.uid for consult, *_ in rows])
    )
    others: dict[str, set[str]] = {}
    for uid, *names in await work.session.exec(query):
        others.setdefault(uid or "", set()).update(names)
    return {
        consult.uid: veil_of(patient, others.get(consult.uid, ())) for consult, patient, *_ in rows
    }


async def _questions(work: UnitOfWork, ids: Sequence[int]) -> dict[int, list[str]]:
    query = select(ConsultQuestion.consult_id, ConsultQuestion.text).where(
        col(ConsultQuestion.consult_id).in_(ids)
    )
    found: dict[int, list[str]] = {}
    for consult_id, text in await work.session.exec(query.order_by(col(ConsultQuestion.number))):
        found.setdefault(consult_id, []).append(text)
    return found


def _row(row: _Found, questions: Mapping[int, list[str]], veil: Veil | None) -> HistoryRow:
    """Without a veil the reader may know who it was."""
    consult, patient, station, specialty = row
    asked = questions.get(consult.id or 0, [])
    is_own = veil is None
    at = (consult.requested_at or consult.created_at).astimezone(LOCAL_ZONE)
    return HistoryRow(
        id=consult.id or 0,
        uid=consult.uid,
        number=(consult.number or "") if is_own else "",
        name=patient.full_name if is_own else None,
        day=at.date() if is_own else None,
        month=f"{at:%m/%Y}",
        station=station.name,
        specialty=specialty.name,
        sex=patient.sex.value,
        age_band=age_band(consult.patient_age_years),
        icd_code=consult.icd_code or "",
        state=consult.state.value,
        urgency=consult.urgency.value if consult.urgency else "routine",
        questions=tuple(veil.over(each) if veil else each for each in asked),
        is_open_to_me=is_own,
    )


@dataclass(frozen=True)
class Lesson:
    """A consult to learn from: what was asked, found and concluded, not about whom."""

    row: HistoryRow
    texts: Mapping[str, str]
    conclusions: Sequence[tuple[str, str]]
    advice: str
    verdict: str
    reason: str


async def open_lesson(work: UnitOfWork, actor: Actor, uid: str) -> Lesson:
    """One consult without who it was; for trainers. Raises Missing for anybody else."""
    require(actor, Action.HISTORY_SEARCH)
    query = (
        select(Consult, Patient, Facility, Specialty)
        .join(Patient, col(Patient.id) == col(Consult.patient_id))
        .join(Facility, col(Facility.id) == col(Consult.station_id))
        .join(Specialty, col(Specialty.id) == col(Consult.specialty_id))
        .where(col(Consult.uid) == uid, col(Consult.requested_at).is_not(None), _MAY_TEACH)
    )
    row = (await work.session.exec(query)).one_or_none()
    if row is None or not actor.has(Role.TRAINER):
        raise Missing
    consult, patient, *_ = row
    veil = (await _veils(work, [row]))[consult.uid]
    subject = stream_of("consult", consult.uid)
    minutes = await records.find_record(work, RecordKind.MINUTES, subject)
    content = minutes.content if minutes and minutes.state is RecordState.SIGNED else {}
    decision = await records.find_record(work, RecordKind.DECISION, subject)
    decided = decision.content if decision else {}
    work.audit(AuditTag.HISTORY_READ, actor, subject, patient_id=patient.id, deidentified=True)
    names = ("reason", "history", "examination", "medication", "treatment", "diagnosis")
    questions = await _questions(work, [consult.id or 0])
    return Lesson(
        row=_row(row, questions, veil),
        texts={name: veil.over(getattr(consult, name)) for name in names},
        conclusions=[
            (veil.over(item["question"]), veil.over(item["conclusion"]))
            for item in content.get("conclusions", [])
        ],
        advice=veil.over(content.get("advice", "")),
        verdict=decided.get("verdict", ""),
        reason=veil.over(decided.get("reason", "")),
    )
