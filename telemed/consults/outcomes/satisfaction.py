"""One to three marks from patients, who stay unknown, and from those who asked; with who did not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.consults.models import Consult
from telemed.consults.outcomes.models import Asked, SatisfactionAnswer, SatisfactionAsk
from telemed.consults.service import get_case
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid
from telemed.facilities.models import Facility

QUESTIONS: Final[Mapping[Asked, Mapping[str, str]]] = {
    Asked.PATIENT: {
        "explained": N_("Bác sĩ giải thích để ông (bà) hiểu"),
        "respected": N_("Ông (bà) được tôn trọng, chuyện riêng được giữ kín"),
        "overall": N_("Nói chung ông (bà) hài lòng"),
    },
    Asked.REQUESTER: {
        "useful": N_("Ý kiến giúp được việc chữa bệnh"),
        "timely": N_("Có ý kiến đủ nhanh"),
        "line": N_("Nghe, nhìn, xem ảnh đủ rõ"),
    },
}
MARKS: Final = range(1, 6)
CONTENT: Final = 4
# Of fewer answers a share says more about chance than about the station.
FEWEST: Final = 5


@dataclass(frozen=True)
class Score:
    """How content people were: `content` of `answers`, and how many were asked at all."""

    station: str
    asked: Asked
    people: int
    answers: int
    content: int

    @property
    def is_small(self) -> bool:
        """Too few to be read as a share."""
        return self.answers < FEWEST


async def ask(work: UnitOfWork, actor: Actor, uid: str, asked: Asked) -> bool:
    """Somebody of a case is asked; False when they have answered already. Raises Missing."""
    consult = await get_case(work, actor, uid, Action.OUTCOME_WRITE)
    if consult.answered_at is None:
        raise Conflict("not_answered", N_("Ca chưa có kết luận nên chưa hỏi được"))
    month = f"{work.now().astimezone(LOCAL_ZONE):%Y-%m}"
    insert = postgresql_insert if work.dialect == "postgresql" else sqlite_insert
    row = {
        "consult_id": consult.id,
        "station_id": consult.station_id,
        "asked": asked,
        "month": month,
        "is_answered": False,
    }
    await work.session.exec(insert(SatisfactionAsk).values(row).on_conflict_do_nothing())
    return not (await _find(work, consult, asked)).is_answered


async def _find(work: UnitOfWork, consult: Consult, asked: Asked) -> SatisfactionAsk:
    query = select(SatisfactionAsk).where(
        col(SatisfactionAsk.consult_id) == consult.id, col(SatisfactionAsk.asked) == asked
    )
    return (await work.session.exec(query)).one()


async def answer(
    work: UnitOfWork, actor: Actor, uid: str, asked: Asked, marks: Mapping[str, int]
) -> None:
    """Marks from 1 to 5, once; which case they are of is not kept.

    Raises Missing, Invalid, Conflict when they have answered.
    """
    consult = await get_case(work, actor, uid, Action.OUTCOME_WRITE)
    known = {name: mark for name, mark in marks.items() if name in QUESTIONS[asked]}
    if not known:
        first = next(iter(QUESTIONS[asked]))
        raise Invalid.of([FieldError(first, "missing", N_("Chọn ít nhất một mức"))])
    claimed = await work.session.exec(
        update(SatisfactionAsk)
        .where(
            col(SatisfactionAsk.consult_id) == consult.id,
            col(SatisfactionAsk.asked) == asked,
            col(SatisfactionAsk.is_answered).is_(False),
        )
        .values(is_answered=True)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:
        raise Conflict("answered_already", N_("Câu này đã được trả lời. Cảm ơn."))
    month = f"{work.now().astimezone(LOCAL_ZONE):%Y-%m}"
    work.session.add(
        SatisfactionAnswer(
            station_id=consult.station_id, asked=asked, month=month, marks=dict(known)
        )
    )


async def list_scores(work: UnitOfWork, actor: Actor, month: str) -> Sequence[Score]:
    """How content people were in a month, by station; with how many were asked."""
    require(actor, Action.QUALITY_READ)
    asked = (
        select(SatisfactionAsk.station_id, SatisfactionAsk.asked, func.count())
        .where(col(SatisfactionAsk.month) == month)
        .group_by(col(SatisfactionAsk.station_id), col(SatisfactionAsk.asked))
    )
    people = {
        (station, Asked(who)): number
        for station, who, number in (await work.session.exec(asked)).all()
    }
    answers: dict[tuple[int, Asked], list[float]] = {}
    query = select(SatisfactionAnswer).where(col(SatisfactionAnswer.month) == month)
    for row in (await work.session.exec(query)).all():
        marks = list(row.marks.values())
        answers.setdefault((row.station_id, Asked(row.asked)), []).append(sum(marks) / len(marks))
    keys = {*people, *answers}
    names = dict(
        (
            await work.session.exec(
                select(Facility.id, Facility.name).where(
                    col(Facility.id).in_({station for station, _ in keys})
                )
            )
        ).all()
    )
    found = [
        Score(
            names[station],
            who,
            people=people.get((station, who), 0),
            answers=len(answers.get((station, who), [])),
            content=sum(mark >= CONTENT for mark in answers.get((station, who), [])),
        )
        for station, who in keys
    ]
    return sorted(found, key=lambda score: (score.station, score.asked))
