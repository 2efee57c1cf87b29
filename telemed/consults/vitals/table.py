"""The table of vital signs: their names, units and bounds, and the usual range of an adult."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from telemed.core.errors import N_


class VitalKey(StrEnum):
    """A measured sign; the value is its name in forms and in stored requests."""

    PULSE = "pulse"
    RESPIRATION = "respiration"
    SPO2 = "spo2"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    TEMPERATURE = "temperature"
    GLUCOSE = "glucose"
    WEIGHT = "weight"
    HEIGHT = "height"
    GCS = "gcs"
    MUAC = "muac"
    PAIN = "pain"
    GESTATION = "gestation"


class Consciousness(StrEnum):
    """ACVPU, the five levels that a station can tell apart without training."""

    ALERT = "A"
    CONFUSED = "C"
    VOICE = "V"
    PAIN = "P"
    UNRESPONSIVE = "U"


@dataclass(frozen=True, kw_only=True)
class Vital:
    """One sign; `out_of_bounds` and `not_whole` name it, its limits and what was given."""

    key: VitalKey
    label: str
    unit: str
    low: Decimal
    high: Decimal
    decimals: int
    out_of_bounds: str
    not_whole: str = ""
    usual: tuple[Decimal, Decimal] | None = None


CONSCIOUSNESS_LABELS = {
    Consciousness.ALERT: N_("Tỉnh (A)"),
    Consciousness.CONFUSED: N_("Lú lẫn (C)"),
    Consciousness.VOICE: N_("Đáp ứng lời (V)"),
    Consciousness.PAIN: N_("Đáp ứng đau (P)"),
    Consciousness.UNRESPONSIVE: N_("Không đáp ứng (U)"),
}

_PER_MINUTE = N_("lần/phút")
_WEEKS = N_("tuần")
_POINTS = N_("điểm")

# Usual ranges: the band without points in NEWS2 where it has one, the usual upper limit of blood
# pressure (below 140/90), and glucose at any time of day.
_TABLE = (
    Vital(
        key=VitalKey.PULSE,
        label=N_("Mạch"),
        unit=_PER_MINUTE,
        low=Decimal(20),
        high=Decimal(300),
        decimals=0,
        out_of_bounds=N_("Mạch phải từ 20 đến 300\u00a0lần/phút – đang là {given}"),
        not_whole=N_("Mạch phải là số nguyên – đang là {given}"),
        usual=(Decimal(51), Decimal(90)),
    ),
    Vital(
        key=VitalKey.RESPIRATION,
        label=N_("Nhịp thở"),
        unit=_PER_MINUTE,
        low=Decimal(3),
        high=Decimal(120),
        decimals=0,
        out_of_bounds=N_("Nhịp thở phải từ 3 đến 120\u00a0lần/phút – đang là {given}"),
        not_whole=N_("Nhịp thở phải là số nguyên – đang là {given}"),
        usual=(Decimal(12), Decimal(20)),
    ),
    Vital(
        key=VitalKey.SPO2,
        label="SpO2",
        unit="%",
        low=Decimal(30),
        high=Decimal(100),
        decimals=0,
        out_of_bounds=N_("SpO2 phải từ 30 đến 100\u00a0% – đang là {given}"),
        not_whole=N_("SpO2 phải là số nguyên – đang là {given}"),
        usual=(Decimal(96), Decimal(100)),
    ),
    Vital(
        key=VitalKey.SYSTOLIC,
        label=N_("HA tâm thu"),
        unit="mmHg",
        low=Decimal(30),
        high=Decimal(300),
        decimals=0,
        out_of_bounds=N_("HA tâm thu phải từ 30 đến 300\u00a0mmHg – đang là {given}"),
        not_whole=N_("HA tâm thu phải là số nguyên – đang là {given}"),
        usual=(Decimal(111), Decimal(139)),
    ),
    Vital(
        key=VitalKey.DIASTOLIC,
        label=N_("HA tâm trương"),
        unit="mmHg",
        low=Decimal(10),
        high=Decimal(200),
        decimals=0,
        out_of_bounds=N_("HA tâm trương phải từ 10 đến 200\u00a0mmHg – đang là {given}"),
        not_whole=N_("HA tâm trương phải là số nguyên – đang là {given}"),
        usual=(Decimal(60), Decimal(89)),
    ),
    Vital(
        key=VitalKey.TEMPERATURE,
        label=N_("Nhiệt độ"),
        unit="°C",
        low=Decimal(25),
        high=Decimal(45),
        decimals=3,
        out_of_bounds=N_("Nhiệt độ phải từ 25 đến 45\u00a0°C – đang là {given}"),
        usual=(Decimal("36.1"), Decimal("38.0")),
    ),
    Vital(
        key=VitalKey.GLUCOSE,
        label=N_("Đường huyết"),
        unit="mmol/L",
        low=Decimal("0.5"),
        high=Decimal(60),
        decimals=3,
        out_of_bounds=N_("Đường huyết phải từ 0,5 đến 60\u00a0mmol/L – đang là {given}"),
        usual=(Decimal("3.9"), Decimal("11.0")),
    ),
    Vital(
        key=VitalKey.WEIGHT,
        label=N_("Cân nặng"),
        unit="kg",
        low=Decimal("0.3"),
        high=Decimal(300),
        decimals=3,
        out_of_bounds=N_("Cân nặng phải từ 0,3 đến 300\u00a0kg – đang là {given}"),
    ),
    Vital(
        key=VitalKey.HEIGHT,
        label=N_("Chiều cao"),
        unit="cm",
        low=Decimal(20),
        high=Decimal(250),
        decimals=3,
        out_of_bounds=N_("Chiều cao phải từ 20 đến 250\u00a0cm – đang là {given}"),
    ),
    Vital(
        key=VitalKey.GCS,
        label=N_("Điểm Glasgow"),
        unit=_POINTS,
        low=Decimal(3),
        high=Decimal(15),
        decimals=0,
        out_of_bounds=N_("Điểm Glasgow phải từ 3 đến 15\u00a0điểm – đang là {given}"),
        not_whole=N_("Điểm Glasgow phải là số nguyên – đang là {given}"),
        usual=(Decimal(15), Decimal(15)),
    ),
    Vital(
        key=VitalKey.MUAC,
        label=N_("Vòng cánh tay"),
        unit="cm",
        low=Decimal(5),
        high=Decimal(50),
        decimals=3,
        out_of_bounds=N_("Vòng cánh tay phải từ 5 đến 50\u00a0cm – đang là {given}"),
    ),
    Vital(
        key=VitalKey.PAIN,
        label=N_("Mức đau"),
        unit=_POINTS,
        low=Decimal(0),
        high=Decimal(10),
        decimals=0,
        out_of_bounds=N_("Mức đau phải từ 0 đến 10\u00a0điểm – đang là {given}"),
        not_whole=N_("Mức đau phải là số nguyên – đang là {given}"),
    ),
    Vital(
        key=VitalKey.GESTATION,
        label=N_("Tuổi thai"),
        unit=_WEEKS,
        low=Decimal(4),
        high=Decimal(45),
        decimals=0,
        out_of_bounds=N_("Tuổi thai phải từ 4 đến 45\u00a0tuần – đang là {given}"),
        not_whole=N_("Tuổi thai phải là số nguyên – đang là {given}"),
    ),
)
VITALS: Mapping[VitalKey, Vital] = {vital.key: vital for vital in _TABLE}
