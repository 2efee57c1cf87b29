"""Languages in which people of the province speak of their illness, by ISO 639-3 code."""

from collections.abc import Mapping

from telemed.core.errors import N_

VIETNAMESE = "vi"
LANGUAGES: Mapping[str, str] = {
    VIETNAMESE: N_("Tiếng Việt"),
    "tai": N_("Tiếng Thái"),
    "hmn": N_("Tiếng Hmông"),
    "kjg": N_("Tiếng Khơ-mú"),
    "hni": N_("Tiếng Hà Nhì"),
    "lao": N_("Tiếng Lào"),
    "other": N_("Tiếng khác"),
}
