"""What the triage scores say, in words for whoever reads a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from telemed.consults.models import Urgency
from telemed.consults.triage.assessment import Assessment, Disagreement
from telemed.consults.triage.danger_signs import LABELS as SIGN_LABELS
from telemed.consults.triage.news2 import News2, Risk
from telemed.consults.triage.observations import MEASURED, Level, Sign
from telemed.consults.triage.vital_limits import Bound, Finding
from telemed.consults.vitals.reading import VITALS, VitalKey, format_vital
from telemed.core.errors import N_


class Say(Protocol):
    """A catalogue text in the language of whoever reads."""

    def __call__(self, message: str, **params: str | int) -> str: ...


@dataclass(frozen=True)
class TriageNote:
    """One note: `tone` as notes have it, `badge` for a narrow place; lines may be empty."""

    level: str
    tone: str
    badge: str
    title: str
    advice: str
    lines: tuple[str, ...]
    disagreement: str
    basis: str


_TONES: Final = {Level.EMERGENCY: "e", Level.URGENT: "w", Level.ROUTINE: ""}
_NAMES: Final[Mapping[Sign, str]] = {
    **{sign: VITALS[VitalKey(sign.value)].label for sign in MEASURED},
    Sign.CONSCIOUSNESS: N_("Tri giác"),
    Sign.OXYGEN: N_("Thở oxy"),
}
_LEVEL_NAMES: Final = {
    Level.EMERGENCY: N_("Cấp cứu"),
    Level.URGENT: N_("Khẩn"),
    Level.ROUTINE: N_("Thường quy"),
}
_RISKS: Final = {
    Risk.HIGH: N_(
        "từ 7\u00a0điểm trở lên: đánh giá cấp cứu trong 30\u00a0phút, cân nhắc chuyển viện."
    ),
    Risk.MEDIUM: N_("từ 5 đến 6\u00a0điểm: bác sĩ đánh giá khẩn trong 1\u00a0giờ."),
    Risk.LOW_MEDIUM: N_("có chỉ số 3\u00a0điểm: bác sĩ đánh giá khẩn, tìm nguyên nhân."),
    Risk.LOW: N_("từ 0 đến 4\u00a0điểm: nguy cơ thấp, tiếp tục theo dõi."),
}
_TITLES: Final = {
    Level.EMERGENCY: N_("Có dấu hiệu cấp cứu"),
    Level.URGENT: N_("Có dấu hiệu nguy cơ cao"),
    Level.ROUTINE: N_("Không thấy dấu hiệu nguy cơ cao"),
}
_BOUNDS: Final = {
    Bound.BELOW: N_("{name} dưới {limit}"),
    Bound.ABOVE: N_("{name} trên {limit}"),
    Bound.FROM: N_("{name} từ {limit} trở lên, khi mang thai"),
    Bound.FAST_BREATHING: N_("Thở nhanh theo tuổi: từ {limit} lần/phút"),
    Bound.NOT_ALERT: N_("Tri giác không tỉnh táo"),
    Bound.COMA: N_("Chỉ đáp ứng đau, hoặc không đáp ứng"),
}
_BY_NEWS2: Final = N_(
    "NEWS2 © Royal College of Physicians 2017, cho người từ 16\u00a0tuổi, không mang thai."
)
_BY_CHARTS: Final = N_("Dấu hiệu theo bảng phân loại IITT của WHO, ICRC và MSF.")
_ADVISORY: Final = N_("Chỉ để tham khảo.")


def tell(found: Assessment, chosen: Urgency | None, say: Say) -> TriageNote | None:
    """The note; nothing while nothing was measured that a score looks at."""
    score = found.news2
    is_begun = bool(score and score.points)
    if found.level is None and not is_begun:
        return None
    return TriageNote(
        level=found.level.value if found.level else "",
        tone=_TONES[found.level] if found.level else "",
        badge=f"NEWS2 {score.total}" if score and score.total is not None else "",
        title=_title(found, say),
        advice=_advice(found, say),
        lines=tuple(_lines(found, say)),
        disagreement=_disagreement(found, chosen, say),
        basis=" ".join(say(each) for each in _bases(found)),
    )


def _bases(found: Assessment) -> Iterable[str]:
    if found.news2:
        yield _BY_NEWS2
    if found.findings or found.signs or not found.news2:
        yield _BY_CHARTS
    yield _ADVISORY


def _title(found: Assessment, say: Say) -> str:
    score = found.news2
    if score and score.total is not None:
        return say(N_("NEWS2: {points}\u00a0điểm"), points=score.total)
    if found.level:
        return say(_TITLES[found.level])
    return say(N_("Chưa tính NEWS2"))


def _advice(found: Assessment, say: Say) -> str:
    score = found.news2
    if score and score.risk:
        return say(_RISKS[score.risk])
    if found.missing:
        names = ", ".join(_name(sign, say) for sign in found.missing)
        return say(N_("còn thiếu: {names}."), names=names)
    return ""


def _lines(found: Assessment, say: Say) -> Iterable[str]:
    if found.news2 and found.news2.total:
        yield say(N_("Điểm: {parts}."), parts=_parts(found.news2, say))
    words = [say(SIGN_LABELS[sign]) for sign in found.signs]
    words += [_finding(each, say) for each in found.findings]
    if words:
        yield say(N_("Dấu hiệu: {signs}."), signs="; ".join(words))


def _parts(score: News2, say: Say) -> str:
    counted = [(sign, points) for sign, points in score.points.items() if points]
    counted.sort(key=lambda each: -each[1])
    return ", ".join(f"{_name(sign, say)}\u00a0{points}" for sign, points in counted)


def _finding(found: Finding, say: Say) -> str:
    limit = "" if found.limit is None else format_vital(found.limit)
    return say(_BOUNDS[found.bound], name=_name(found.sign, say), limit=limit)


def _name(sign: Sign, say: Say) -> str:
    return say(_NAMES[sign])


def _disagreement(found: Assessment, chosen: Urgency | None, say: Say) -> str:
    told = found.disagrees(Level(chosen.value) if chosen else None)
    if told is None or chosen is None or found.level is None:
        return ""
    levels = {
        "found": say(_LEVEL_NAMES[found.level]),
        "chosen": say(_LEVEL_NAMES[Level(chosen.value)]),
    }
    if told is Disagreement.MORE_URGENT:
        message = N_("Thang điểm gợi ý mức {found}, gấp hơn mức đã chọn ({chosen}). Xin xem lại.")
        return say(message, **levels)
    return say(N_("Thang điểm gợi ý mức {found}; bác sĩ đã chọn {chosen}."), **levels)
