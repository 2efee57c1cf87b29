"""What is read out before somebody agrees. A text never changes under its version; a new wording
gets a new version, and the old one stays to show what was agreed to.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from telemed.core.errors import N_
from telemed.patients.models import ConsentPurpose


@dataclass(frozen=True)
class ConsentText:
    """The words for one purpose: a short label, and the whole text to be read out."""

    version: str
    label: str
    text: str


CURRENT: Mapping[ConsentPurpose, ConsentText] = {
    ConsentPurpose.CONSULT: ConsentText(
        "2026-01",
        N_("Gửi dữ liệu sức khỏe (dữ liệu nhạy cảm) để hội chẩn"),
        N_(
            "Trạm y tế xin gửi thông tin về bệnh của ông (bà), gồm cả hình ảnh và kết quả xét"
            " nghiệm, cho bác sĩ chuyên khoa ở bệnh viện tỉnh để hội chẩn. Đây là dữ liệu cá nhân"
            " nhạy cảm. Chỉ những người tham gia chữa bệnh được xem. Bác sĩ của trạm vẫn là người"
            " chịu trách nhiệm chữa bệnh. Ông (bà) có thể từ chối, hoặc đồng ý rồi rút lại bất cứ"
            " lúc nào."
        ),
    ),
    ConsentPurpose.RECORDING: ConsentText(
        "2026-01",
        N_("Ghi âm, ghi hình buổi hội chẩn"),
        N_(
            "Trạm y tế xin ghi âm, ghi hình buổi hội chẩn và lưu cùng hồ sơ bệnh án. Tiếng nói và"
            " hình ảnh của ông (bà) là dữ liệu cá nhân nhạy cảm. Từ chối không ảnh hưởng đến việc"
            " khám và chữa bệnh. Ông (bà) có thể rút lại bất cứ lúc nào."
        ),
    ),
    ConsentPurpose.TEACHING: ConsentText(
        "2026-01",
        N_("Dùng ca này để giảng dạy, đã ẩn danh"),
        N_(
            "Trạm y tế xin dùng thông tin về bệnh của ông (bà) để giảng dạy cho cán bộ y tế, sau"
            " khi đã bỏ tên, số giấy tờ, địa chỉ và những gì cho biết đó là ai. Đây là dữ liệu cá"
            " nhân nhạy cảm. Từ chối không ảnh hưởng đến việc khám và chữa bệnh. Ông (bà) có thể"
            " rút lại bất cứ lúc nào."
        ),
    ),
}

# Wordings that are no longer read out, by purpose; they stay readable for ever.
EARLIER: Mapping[ConsentPurpose, tuple[ConsentText, ...]] = dict.fromkeys(ConsentPurpose, ())


def find_text(purpose: ConsentPurpose, version: str) -> ConsentText | None:
    """The wording that somebody agreed to."""
    texts = (CURRENT[purpose], *EARLIER[purpose])
    return next((text for text in texts if text.version == version), None)
