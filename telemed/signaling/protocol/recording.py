"""Recording: it is asked for, agreed to, run, taken back."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from telemed.signaling.protocol.base import PLAIN, InSession

Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{1,20}$")]
GiverName = Annotated[str, StringConstraints(max_length=100, pattern=PLAIN)]


class Record(InSession):
    """Ask everybody inside about recording; or pause it, resume it, end it."""


class RecordAnswer(InSession):
    """What the sender says to it; or what the patient said aloud, noted by their station."""

    is_agreed: bool
    text_version: Version
    for_patient: bool = False
    giver_name: GiverName = ""


class RecordWithdraw(InSession):
    """Take an agreement back, the own one or the patient's: the recording ends and is deleted."""

    for_patient: bool = False
