"""Who speaks for a patient: names of relations, and when the law asks for somebody else's word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telemed.core.errors import N_
from telemed.patients.models import ConsentPurpose, GuardianRelation

# Law 91/2025/QH15 and Decree 356/2025: below seven the guardian alone answers; from seven on, child
# and guardian for whatever is not the care itself.
ALONE_BELOW_YEARS: Final = 7
CHILD_BELOW_YEARS: Final = 16

RELATION_NAMES: Mapping[GuardianRelation, str] = {
    GuardianRelation.MOTHER: N_("Mẹ"),
    GuardianRelation.FATHER: N_("Cha"),
    GuardianRelation.SPOUSE: N_("Vợ, chồng"),
    GuardianRelation.CHILD: N_("Con"),
    GuardianRelation.GRANDPARENT: N_("Ông, bà"),
    GuardianRelation.SIBLING: N_("Anh, chị, em"),
    GuardianRelation.RELATIVE: N_("Họ hàng khác"),
    GuardianRelation.INSTITUTION: N_("Cơ sở nuôi dưỡng"),
}


def needs_guardian(purpose: ConsentPurpose, age_years: int) -> bool:
    """Whether a child's own yes to a purpose is not enough."""
    is_care = purpose is ConsentPurpose.CONSULT
    return age_years < (ALONE_BELOW_YEARS if is_care else CHILD_BELOW_YEARS)
