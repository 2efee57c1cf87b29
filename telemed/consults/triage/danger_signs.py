"""Signs that a doctor sees or hears of, of the Interagency Integrated Triage Tool.

WHO, ICRC and MSF; routine triage, red and yellow columns of both charts, red ones first. What the
tool takes from measurements stands in `vital_limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from telemed.consults.triage.observations import Level, Subject
from telemed.core.errors import N_

ADULT_CHART_FROM_YEARS: Final = 12
CHEST_PAIN_ABOVE_YEARS: Final = 50


class DangerSign(StrEnum):
    """One line of the charts; the value is its name in forms and in stored requests."""

    STRIDOR = "stridor"
    DISTRESS = "distress"
    SLOW_REFILL = "slow_refill"
    WEAK_PULSE = "weak_pulse"
    HEAVY_BLEEDING = "heavy_bleeding"
    CONVULSING = "convulsing"
    MENINGISM = "meningism"
    LOW_GLUCOSE = "low_glucose"
    DEHYDRATION = "dehydration"
    HIGH_RISK_TRAUMA = "high_risk_trauma"
    POISONING = "poisoning"
    THREATENED_LIMB = "threatened_limb"
    SNAKE_BITE = "snake_bite"
    ACUTE_PAIN = "acute_pain"
    ISCHAEMIC_ECG = "ischaemic_ecg"
    VIOLENT = "violent"
    PREGNANCY_DANGER = "pregnancy_danger"
    AIRWAY_SWELLING = "airway_swelling"
    WHEEZING = "wheezing"
    VOMITING = "vomiting"
    UNABLE_TO_FEED = "unable_to_feed"
    PALLOR = "pallor"
    BLEEDING = "bleeding"
    FAINTING = "fainting"
    AGITATION = "agitation"
    WEAKNESS = "weakness"
    FOCAL_DEFICIT = "focal_deficit"
    VISION = "vision"
    SEVERE_PAIN = "severe_pain"
    RASH = "rash"
    FRACTURE = "fracture"
    TRAUMA = "trauma"
    SURGERY = "surgery"
    ASSAULT = "assault"
    TESTICULAR_PAIN = "testicular_pain"
    URINE_RETENTION = "urine_retention"
    PROPHYLAXIS = "prophylaxis"


_FIRST_YELLOW: Final = DangerSign.AIRWAY_SWELLING

LABELS: Final[Mapping[DangerSign, str]] = {
    DangerSign.STRIDOR: N_("Thở rít"),
    DangerSign.DISTRESS: N_("Suy hô hấp hoặc tím trung tâm"),
    DangerSign.SLOW_REFILL: N_("Làm đầy mao mạch quá 3 giây"),
    DangerSign.WEAK_PULSE: N_("Mạch nhanh và yếu"),
    DangerSign.HEAVY_BLEEDING: N_("Chảy máu nhiều"),
    DangerSign.CONVULSING: N_("Đang co giật"),
    DangerSign.MENINGISM: N_(
        "Hai trong: rối loạn tri giác, cứng gáy, sốt hoặc hạ thân nhiệt, đau đầu"
    ),
    DangerSign.LOW_GLUCOSE: N_("Hạ đường huyết đã đo"),
    DangerSign.DEHYDRATION: N_(
        "Trẻ mất nước nặng: li bì, mắt trũng, nếp véo da mất rất chậm, uống kém"
    ),
    DangerSign.HIGH_RISK_TRAUMA: N_("Chấn thương nguy cơ cao"),
    DangerSign.POISONING: N_("Ngộ độc hoặc tiếp xúc hóa chất nguy hiểm"),
    DangerSign.THREATENED_LIMB: N_("Chi bị đe dọa (mất mạch, tê, biến dạng)"),
    DangerSign.SNAKE_BITE: N_("Rắn cắn"),
    DangerSign.ACUTE_PAIN: N_("Đau ngực hoặc đau bụng cấp, trên 50 tuổi"),
    DangerSign.ISCHAEMIC_ECG: N_("Điện tim có thiếu máu cơ tim cấp"),
    DangerSign.VIOLENT: N_("Kích động, gây hấn"),
    DangerSign.PREGNANCY_DANGER: N_(
        "Thai kỳ: chảy máu nhiều, đau bụng dữ dội, co giật, đau đầu dữ dội, nhìn mờ, chuyển dạ"
    ),
    DangerSign.AIRWAY_SWELLING: N_("Sưng hoặc khối ở miệng, họng, cổ"),
    DangerSign.WHEEZING: N_("Khò khè"),
    DangerSign.VOMITING: N_("Nôn tất cả mọi thứ hoặc tiêu chảy liên tục"),
    DangerSign.UNABLE_TO_FEED: N_("Không ăn, bú hoặc uống được"),
    DangerSign.PALLOR: N_("Xanh tái nặng"),
    DangerSign.BLEEDING: N_("Đang chảy máu"),
    DangerSign.FAINTING: N_("Mới ngất"),
    DangerSign.AGITATION: N_("Rối loạn tri giác hoặc kích thích"),
    DangerSign.WEAKNESS: N_("Yếu toàn thân cấp"),
    DangerSign.FOCAL_DEFICIT: N_("Dấu thần kinh khu trú cấp"),
    DangerSign.VISION: N_("Rối loạn thị giác cấp"),
    DangerSign.SEVERE_PAIN: N_("Đau dữ dội"),
    DangerSign.RASH: N_("Phát ban mới nặng lên trong vài giờ hoặc bong da"),
    DangerSign.FRACTURE: N_("Biến dạng chi cấp, gãy xương hở, nghi trật khớp"),
    DangerSign.TRAUMA: N_("Chấn thương hoặc bỏng khác"),
    DangerSign.SURGERY: N_("Bệnh đã biết cần mổ khẩn"),
    DangerSign.ASSAULT: N_("Bị xâm hại tình dục"),
    DangerSign.TESTICULAR_PAIN: N_("Đau tinh hoàn, bìu cấp hoặc cương đau kéo dài"),
    DangerSign.URINE_RETENTION: N_("Bí tiểu"),
    DangerSign.PROPHYLAXIS: N_("Phơi nhiễm cần dự phòng sớm (chó cắn, kim đâm)"),
}


def level_of(sign: DangerSign) -> Level:
    """Red is an emergency, yellow is urgent."""
    signs = list(DangerSign)
    is_red = signs.index(sign) < signs.index(_FIRST_YELLOW)
    return Level.EMERGENCY if is_red else Level.URGENT


def signs_for(subject: Subject) -> tuple[DangerSign, ...]:
    """The lines of the chart that can be true of such a patient, red ones first."""
    return tuple(sign for sign in DangerSign if _can_be(sign, subject))


def _can_be(sign: DangerSign, subject: Subject) -> bool:
    if sign is DangerSign.DEHYDRATION:
        return subject.years < ADULT_CHART_FROM_YEARS
    if sign is DangerSign.ACUTE_PAIN:
        return subject.years > CHEST_PAIN_ABOVE_YEARS
    if sign is DangerSign.PREGNANCY_DANGER:
        return subject.is_pregnant
    return True
