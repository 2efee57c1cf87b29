"""What a patient's wish to restrict the use of their data does to their cases."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import col

from telemed.consults.models import Consult, Urgency
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, Invalid
from telemed.patients.models import Patient


async def follow(work: UnitOfWork, patient: Patient) -> None:
    """Every case says what its patient wants now, so that lists need not ask."""
    step = (
        update(Consult)
        .where(col(Consult.patient_id) == patient.id)
        .values(is_restricted=patient.restricted_at is not None)
        .execution_options(synchronize_session="fetch")
    )
    await work.session.exec(step)


def check_may_send(consult: Consult, patient: Patient, *, field: str) -> None:
    """Beyond the station only what cannot wait. Raises Invalid at `field`."""
    if patient.restricted_at is not None and consult.urgency is not Urgency.EMERGENCY:
        message = N_(
            "Người bệnh đã yêu cầu hạn chế sử dụng dữ liệu: chỉ gửi được khi là cấp cứu."
            " Hỏi lại người bệnh, rồi bỏ hạn chế trong hồ sơ."
        )
        raise Invalid("patient_restricted", message, field=field)
