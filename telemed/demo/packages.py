"""Which packages of techniques the synthetic hospital transfers to some of its stations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from telemed.core.audit import AuditTag
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.demo.world import World
from telemed.facilities.models import Facility, FacilityKind
from telemed.training.packages.models import PackageStation, PackageTechnique, TransferPackage
from telemed.training.packages.service import term_of
from telemed.training.techniques.service import find_names

Targets = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Plan:
    title: str
    number: str
    sessions: frozenset[str]
    """Names of the sessions in training.toml that are held under it."""
    survey: str
    outline: str
    techniques: Sequence[tuple[str, Targets]]
    stations: int


@dataclass(frozen=True)
class RunningPackage:
    """A package, who receives it, and which sessions are held under it."""

    package: TransferPackage
    station_ids: frozenset[int]
    sessions: frozenset[str]

    def covers(self, station_id: int, technique: str, at: datetime) -> bool:
        """Whether a session is held under it."""
        is_theirs = station_id in self.station_ids and technique in self.sessions
        return is_theirs and term_of(self.package).covers(at.astimezone(LOCAL_ZONE).date())


_PLANS = (
    _Plan(
        title="Cấp cứu ban đầu",
        number="05/HĐCG-BVĐK",
        sessions=frozenset({"Cấp cứu ngừng tuần hoàn cơ bản", "Đặt nội khí quản cấp cứu"}),
        survey="Trạm có 1 bác sĩ, 2 y sĩ, 2 điều dưỡng; có bóng Ambu và bình oxy, chưa có ống nội"
        " khí quản.\nNăm trước 14 ca cấp cứu phải chuyển viện khi chưa được sơ cứu đủ.",
        outline="Mục tiêu: mỗi người học tự ép tim, bóp bóng, đặt đường truyền, cố định gãy xương."
        "\nCách dạy: làm mẫu tại trạm, thực hành trên mô hình, giám sát từ xa qua cuộc gọi hình."
        "\nĐánh giá: bảng kiểm từng kỹ thuật sau mỗi tháng.",
        techniques=(
            ("1.158", (5, 5, 5, 3)),
            ("1.65", (5, 5, 10, 5)),
            ("1.6", (5, 10, 10, 10)),
            ("1.57", (2, 2, 5, 5)),
            ("1.276", (3, 5, 5, 3)),
            ("1.269", (2, 2, 2, 0)),
        ),
        stations=6,
    ),
    _Plan(
        title="Siêu âm cơ bản",
        number="09/HĐCG-BVĐK",
        sessions=frozenset({"Siêu âm ổ bụng tổng quát"}),
        survey="Trạm được cấp máy siêu âm xách tay từ đầu năm; 1 bác sĩ đã học lớp siêu âm 3 tháng.",
        outline="Mục tiêu: tự siêu âm ổ bụng, nhận ra dịch tự do, sỏi, ứ nước.\nCách dạy: cầm tay"
        " chỉ việc tại trạm mỗi tháng một tuần, xem lại hình qua cuộc gọi.\nĐánh giá: 20 ca đọc"
        " cùng bác sĩ bệnh viện.",
        techniques=(("18.1", (20, 10, 20, 30)), ("18.20", (10, 5, 5, 0))),
        stations=4,
    ),
)
_STARTED_BEFORE, _SIGNED_BEFORE, _LASTS = timedelta(days=120), timedelta(days=10), 365


async def write_packages(work: UnitOfWork, world: World) -> list[RunningPackage]:
    """Two that run; the station that is shown first receives both."""
    hospital = (
        await work.session.exec(select(Facility).where(col(Facility.kind) == FacilityKind.HOSPITAL))
    ).first()
    assert hospital
    starts = world.now.astimezone(LOCAL_ZONE).date() - _STARTED_BEFORE
    coordinator = world.cast.coordinator
    made = []
    for plan in _PLANS:
        signed_at = world.now - _STARTED_BEFORE - _SIGNED_BEFORE
        package = TransferPackage(
            title=f"{plan.title} {starts.year}",
            number=plan.number,
            signed_on=signed_at.astimezone(LOCAL_ZONE).date(),
            provider_id=hospital.id or 0,
            provider_representative=f"{world.cast.trainer.name}, phụ trách chỉ đạo tuyến",
            receiver_representative="Các trưởng trạm y tế",
            starts_on=starts,
            ends_on=starts + timedelta(days=_LASTS),
            survey=plan.survey,
            outline=plan.outline,
            created_by_id=coordinator.id,
            created_at=signed_at,
        )
        work.session.add(package)
        await work.session.flush()
        stations = list(world.stations)[: plan.stations]
        work.session.add_all(await _belongings(work, package, plan, stations))
        await work.session.flush()
        tag, number = AuditTag.PACKAGE_CHANGE, plan.number
        world.ledger.note(signed_at, tag, coordinator, package.uid, act="create", number=number)
        made.append(RunningPackage(package, frozenset(stations), plan.sessions))
    return made


async def _belongings(
    work: UnitOfWork, package: TransferPackage, plan: _Plan, stations: Sequence[int]
) -> list[PackageStation | PackageTechnique]:
    names = await find_names(work, [code for code, _ in plan.techniques])
    rows: list[PackageStation | PackageTechnique] = [
        PackageStation(package_id=package.id or 0, station_id=key) for key in stations
    ]
    for position, (code, (observed, assisted, supervised, performed)) in enumerate(
        plan.techniques, start=1
    ):
        rows.append(
            PackageTechnique(
                package_id=package.id or 0,
                position=position,
                code=code,
                name=names[code],
                observed=observed,
                assisted=assisted,
                supervised=supervised,
                performed=performed,
            )
        )
    return rows
