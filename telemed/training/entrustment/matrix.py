"""Technique × person × station on one screen, with what expires next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import and_
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonState
from telemed.accounts.permissions import Action, Actor, require
from telemed.core.db import UnitOfWork
from telemed.core.text import fold
from telemed.facilities.models import Facility
from telemed.training.entrustment.levels import Basis, Verdict
from telemed.training.entrustment.models import Acceptance, Entrustment, Recheck
from telemed.training.entrustment.repository import Technique
from telemed.training.entrustment.service import today_of
from telemed.training.repository import OFFICES

SOON: Final = timedelta(days=60)
MOST_EXPIRING: Final = 12


@dataclass(frozen=True)
class MatrixFilter:
    """What the matrix is narrowed to; `words` are folded, `chapter` is that of the national list."""

    station_id: int | None = None
    chapter: int | None = None
    words: tuple[str, ...] = ()


class Cell(NamedTuple):
    """At which level somebody does a technique; `level` is 0 where only an ad hoc one holds."""

    level: int
    is_expired: bool
    is_ad_hoc: bool


# A province has 60,000 cells and some twenty kinds of them: a kind is one object, drawn once.
_cell: Final = cache(Cell)
_EMPTY: Final = _cell(0, False, False)


@dataclass(frozen=True)
class PersonLine:
    """Somebody of a station, a cell for each technique."""

    uid: str
    name: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class StationBlock:
    """A station: what was accepted there, and its people. Of a mark: a verdict, or `stopped`."""

    id: int
    name: str
    marks: Sequence[str]
    people: Sequence[PersonLine]


@dataclass(frozen=True)
class Expiring:
    """A decision that expires soon, or has expired and was not replaced."""

    uid: str
    name: str
    technique: str
    level: int
    expires_on: date
    is_over: bool


@dataclass(frozen=True)
class Matrix:
    """Everything on the screen; `kinds` are the different cells on it."""

    techniques: Sequence[Technique]
    kinds: Collection[Cell]
    stations: Sequence[StationBlock]
    expiring: Sequence[Expiring]


async def read_matrix(work: UnitOfWork, actor: Actor, wanted: MatrixFilter) -> Matrix:
    """The matrix of the stations that are the actor's business."""
    require(actor, Action.ENTRUSTMENT_READ)
    today = today_of(work)
    stations = await _stations(work, actor, wanted)
    scope = col(Entrustment.station_id).in_([each.id for each in stations])
    # A level holds where it was given: whoever has left takes none along.
    here = and_(
        scope,
        col(Person.facility_id) == col(Entrustment.station_id),
        col(Person.state) == PersonState.ACTIVE,
    )
    people = await _people(work, here)
    accepted = await _accepted(work, [each.id or 0 for each in stations])
    techniques = await _techniques(work, scope, accepted, wanted)
    columns = {technique.key: index for index, technique in enumerate(techniques)}
    cells = await _cells(work, here, columns, today)
    nothing = [_EMPTY] * len(techniques)
    blocks = []
    for station in stations:
        lines = [
            PersonLine(uid, name, cells.get(person_id, nothing))
            for person_id, uid, name in people.get(station.id or 0, ())
        ]
        marks = accepted.get(station.id or 0, {})
        if lines or marks:
            shown = [marks.get(technique.key, "") for technique in techniques]
            blocks.append(StationBlock(station.id or 0, station.name, shown, lines))
    kinds = {_EMPTY}.union(*cells.values())
    return Matrix(techniques, kinds, blocks, await _expiring(work, here, today))


async def _stations(work: UnitOfWork, actor: Actor, wanted: MatrixFilter) -> Sequence[Facility]:
    query = select(Facility).order_by(col(Facility.folded_name))
    if not actor.has(*OFFICES):
        query = query.where(col(Facility.id).in_(actor.station_ids))
    if wanted.station_id is not None:
        query = query.where(col(Facility.id) == wanted.station_id)
    return (await work.session.exec(query)).all()


async def _people(
    work: UnitOfWork, here: ColumnElement[bool]
) -> dict[int, list[tuple[int, str, str]]]:
    """Key, uid and name of whoever has a level at their station, by given name."""
    query = (
        select(Person)
        .join(Entrustment, col(Person.id) == col(Entrustment.person_id))
        .where(here)
        .distinct()
        .order_by(col(Person.sort_key), col(Person.id))
    )
    found: dict[int, list[tuple[int, str, str]]] = {}
    for person in (await work.session.exec(query)).all():
        name = f"{person.title} {person.full_name}".strip()
        found.setdefault(person.facility_id or 0, []).append((person.id or 0, person.uid, name))
    return found


async def _techniques(
    work: UnitOfWork,
    scope: ColumnElement[bool],
    accepted: Mapping[int, Mapping[str, str]],
    wanted: MatrixFilter,
) -> list[Technique]:
    query = select(
        Entrustment.technique_key, Entrustment.technique_code, Entrustment.technique_name
    ).where(scope)
    named = {
        key: Technique(code, name)
        for key, code, name in (await work.session.exec(query.distinct())).all()
    }
    keys = {key for marks in accepted.values() for key in marks} - set(named)
    if keys:
        more = select(
            Acceptance.technique_key, Acceptance.technique_code, Acceptance.technique_name
        ).where(col(Acceptance.technique_key).in_(keys))
        for key, code, name in (await work.session.exec(more.distinct())).all():
            named[key] = Technique(code, name)
    return sorted(
        (each for each in named.values() if _is_wanted(each, wanted)),
        key=lambda each: (chapter_number(each.code), each.name),
    )


def chapter_number(code: str) -> int:
    """The chapter of a code of the national list; what has no code comes last."""
    number = code.removeprefix("BS_").partition(".")[0]
    return int(number) if number.isdecimal() else 99


def _is_wanted(technique: Technique, wanted: MatrixFilter) -> bool:
    if wanted.chapter is not None and chapter_number(technique.code) != wanted.chapter:
        return False
    text = f"{fold(technique.name)} {technique.code.lower()}"
    return all(word in text for word in wanted.words)


async def _cells(
    work: UnitOfWork, here: ColumnElement[bool], columns: Mapping[str, int], today: date
) -> dict[int, list[Cell]]:
    """By person, a cell for each column. Four values a row: no object is made of each."""
    query = (
        select(
            Entrustment.person_id,
            Entrustment.technique_key,
            Entrustment.level,
            (col(Entrustment.expires_on) < today),
        )
        .join(Person, col(Person.id) == col(Entrustment.person_id))
        .where(here, col(Entrustment.is_current))
    )
    nothing = [_EMPTY] * len(columns)
    found: dict[int, list[Cell]] = {}
    for_now = query.where(
        col(Entrustment.basis) == Basis.AD_HOC, col(Entrustment.expires_on) >= today
    )
    for person_id, key, _, _ in (await work.session.exec(for_now)).all():
        if (index := columns.get(key)) is not None:
            line = found.get(person_id) or found.setdefault(person_id, nothing.copy())
            line[index] = _cell(0, False, True)
    lasting = query.where(col(Entrustment.basis) == Basis.SUMMATIVE)
    for person_id, key, level, is_expired in (await work.session.exec(lasting)).all():
        if (index := columns.get(key)) is not None:
            line = found.get(person_id) or found.setdefault(person_id, nothing.copy())
            line[index] = _cell(level, bool(is_expired), line[index].is_ad_hoc)
    return found


async def _accepted(work: UnitOfWork, station_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """What was last said of each technique at each station."""
    query = (
        select(
            Acceptance.station_id,
            Acceptance.technique_key,
            col(Acceptance.verdict),
            col(Acceptance.id),
        )
        .where(col(Acceptance.station_id).in_(station_ids))
        .order_by(col(Acceptance.id))
    )
    found: dict[int, dict[str, tuple[Verdict, int]]] = {}
    for station_id, key, verdict, acceptance_id in (await work.session.exec(query)).all():
        found.setdefault(station_id, {})[key] = (verdict, acceptance_id or 0)
    answers = (
        select(Recheck.acceptance_id, Recheck.is_still_done)
        .where(col(Recheck.answered_at).is_not(None))
        .order_by(col(Recheck.months))
    )
    last = dict((await work.session.exec(answers)).all())
    return {
        station_id: {
            key: "stopped" if last.get(acceptance_id) is False else verdict.value
            for key, (verdict, acceptance_id) in marks.items()
        }
        for station_id, marks in found.items()
    }


async def _expiring(work: UnitOfWork, here: ColumnElement[bool], today: date) -> list[Expiring]:
    query = (
        select(Entrustment, Person)
        .join(Person, col(Person.id) == col(Entrustment.person_id))
        .where(
            here,
            col(Entrustment.is_current),
            col(Entrustment.basis) == Basis.SUMMATIVE,
            col(Entrustment.expires_on) <= today + SOON,
        )
        .order_by(col(Entrustment.expires_on), col(Entrustment.id))
        .limit(MOST_EXPIRING)
    )
    return [
        Expiring(
            uid=made.uid,
            name=f"{person.title} {person.full_name}".strip(),
            technique=made.technique_name,
            level=made.level,
            expires_on=made.expires_on,
            is_over=made.expires_on < today,
        )
        for made, person in (await work.session.exec(query)).all()
    ]
