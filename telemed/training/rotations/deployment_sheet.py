"""The spreadsheet of a deployment: always in Vietnamese, as the province keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telemed.training.rotations.models import RotationKind

TITLE: Final = "Luân phiên"
# Folded names of columns, the one of our own sheet first.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("ho va ten", "ho ten"),
    "sign_in_name": ("ten dang nhap", "tai khoan"),
    "licence": ("so giay phep hanh nghe", "giay phep hanh nghe", "so cchn"),
    "kind": ("cu lam gi", "vai tro"),
    "specialty": ("chuyen khoa",),
    "station": ("tram", "tram den", "ma tram"),
    "starts_on": ("tu ngay",),
    "ends_on": ("den ngay",),
    "decision_number": ("so quyet dinh",),
    "decision_date": ("ngay quyet dinh", "ngay ky quyet dinh"),
    "issuing_body": ("co quan ban hanh",),
    "tasks": ("nhiem vu",),
}
HEADS: Final = (
    *("Họ và tên", "Tên đăng nhập", "Số giấy phép hành nghề", "Cử làm gì", "Chuyên khoa", "Trạm"),
    *("Từ ngày", "Đến ngày", "Số quyết định", "Ngày quyết định", "Cơ quan ban hành", "Nhiệm vụ"),
)
# What may stand below the heading of what somebody is sent to do.
KINDS: Final[Mapping[str, RotationKind]] = {
    "": RotationKind.CLINICAL,
    "kham chua benh": RotationKind.CLINICAL,
    "bac si luan phien": RotationKind.CLINICAL,
    "du phong": RotationKind.PREVENTIVE,
    "y te du phong": RotationKind.PREVENTIVE,
}
# One row that shows how the others are filled in.
EXAMPLE: Final = (
    *("Lò Văn Mẫu", "lo.van.mau", "", "Khám chữa bệnh", "Nhi khoa", "Mường Pồn"),
    *("15/12/2026", "14/06/2027", "1234/QĐ-SYT", "10/12/2026", "Sở Y tế tỉnh Điện Biên", ""),
)
