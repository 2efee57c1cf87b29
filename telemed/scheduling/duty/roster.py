"""Who is on duty: read by everybody who gives or asks for care, written by coordinators."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from sqlalchemy import delete
from sqlmodel import col, select

from telemed.accounts.models import Person, PersonRole, PersonSpecialty, PersonState
from telemed.accounts.permissions import Action, Actor, Role, require
from telemed.core.audit import AuditTag
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing
from telemed.facilities.models import Specialty
from telemed.facilities.service import find_specialty, list_specialties
from telemed.scheduling.duty.days import duty_day
from telemed.scheduling.duty.models import OF_SPECIALTY, DutyRank, DutyShift
from telemed.scheduling.working_hours import who_is_away

# The line of the roster that stands for all specialties; no specialty has a code like this.
FOR_ALL: Final = "-"
Key = tuple[date, int | None, DutyRank]


@dataclass(frozen=True)
class Colleague:
    """Somebody who is, or could be, on duty."""

    id: int
    uid: str
    name: str
    title: str
    phone: str

    @classmethod
    def of(cls, person: Person) -> Self:
        """The row of a person, as colleagues see it."""
        return cls(person.id or 0, person.uid, person.full_name, person.title, person.phone)

    @property
    def full_title(self) -> str:
        """Title and name, as under a letter."""
        return f"{self.title} {self.name}".strip()


@dataclass(frozen=True)
class Line:
    """One line of the roster: the shifts of a specialty, or those of the coordinators."""

    specialty: Specialty | None
    ranks: Sequence[DutyRank]

    @property
    def code(self) -> str:
        """What a URL names it by."""
        return self.specialty.code if self.specialty else FOR_ALL

    @property
    def specialty_id(self) -> int | None:
        """What its shifts are stored under."""
        return self.specialty.id if self.specialty else None


@dataclass(frozen=True)
class Roster:
    """Some days of the roster."""

    days: Sequence[date]
    lines: Sequence[Line]
    shifts: Mapping[Key, Colleague]
    away: Collection[tuple[int, date]] = frozenset()

    def who(self, day: date, line: Line, rank: DutyRank) -> Colleague | None:
        """Who has that shift, and is there."""
        planned = self.planned(day, line, rank)
        return planned if planned and (planned.id, day) not in self.away else None

    def planned(self, day: date, line: Line, rank: DutyRank) -> Colleague | None:
        """Who was put there, maybe before they went on leave."""
        return self.shifts.get((day, line.specialty_id, rank))

    def of(self, line: Line) -> Roster:
        """One line of it alone."""
        mine = {key: who for key, who in self.shifts.items() if key[1] == line.specialty_id}
        return Roster(self.days, [line], mine, self.away)

    @property
    def mark(self) -> str:
        """Another one as soon as anybody has changed it."""
        told = sorted(
            (day.isoformat(), rank, who.uid) for (day, _, rank), who in self.shifts.items()
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


async def read_roster(work: UnitOfWork, actor: Actor, days: Sequence[date]) -> Roster:
    """The whole roster of some days, the coordinators last."""
    require(actor, Action.SCHEDULE_READ)
    return await _read(work, days)


async def on_duty(work: UnitOfWork) -> Roster:
    """The roster of now; the rules of who climbs to whom read it as well."""
    return await _read(work, [duty_day(work.now())])


async def _read(work: UnitOfWork, days: Sequence[date]) -> Roster:
    lines = [Line(specialty, OF_SPECIALTY) for specialty in await list_specialties(work)]
    lines.append(Line(None, (DutyRank.COORDINATOR,)))
    query = (
        select(DutyShift, Person)
        .join(Person, col(Person.id) == col(DutyShift.person_id))
        .where(col(DutyShift.day).in_(days), col(Person.state) == PersonState.ACTIVE)
    )
    shifts = {
        (shift.day, shift.specialty_id, shift.rank): Colleague.of(person)
        for shift, person in (await work.session.exec(query)).all()
    }
    people = {who.id for who in shifts.values()}
    return Roster(days, lines, shifts, await who_is_away(work, people, days))


async def find_line(work: UnitOfWork, code: str) -> Line:
    """The line that a URL names. Raises Missing."""
    if code == FOR_ALL:
        return Line(None, (DutyRank.COORDINATOR,))
    specialty = await find_specialty(work, code)
    if specialty is None:
        raise Missing
    return Line(specialty, OF_SPECIALTY)


async def list_candidates(work: UnitOfWork, line: Line) -> list[Colleague]:
    """Whoever may stand on a line, by given name."""
    role = Role.SPECIALIST if line.specialty else Role.COORDINATOR
    query = (
        select(Person)
        .join(PersonRole, col(PersonRole.person_id) == col(Person.id))
        .where(col(PersonRole.role) == role, col(Person.state) == PersonState.ACTIVE)
        .order_by(col(Person.sort_key))
    )
    if line.specialty:
        query = query.join(PersonSpecialty, col(PersonSpecialty.person_id) == col(Person.id)).where(
            col(PersonSpecialty.specialty_id) == line.specialty_id
        )
    return [Colleague.of(person) for person in (await work.session.exec(query)).all()]


async def set_line(
    work: UnitOfWork,
    actor: Actor,
    line: Line,
    days: Sequence[date],
    chosen: Mapping[str, str],
) -> None:
    """Replace the shifts of one line on some days.

    `chosen` has the uid of a person, or nothing, for each field (see `field_of`), and as `seen` the
    mark of the line as it was shown. Raises Invalid naming fields, Conflict when somebody else has
    changed it meanwhile.
    """
    require(actor, Action.DUTY_WRITE)
    await _take_turns(work, line)
    if (await _read(work, days)).of(line).mark != chosen.get("seen"):
        text = N_("Lịch trực vừa được người khác đổi. Tải lại để xem bản mới.")
        raise Conflict("changed_meanwhile", text)
    people = await _people_chosen(work, line, days, chosen)
    for (day, rank), person_id in people.items():
        await _set(work, line, day, rank, person_id)
    work.audit(
        AuditTag.DUTY_CHANGE, actor, f"duty:{line.code}", first=days[0].isoformat(), days=len(days)
    )


def field_of(rank: DutyRank, number: int) -> str:
    """The name of the field of a shift on the n-th day of a form."""
    return f"{rank.value}_{number}"


async def _take_turns(work: UnitOfWork, line: Line) -> None:
    """Who writes the same line waits here; who writes that of the coordinators waits for all."""
    query = select(Specialty.id).order_by(col(Specialty.id)).with_for_update()
    if line.specialty:
        query = query.where(col(Specialty.id) == line.specialty_id)
    await work.session.exec(query)


async def _people_chosen(
    work: UnitOfWork, line: Line, days: Sequence[date], chosen: Mapping[str, str]
) -> dict[tuple[date, DutyRank], int | None]:
    candidates = {person.uid: person.id for person in await list_candidates(work, line)}
    away = await who_is_away(work, candidates.values(), days)
    people = dict[tuple[date, DutyRank], int | None]()
    faults = list[FieldError]()
    for number, day in enumerate(days):
        for rank in line.ranks:
            name = field_of(rank, number)
            uid = chosen.get(name, "")
            if uid and uid not in candidates:
                text = N_("Chọn một người trong danh sách")
                faults.append(FieldError(name, "not_of_this_line", text))
            elif uid and (candidates[uid], day) in away:
                faults.append(FieldError(name, "on_leave", N_("Người này nghỉ ngày đó")))
            elif uid and candidates[uid] in [people.get((day, other)) for other in line.ranks]:
                text = N_("Người này đã trực ở bậc trên trong ngày đó")
                faults.append(FieldError(name, "twice_a_day", text))
            else:
                people[day, rank] = candidates.get(uid)
    if faults:
        raise Invalid.of(faults)
    return people


async def _set(
    work: UnitOfWork, line: Line, day: date, rank: DutyRank, person_id: int | None
) -> None:
    await work.session.exec(
        delete(DutyShift).where(
            col(DutyShift.day) == day,
            col(DutyShift.specialty_id).is_not_distinct_from(line.specialty_id),
            col(DutyShift.rank) == rank,
        )
    )
    if person_id is not None:
        work.session.add(
            DutyShift(
                day=day,
                specialty_id=line.specialty_id,
                rank=rank,
                person_id=person_id,
                changed_at=work.now(),
            )
        )
        await work.session.flush()
