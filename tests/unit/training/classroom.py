"""Who teaches whom at a station, and one session of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from telemed.accounts.permissions import Actor
from telemed.core.clock import LOCAL_ZONE
from telemed.core.db import UnitOfWork
from telemed.core.records import SignatureMethod
from telemed.facilities.models import Facility
from telemed.training import transfers
from telemed.training.models import TransferLog
from telemed.training.transfer_input import TransferInput

METHOD = SignatureMethod.PASSWORD
STARTS = datetime(2026, 11, 23, 7, tzinfo=LOCAL_ZONE)


@dataclass
class Class:
    """Who teaches whom at a station, and one session of theirs."""

    station: Facility
    author: Actor
    trainer: Actor
    trainees: list[Actor]
    given: TransferInput

    @property
    def everybody(self) -> list[Actor]:
        return [self.author, self.trainer, *self.trainees]


async def sign(work: UnitOfWork, actor: Actor, log: TransferLog) -> TransferLog:
    """Sign as whatever the actor is in the log."""
    return await transfers.sign(work, actor, log.uid, METHOD, revision=log.revision)
