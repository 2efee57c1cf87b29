"""What every installation of the province starts with: specialties, departments, names."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from telemed.core.errors import N_
from telemed.facilities.models import CommuneKind

PROVINCE_CODE = "11"
PROVINCE_NAME = N_("Điện Biên")
HOSPITAL_CODE = "BVDK"
HOSPITAL_NAME = N_("Bệnh viện Đa khoa tỉnh Điện Biên")
HEALTH_DEPARTMENT_CODE = "SYT"
HEALTH_DEPARTMENT_NAME = N_("Sở Y tế tỉnh Điện Biên")

# Code and name, in the order in which a station is asked to choose.
SPECIALTIES = (
    ("internal", N_("Nội")),
    ("respiratory", N_("Nội hô hấp")),
    ("cardiology", N_("Nội tim mạch")),
    ("endocrinology", N_("Nội tiết")),
    ("paediatrics", N_("Nhi")),
    ("critical_care", N_("Hồi sức cấp cứu")),
    ("imaging", N_("Chẩn đoán hình ảnh")),
    ("obstetrics", N_("Sản")),
    ("surgery", N_("Ngoại")),
    ("dermatology", N_("Da liễu")),
    ("ophthalmology", N_("Mắt")),
    ("ear_nose_throat", N_("Tai mũi họng")),
    ("dentistry", N_("Răng hàm mặt")),
    ("psychiatry", N_("Tâm thần")),
    ("infectious", N_("Truyền nhiễm")),
    ("traditional", N_("Y học cổ truyền")),
    ("rehabilitation", N_("Phục hồi chức năng")),
)

HOSPITAL_DEPARTMENTS = (
    "Khoa Khám bệnh",
    "Khoa Cấp cứu",
    "Khoa Hồi sức tích cực – Chống độc",
    "Khoa Nội tổng hợp",
    "Khoa Nội tim mạch",
    "Khoa Nhi",
    "Khoa Ngoại tổng hợp",
    "Khoa Chấn thương chỉnh hình",
    "Khoa Phụ sản",
    "Khoa Truyền nhiễm",
    "Khoa Tâm thần",
    "Khoa Da liễu",
    "Khoa Mắt",
    "Khoa Tai mũi họng",
    "Khoa Răng hàm mặt",
    "Khoa Y học cổ truyền",
    "Khoa Phục hồi chức năng",
    "Khoa Chẩn đoán hình ảnh",
    "Khoa Xét nghiệm",
    "Phòng Kế hoạch tổng hợp",
    "Phòng Đào tạo – Chỉ đạo tuyến",
    "Phòng Công nghệ thông tin",
)

_STATION_NAMES = {
    CommuneKind.COMMUNE: "Trạm Y tế xã {name}",
    CommuneKind.WARD: "Trạm Y tế phường {name}",
}


@dataclass(frozen=True)
class CommuneLine:
    """One line of the list of communes and wards."""

    code: str
    name: str
    kind: CommuneKind

    @property
    def station_code(self) -> str:
        """The code of the commune's health station."""
        return f"TYT{self.code}"

    @property
    def station_name(self) -> str:
        """The name of the commune's health station."""
        return _STATION_NAMES[self.kind].format(name=self.name)


def read_communes() -> list[CommuneLine]:
    """The 45 communes and wards of the province, in the order of their codes."""
    path = Path(__file__).with_name("dien_bien.csv")
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            CommuneLine(line["code"], line["name"], CommuneKind(line["type"]))
            for line in csv.DictReader(lines)
        ]
