"""Recording transfer packages, changing and ending them, and finding those that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Actor, require
from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Conflict, FieldError, Invalid, Missing
from telemed.core.text import clean_line, clean_text
from telemed.facilities.contracts.rules import Term, check_end
from telemed.facilities.models import Facility, FacilityKind
from telemed.facilities.service import list_facilities
from telemed.training.models import TransferLog
from telemed.training.packages.models import PackageStation, PackageTechnique, TransferPackage
from telemed.training.packages.rules import (
    Agreed,
    Draft,
    PackageState,
    TypedTechnique,
    check,
    read_rows,
    state_of,
)
from telemed.training.techniques.rules import tidy_code
from telemed.training.techniques.service import find_names


@dataclass(frozen=True)
class PackageInput:
    """A package as the form has it; facilities by code."""

    title: str
    number: str
    signed_on: date
    starts_on: date
    ends_on: date
    provider: str
    provider_representative: str
    receiver_representative: str
    stations: frozenset[str]
    techniques: Sequence[TypedTechnique]
    survey: str = ""
    outline: str = ""


@dataclass(frozen=True)
class PackageRow:
    """A package with its parties, its techniques in order, and how many sessions refer to it."""

    package: TransferPackage
    state: PackageState
    provider: Facility
    stations: Sequence[Facility]
    techniques: Sequence[PackageTechnique]
    sessions: int

    @property
    def may_change(self) -> bool:
        """Whether it is still as it was agreed on paper only."""
        return self.sessions == 0 and self.package.ended_on is None

    @property
    def may_end(self) -> bool:
        """Whether there is anything left to end."""
        return self.package.ended_on is None and self.state is not PackageState.OVER


@dataclass(frozen=True)
class _Checked:
    columns: dict[str, Any]
    station_ids: Sequence[int]
    techniques: Sequence[Agreed]


def term_of(package: TransferPackage) -> Term:
    """The days on which a package runs."""
    return Term(package.starts_on, package.ends_on, package.ended_on)


async def create(work: UnitOfWork, actor: Actor, given: PackageInput) -> TransferPackage:
    """Write a signed package down. Raises Invalid with every field, Conflict for a known number."""
    require(actor, Action.PACKAGE_WRITE)
    checked = await _check(work, given)
    package = TransferPackage(created_by_id=actor.id, created_at=work.now(), **checked.columns)
    await _keep(work, package, checked)
    _note(work, actor, package, "create")
    return package


async def change(
    work: UnitOfWork, actor: Actor, uid: str, given: PackageInput, *, revision: int
) -> TransferPackage:
    """Change a package that no session refers to yet.

    Raises Missing, Conflict (in use, ended, a known number), Invalid: also when it was changed since
    `revision`.
    """
    require(actor, Action.PACKAGE_WRITE)
    package = await _lock(work, uid)
    if package.ended_on is not None:
        raise _ended()
    if await _count_sessions(work, package):
        message = N_("Đã có buổi chuyển giao theo gói này; chỉ còn có thể chấm dứt")
        raise Conflict("package_in_use", message)
    if package.revision != revision:
        message = N_("Nội dung vừa được người khác đổi. Lưu lần nữa sẽ thay bản đó.")
        raise Invalid("changed_meanwhile", message, field="revision")
    checked = await _check(work, given)
    package.sqlmodel_update(checked.columns)
    # Other techniques make another package of it too.
    flag_modified(package, "title")
    await _keep(work, package, checked)
    _note(work, actor, package, "change")
    return package


async def end(work: UnitOfWork, actor: Actor, uid: str, ended_on: date, reason: str) -> None:
    """End a package before its time; the day given is its last. Raises Missing, Invalid, Conflict."""
    require(actor, Action.PACKAGE_WRITE)
    package = await _lock(work, uid)
    if package.ended_on is not None:
        raise _ended()
    if state_of(term_of(package), _today(work)) is PackageState.OVER:
        raise Conflict("package_over", N_("Gói này đã hết hạn"))
    given = clean_line(reason)
    errors = check_end(term_of(package), ended_on, given)
    latest = await _latest_session(work, package)
    if latest is not None and latest > ended_on:
        message = N_("Đã có buổi chuyển giao theo gói này sau ngày đó")
        errors.append(FieldError("ended_on", "sessions_after", message))
    if errors:
        raise Invalid.of(errors)
    package.ended_on, package.end_reason = ended_on, given
    work.session.add(package)
    _note(work, actor, package, "end")


async def list_packages(
    work: UnitOfWork, actor: Actor, state: PackageState | None = None
) -> list[PackageRow]:
    """Packages, of one state where asked, the one that ends last first."""
    require(actor, Action.PACKAGE_READ)
    query = select(TransferPackage).order_by(
        col(TransferPackage.ends_on).desc(), col(TransferPackage.id).desc()
    )
    rows = await _rows(work, (await work.session.exec(query)).all())
    return [row for row in rows if state in (None, row.state)]


async def get_package(work: UnitOfWork, actor: Actor, uid: str) -> PackageRow:
    """One package. Raises Missing."""
    require(actor, Action.PACKAGE_READ)
    query = select(TransferPackage).where(col(TransferPackage.uid) == uid)
    package = (await work.session.exec(query)).one_or_none()
    if package is None:
        raise Missing
    return (await _rows(work, [package]))[0]


async def list_running(work: UnitOfWork, station_id: int, day: date) -> list[TransferPackage]:
    """The packages that a station receives on a day, the one that began last first."""
    query = (
        select(TransferPackage)
        .join(PackageStation, col(PackageStation.package_id) == col(TransferPackage.id))
        .where(
            col(PackageStation.station_id) == station_id,
            col(TransferPackage.starts_on) <= day,
            col(TransferPackage.ends_on) >= day,
        )
        .order_by(col(TransferPackage.starts_on).desc(), col(TransferPackage.id).desc())
    )
    return [row for row in (await work.session.exec(query)).all() if term_of(row).covers(day)]


async def hold_running(
    work: UnitOfWork, package_id: int, station_id: int, day: date
) -> TransferPackage | None:
    """A package that a station receives on a day, kept as it is until the transaction ends."""
    query = (
        select(TransferPackage)
        .where(col(TransferPackage.id) == package_id)
        .with_for_update(read=True)
    )
    package = (await work.session.exec(query)).one_or_none()
    if package is None or not term_of(package).covers(day):
        return None
    is_theirs = await work.session.get(PackageStation, (package_id, station_id))
    return package if is_theirs else None


async def list_hospitals(work: UnitOfWork) -> list[Facility]:
    """Who may transfer techniques."""
    return await list_facilities(work, FacilityKind.HOSPITAL)


def _today(work: UnitOfWork) -> date:
    return work.now().astimezone(LOCAL_ZONE).date()


def _ended() -> Conflict:
    return Conflict("package_ended", N_("Gói này đã chấm dứt trước hạn"))


def _note(work: UnitOfWork, actor: Actor, package: TransferPackage, act: str) -> None:
    work.audit(AuditTag.PACKAGE_CHANGE, actor, package.uid, act=act, number=package.number)


async def _lock(work: UnitOfWork, uid: str) -> TransferPackage:
    query = select(TransferPackage).where(col(TransferPackage.uid) == uid).with_for_update()
    package = (await work.session.exec(query)).one_or_none()
    if package is None:
        raise Missing
    return package


async def _check(work: UnitOfWork, given: PackageInput) -> _Checked:
    hospitals = {each.code: each for each in await list_hospitals(work)}
    stations = {each.code: each for each in await list_facilities(work, FacilityKind.STATION)}
    draft = Draft(
        title=clean_line(given.title),
        number=clean_line(given.number),
        signed_on=given.signed_on,
        term=Term(given.starts_on, given.ends_on),
        provider_representative=clean_line(given.provider_representative),
        receiver_representative=clean_line(given.receiver_representative),
        stations=given.stations,
        survey=clean_text(given.survey).strip(),
        outline=clean_text(given.outline).strip(),
    )
    errors = check(draft)
    if given.provider not in hospitals:
        errors.append(FieldError("provider", "hospital_unknown", N_("Chọn bệnh viện chuyển giao")))
    if given.stations - stations.keys():
        errors.append(FieldError("stations", "station_unknown", N_("Chọn trạm trong danh sách")))
    names = await find_names(work, [tidy_code(row.code) for row in given.techniques])
    techniques, faults = read_rows(given.techniques, names)
    errors += faults
    if errors:
        raise Invalid.of(errors)
    columns = {
        "title": draft.title,
        "number": draft.number,
        "signed_on": draft.signed_on,
        "provider_id": hospitals[given.provider].id,
        "provider_representative": draft.provider_representative,
        "receiver_representative": draft.receiver_representative,
        "starts_on": given.starts_on,
        "ends_on": given.ends_on,
        "survey": draft.survey,
        "outline": draft.outline,
    }
    return _Checked(
        columns, [stations[code].id or 0 for code in sorted(given.stations)], techniques
    )


async def _keep(work: UnitOfWork, package: TransferPackage, checked: _Checked) -> None:
    work.session.add(package)
    try:
        await work.session.flush()
    except IntegrityError as error:
        message = N_("Số hợp đồng này đã có")
        field = FieldError("number", "package_exists", message)
        raise Conflict("package_exists", message, fields=[field]) from error
    assert package.id
    for model in (PackageStation, PackageTechnique):
        await work.session.exec(delete(model).where(col(model.package_id) == package.id))
    work.session.add_all(
        PackageStation(package_id=package.id, station_id=key) for key in checked.station_ids
    )
    work.session.add_all(
        PackageTechnique(package_id=package.id, position=place, **asdict(each))
        for place, each in enumerate(checked.techniques, start=1)
    )
    await work.session.flush()


async def _count_sessions(work: UnitOfWork, package: TransferPackage) -> int:
    query = select(func.count()).where(col(TransferLog.package_id) == package.id)
    return (await work.session.exec(query)).one()


async def _latest_session(work: UnitOfWork, package: TransferPackage) -> date | None:
    query = (
        select(TransferLog.starts_at)
        .where(col(TransferLog.package_id) == package.id)
        .order_by(col(TransferLog.starts_at).desc())
        .limit(1)
    )
    latest = (await work.session.exec(query)).first()
    return latest.astimezone(LOCAL_ZONE).date() if latest else None


async def _rows(work: UnitOfWork, packages: Sequence[TransferPackage]) -> list[PackageRow]:
    today, ids = _today(work), [each.id or 0 for each in packages]
    places = {each.id: each for each in await list_facilities(work, with_closed=True)}
    received = select(PackageStation).where(col(PackageStation.package_id).in_(ids))
    pairs = {(row.package_id, row.station_id) for row in await work.session.exec(received)}
    taught = (
        select(PackageTechnique)
        .where(col(PackageTechnique.package_id).in_(ids))
        .order_by(col(PackageTechnique.position))
    )
    techniques = (await work.session.exec(taught)).all()
    counted = (
        select(TransferLog.package_id, func.count())
        .where(col(TransferLog.package_id).in_(ids))
        .group_by(col(TransferLog.package_id))
    )
    sessions = dict((await work.session.exec(counted)).all())
    return [
        PackageRow(
            package=each,
            state=state_of(term_of(each), today),
            provider=places[each.provider_id],
            stations=[place for key, place in places.items() if (each.id, key) in pairs],
            techniques=[row for row in techniques if row.package_id == each.id],
            sessions=sessions.get(each.id, 0),
        )
        for each in packages
    ]
